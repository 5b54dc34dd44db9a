"""Tables in Markdown: their cells, and the units in their heads."""

import re
from itertools import pairwise

from app.grounding.units import CENTURY, Unit, rate_at, unit_at

_WORD = r"[^\s()\[\]]+"
HEAD_UNIT = re.compile(
    r"[(\[](?:in )?(?P<bracketed>[^)\]]+)[)\]]"
    rf"|(?:,\s*(?:in )?|\bin |\s/\s)(?=(?P<plain>{_WORD}(?: {_WORD}){{0,3}})\Z)"
)
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
    return _head_unit(head[slice(*heads[column])].strip(" \t*_")) if column < len(heads) else None


def _head_unit(head: str) -> Unit | None:
    """Of "Wait (ms)", "Output in tonnes" and "Output / t"; "Requests per minute" is a rate."""
    rate, end = rate_at(f" {head}", 0)
    if rate is not None and end > len(head):
        return rate
    if head.lower() == "century":
        return CENTURY
    for match in HEAD_UNIT.finditer(head):
        name = f" {match['bracketed'] or match['plain']}"
        unit, end = max(unit_at(name, 0), rate_at(name, 0), key=lambda found: found[1])
        if match["bracketed"] or end == len(name):
            return unit
    return None


def _first_row(text: str, line: int) -> int:
    while line and text.startswith("|", before := text.rfind("\n", 0, line - 1) + 1):
        line = before
    return line
