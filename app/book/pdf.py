"""A PDF as one page: the text of its pages under the headings of its outline, each part with the number of its page."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import NamedTuple

import pypdfium2

from app.book.addresses import readable_name
from app.book.files import MAX_FILE_BYTES, check_lines
from app.book.pages import Page, PageWriter
from app.book.pdf_hyphens import Hyphens
from app.book.pdf_lines import Flow, without_running_lines
from app.errors import DocumentError

MAX_PAGES = 5_000
MAX_OUTLINE_ENTRIES = 10_000
_DEPTH = 4
"""Levels of the outline that make headings."""
_SURROGATES = re.compile("[\ud800-\udfff]")
_MADE_UP = re.compile(
    r"untitled|\(anonymous\)|^anonymous$|microsoft word|\.(?:docx?|tex|dvi|indd|pdf|rtf)$", re.IGNORECASE
)


_TITLE_LINES = 4
"""Over which a title may be wrapped."""


class _Entry(NamedTuple):
    """A line of the outline."""

    level: int
    title: str
    page: int
    """From 0."""


def read_pdf(source: str, content: bytes) -> Page:
    """Raises DocumentError for what is no PDF, is encrypted, has too many pages, or has no text."""
    with _opened(source, content) as pdf:
        if len(pdf) > MAX_PAGES:
            raise DocumentError(f"{source} has {len(pdf):,} pages: more than {MAX_PAGES:,} are too many.")
        outline = _outline(pdf)
        title = _title(pdf) or readable_name(source)
        pages = without_running_lines(_pages(source, pdf), [title, *(entry.title for entry in outline)])
    if not any(pages):
        raise DocumentError(f"{source} has no text: it is probably scanned; run OCR first.")
    writer = PageWriter()
    flow = Flow(writer, Hyphens(chain.from_iterable(pages)), has_outline=bool(outline))
    for index, lines in enumerate(pages):
        _write_page(flow, index, lines, [entry for entry in outline if entry.page == index])
    flow.end()
    check_lines(writer.text, source)
    return Page(title, writer.text, f"/{source}", writer.parts)


@contextmanager
def _opened(source: str, content: bytes) -> Iterator[pypdfium2.PdfDocument]:
    try:
        pdf = pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as error:
        if error.err_code == pypdfium2.raw.FPDF_ERR_PASSWORD:
            raise DocumentError(f"{source} is encrypted: it needs a password.") from error
        raise DocumentError(f"{source} is not a PDF, or is damaged.") from error
    try:
        yield pdf
    finally:
        pdf.close()


def _pages(source: str, pdf: pypdfium2.PdfDocument) -> list[list[str]]:
    """The lines of each page; a page that is damaged has none."""
    pages: list[list[str]] = []
    length = 0
    for index in range(len(pdf)):
        try:
            text = _page_text(pdf, index)
        except pypdfium2.PdfiumError:
            text = ""
        length += len(text)
        if length > MAX_FILE_BYTES:
            raise DocumentError(f"{source} has more than {MAX_FILE_BYTES // 10**6} MB of text.")
        pages.append([line.strip() for line in text.splitlines()])
    return pages


def _page_text(pdf: pypdfium2.PdfDocument, index: int) -> str:
    page = pdf[index]
    try:
        text_page = page.get_textpage()
        try:
            text: str = text_page.get_text_range()
        finally:
            text_page.close()
    finally:
        page.close()
    return _SURROGATES.sub("", text)


def _outline(pdf: pypdfium2.PdfDocument) -> list[_Entry]:
    entries: list[_Entry] = []
    for bookmark in pdf.get_toc(max_depth=_DEPTH):
        destination = bookmark.get_dest()
        page = destination.get_index() if destination else None
        title = " ".join(bookmark.get_title().split())
        if title and page is not None:
            entries.append(_Entry(bookmark.level, title, page))
        if len(entries) == MAX_OUTLINE_ENTRIES:
            break
    return entries


def _title(pdf: pypdfium2.PdfDocument) -> str:
    """What the file says, unless a program made it up."""
    title = " ".join(pdf.get_metadata_value("Title").split())
    return "" if _MADE_UP.search(title) else title


def _write_page(flow: Flow, index: int, lines: list[str], entries: list[_Entry]) -> None:
    """An entry's heading takes the place of the lines that say the same, or is at the top of the page."""
    flow.page(index + 1, lines)
    letters = [_letters(line) for line in lines]
    position = 0
    for entry in entries:
        found = _find(letters, position, _letters(entry.title))
        if found:
            flow.lines(lines[position : found[0]])
            position = found[1]
        flow.heading(entry.level + 2, entry.title)
    flow.lines(lines[position:])


def _find(lines: list[str], start: int, title: str) -> tuple[int, int] | None:
    """The lines that are the title, perhaps after a number; of both only letters."""
    for index in range(start, len(lines)):
        if lines[index] and title.startswith(lines[index]):
            for end in range(index + 1, min(index + _TITLE_LINES, len(lines)) + 1):
                if "".join(lines[index:end]) == title:
                    return index, end
    return None


def _letters(line: str) -> str:
    return "".join(char for char in line.casefold() if char.isalpha())
