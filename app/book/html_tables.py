"""Tables in HTML as rows of equal columns, and what only looks like one."""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from app.book.html_tree import HEADINGS, Element, classes_of, name_of, named

MAX_REPEATED_CHARS = 1_000_000
"""On a page, of cells that cover others."""
_MAX_COLUMNS = 100
_NUMBER = re.compile(r"[1-9][0-9]{0,4}")
_CODE_TABLE = re.compile(r"(?:^|\s)(?:\w*highlight\w*|lntable|rouge-table|codehilitetable|hljs-ln)(?=\s|$)")
_SEPARATOR_CHARS = 3


def is_layout(table: Element) -> bool:
    """A table around headings or tables, or code beside its line numbers."""
    names = {name_of(each) for each in table.iterdescendants()}
    if not names.isdisjoint({"table", *HEADINGS}):
        return True
    return "pre" in names and (len(named(table, "tr")) == 1 or bool(_CODE_TABLE.search(classes_of(table))))


class Tables:
    """Those of one page."""

    def __init__(self) -> None:
        self._left = MAX_REPEATED_CHARS

    def rows(self, table: Element, text_of_cell: Callable[[Element], str]) -> list[list[str]]:
        """The texts of each row's cells; one that spans columns or rows is in every place that it covers."""
        rows: list[list[str]] = []
        covered: dict[int, _Covered] = {}
        group, width = None, 0
        for index, row in enumerate(named(table, "tr")):
            if row.getparent() is not group:
                group, covered = row.getparent(), {}
            texts: list[str] = []
            for cell in (each for each in row if name_of(each) in {"td", "th"}):
                self._add_covered(texts, covered, index)
                width = max(width, len(texts) + 1)
                self._add(texts, covered, cell, _Covered(index + _span(cell, "rowspan"), text_of_cell(cell)))
            self._add_covered(texts, covered, index)
            rows.append(texts)
        return [texts[:width] for texts in rows]

    def _add(self, texts: list[str], covered: dict[int, "_Covered"], cell: Element, made: "_Covered") -> None:
        for column in range(min(_span(cell, "colspan"), _MAX_COLUMNS)):
            if column and not self._may_repeat(made.text):
                break
            covered[len(texts)] = made
            texts.append(made.text)

    def _add_covered(self, texts: list[str], covered: Mapping[int, "_Covered"], index: int) -> None:
        while len(texts) in covered:
            above = covered[len(texts)]
            if above.end <= index or not self._may_repeat(above.text):
                break
            texts.append(above.text)

    def _may_repeat(self, text: str) -> bool:
        self._left -= len(text) + _SEPARATOR_CHARS
        return self._left >= 0


class _Covered(NamedTuple):
    end: int
    """The first row below the cell."""
    text: str


def _span(cell: Element, name: str) -> int:
    span = cell.get(name) or ""
    return int(span) if _NUMBER.fullmatch(span) else 1
