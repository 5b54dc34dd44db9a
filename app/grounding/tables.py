"""Tables in Markdown: their cells, and the units in their heads."""

import re
from itertools import pairwise

from app.grounding.units import Unit, unit_at

HEAD_UNIT = re.compile(r"[(\[](?:in )?(?P<bracketed>[^)\]]+)[)\]]|,\s*(?:in )?(?P<plain>\S+)\s*\Z")
BORDER = re.compile(r"(?<!\\)\|")


def cells(row: str) -> list[tuple[int, int]]:
    """Start and end of each, without the pipes."""
    borders = [match.start() for match in BORDER.finditer(row)]
    start = [] if row.startswith("|") else [-1]
    end = [] if len(borders) > 1 and not row[borders[-1] + 1 :].strip() else [len(row)]
    return [(left + 1, right) for left, right in pairwise([*start, *borders, *end])]


def column_unit(text: str, line: int, position: int) -> Unit | None:
    """The unit in the head of the column; `line` is where the row begins, the position is in it."""
    head, row = (text[start:].split("\n", 1)[0] for start in (_first_row(text, line), line))
    heads, columns = cells(head), cells(row)
    column = next((index for index, (_, end) in enumerate(columns) if position - line < end), len(heads))
    found = HEAD_UNIT.search(head[slice(*heads[column])]) if column < len(heads) else None
    return unit_at(found["bracketed"] or found["plain"], 0)[0] if found else None


def _first_row(text: str, line: int) -> int:
    while line and text.startswith("|", before := text.rfind("\n", 0, line - 1) + 1):
        line = before
    return line
