"""How many items the lists of a text have, and how many rows its tables."""

from collections import Counter

from app.grounding.statements import INDENT, ITEM, TAB


def lengths(text: str) -> frozenset[int]:
    """Of a nested list the length of each level; of a table without its head."""
    found: set[int] = set()
    items: Counter[int] = Counter()
    rows = 0
    for line in (*text.split("\n"), "."):
        indent = INDENT.match(line)
        column = len(indent[0].expandtabs(TAB)) if indent else 0
        is_item = ITEM.match(line) is not None
        if is_item or (line.strip() and not column):
            found |= {items.pop(level) for level in [*items] if level > column or not is_item}
            items[column] += is_item
        if line.startswith("|"):
            rows += 1
        else:
            found.add(rows - 2)
            rows = 0
    return frozenset(found)
