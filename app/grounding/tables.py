"""Tables in Markdown, as far as the numbers in them need them."""

import re

from app.grounding.units import Unit, unit_at

HEAD_UNIT = re.compile(r"[(\[](?:in )?(?P<bracketed>[^)\]]+)[)\]]|,\s*(?:in )?(?P<plain>\S+)\s*\Z")


def column_unit(text: str, line: int, position: int) -> Unit | None:
    """The unit in the head of the column; `line` is where the row begins, the position is in it."""
    cells = text[_first_row(text, line) :].split("\n", 1)[0].split("|")
    column = text.count("|", line, position)
    found = HEAD_UNIT.search(cells[column]) if column < len(cells) else None
    return unit_at(found["bracketed"] or found["plain"], 0)[0] if found else None


def _first_row(text: str, line: int) -> int:
    while line and text.startswith("|", before := text.rfind("\n", 0, line - 1) + 1):
        line = before
    return line
