"""The lines of a PDF's pages put together: paragraphs again, without the lines that every page repeats."""

import re
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from app.book.pages import PageWriter
from app.book.pdf_hyphens import SOFT_HYPHENS, Hyphens

_EDGE = 2
"""Lines at the top and at the bottom of a page that may be running heads."""
_LONGEST_HEAD = 200
_REPEATED_ON = 0.4
"""Of the pages: a running head may differ on left and right ones."""
_SAME_NUMBERING = 2
"""Pages on which a line counts up with the pages."""
_FEWEST_PAGES = 4
_FULL_LINE = 0.7
"""Of a page's usual width: a shorter line ends where its writer ended it."""
_WIDEST = 10
"""One line in so many may be wider than usual."""

_DIGITS = re.compile(r"[0-9]+")
_PAGE_NUMBER = re.compile(r"^[0-9]{1,5}\b|\b[0-9]{1,5}$")
_OF_ALL = re.compile(r"\s*(?:\b(?:of|von|de|sur|di)\b|/)\s*[0-9]{1,5}\W*$")
_AROUND_NUMBER = " -–—|·•[]()."
_ONLY_NUMBER = re.compile(r"\W*(?:page|pg|p|seite|s|página|pagina)?\W*#(?:\s*(?:of|von|de|sur|di|/)\s*#)?\W*")
_YEARS = range(1_400, 2_200)
_SENTENCE_END = re.compile(r"[.!?…][\"'”’)\]]*$")
_ITEM = re.compile(r"(?:[•‣▪◦·–—*-]|\(?(?:\d{1,3}|[a-z])[.)])\s")
_LIGATURES = str.maketrans({"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "ft", "ﬆ": "st"})
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ufffe\uffff]")


def without_running_lines(pages: list[list[str]], names: Iterable[str] = ()) -> list[list[str]]:
    """Remove heads, feet and page numbers that are on most pages, and blank lines around the text.

    `names` are titles, of the book or its chapters. In doubt a line stays: it may be a heading that many pages have.
    """
    pages = [_trimmed(page) for page in pages]
    full = sum(map(bool, pages))
    if full < _FEWEST_PAGES:
        return pages
    running = _running(pages, full, {_words(name) for name in names} - {""})
    kept = [_without(page, index, running) for index, page in enumerate(pages)]
    return kept if any(kept) else pages


class _Mark(NamedTuple):
    """What a running line has in common with that of another page."""

    text: str
    offset: int | None
    """From the page's place to the number that the line begins or ends with."""

    @property
    def is_page_number(self) -> bool:
        return self.offset is not None and self.offset not in _YEARS and bool(_ONLY_NUMBER.fullmatch(self.text))


def _running(pages: list[list[str]], full: int, names: set[str]) -> set[_Mark]:
    counts: Counter[_Mark] = Counter()
    first: dict[_Mark, int] = {}
    for index, page in enumerate(pages):
        marks = {_mark(line, index) for line in (*page[:_EDGE], *page[-_EDGE:])}
        counts.update(marks)
        for mark in marks:
            first.setdefault(mark, index)
    is_numbered = any(mark.is_page_number and count >= _SAME_NUMBERING for mark, count in counts.items())

    def is_running(mark: _Mark, count: int) -> bool:
        is_name = _words(mark.text) in names
        if mark.offset is None:
            return count >= full * _REPEATED_ON and (is_numbered or is_name) and not _SENTENCE_END.search(mark.text)
        return count >= _SAME_NUMBERING and (mark.is_page_number or is_name or _goes_on(mark, first[mark]))

    return {mark for mark, count in counts.items() if is_running(mark, count)}


def _goes_on(mark: _Mark, first: int) -> bool:
    """A number that doesn't begin with 1, as headings such as "Recipe 1" do."""
    return mark.offset is not None and mark.offset not in _YEARS and first + mark.offset > 1


class Flow:
    """Writes lines as paragraphs, and the number of the page where each begins."""

    def __init__(self, writer: PageWriter, hyphens: Hyphens, *, has_outline: bool) -> None:
        self._writer = writer
        self._hyphens = hyphens
        self._has_outline = has_outline
        self._paragraph: list[str] = []
        self._page = 0
        self._marked_page = 0
        self._last = ""
        self._was_full = False
        self._width = 0

    def page(self, number: int, lines: list[str]) -> None:
        self._page = number
        lengths = sorted(map(len, lines))
        self._width = lengths[-1 - len(lengths) // _WIDEST] if lengths else 0

    def heading(self, level: int, text: str) -> None:
        self.end()
        self._writer.heading(level, text, f"page={self._page}")
        self._marked_page = self._page

    def lines(self, lines: list[str]) -> None:
        for line in lines:
            self._line(self._hyphens.line(line.translate(_LIGATURES)))

    def end(self) -> None:
        if self._paragraph:
            self._writer.block("text", _CONTROL.sub("", "".join(self._paragraph)))
        self._paragraph, self._last = [], ""

    def _line(self, line: str) -> None:
        if not line or self._begins_paragraph(line):
            self.end()
        if line:
            self._add(line)
            self._last, self._was_full = line, len(line) >= self._width * _FULL_LINE

    def _begins_paragraph(self, line: str) -> bool:
        if self._page != self._marked_page and not line[0].islower():
            return True
        return not self._was_full and bool(_SENTENCE_END.search(self._last))

    def _add(self, line: str) -> None:
        if not self._paragraph:
            self._mark_page()
            self._paragraph = [line]
        elif self._last.endswith(SOFT_HYPHENS) or (self._last.endswith("-") and line[0].islower()):
            before = self._paragraph.pop()[:-1]
            self._paragraph += [before, self._hyphens.between(before, line), line]
        else:
            self._paragraph += [" " if self._was_full and not _ITEM.match(line) else "\n", line]

    def _mark_page(self) -> None:
        if self._page == self._marked_page:
            return
        if self._has_outline:
            self._writer.mark(f"page={self._page}")
        else:
            self._writer.heading(2, f"Page {self._page}", f"page={self._page}")
        self._marked_page = self._page


def _trimmed(page: list[str]) -> list[str]:
    full = [index for index, line in enumerate(page) if line]
    return page[full[0] : full[-1] + 1] if full else []


def _mark(line: str, index: int) -> _Mark:
    words = " ".join(line.casefold().split())
    if len(words) > _LONGEST_HEAD:
        return _Mark(words, None)
    number = _PAGE_NUMBER.search(_OF_ALL.sub("", words).strip(_AROUND_NUMBER))
    return _Mark(_DIGITS.sub("#", words), int(number[0]) - index if number else None)


def _words(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalpha())


def _without(page: list[str], index: int, running: set[_Mark]) -> list[str]:
    first, last = 0, len(page)
    while first < min(_EDGE, last) and _mark(page[first], index) in running:
        first += 1
    while last > max(first, len(page) - _EDGE) and _mark(page[last - 1], index) in running:
        last -= 1
    return _trimmed(page[first:last])
