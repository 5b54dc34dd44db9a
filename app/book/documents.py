"""A book's source files as documents of sections and blocks, with exact offsets.

Offsets of Markdown without includes and of plain text count the characters of the file decoded as UTF-8 (plain text
with the byte order mark of UTF-16: as that): line ends are as in the file, and a byte order mark is character 0. Of
anything else they count in the text as extracted.
"""

import hashlib
import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from app.book import plain_text
from app.book.addresses import page_path, readable_name
from app.book.blocks import Heading, read_blocks
from app.book.files import (
    MAX_BINARY_BYTES,
    MAX_FILE_BYTES,
    MAX_LINE_CHARS,
    check_lines,
    folder_of,
    read_bytes,
    read_text,
    source_of,
)
from app.book.front_matter import split_front_matter, text_field
from app.book.includes import expand, gather
from app.book.mdbook import find_mdbook
from app.book.pages import Page
from app.book.sections import Section, cut_sections
from app.book.sources import DEFAULT_INCLUDE, Skipped, Sources, find_sources
from app.errors import DocumentError, NotForReadersError

__all__ = [
    "DEFAULT_INCLUDE",
    "MAX_BINARY_BYTES",
    "MAX_FILE_BYTES",
    "MAX_LINE_CHARS",
    "Document",
    "Section",
    "Skipped",
    "Sources",
    "document_digest",
    "find_sources",
    "parse_document",
    "read_document",
]


class Document(msgspec.Struct, frozen=True):
    source: str
    """Path relative to the book's root, with "/"."""
    title: str
    text: str
    slug: str
    """Path of the page in the book's URL."""
    sections: tuple[Section, ...]
    sidebar_position: float | None = None


class Fingerprint(NamedTuple):
    digest: str
    """SHA-256, in hexadecimal digits, of all that the document is read from, and of what makes its address."""
    missing: list[str]
    """Files that it includes and that cannot be read, relative to the folder they must be in."""


def read_document(path: Path, root: Path) -> Document:
    """What the file's suffix says it is; Markdown if it says nothing known.

    Raises DocumentError for a file that cannot be read, is too large, is not what its name says, or has no text, and
    NotForReadersError for a draft and for the table of contents of an mdBook.
    """
    source = source_of(path, root)
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        mdbook = find_mdbook(root)
        if mdbook and mdbook.is_summary(path):
            raise NotForReadersError("is the table of contents of an mdBook.")
        text = read_text(path, root)
        expansion = expand(text, path, gather(path, text, mdbook.folder if mdbook else folder_of(root)))
        check_lines(expansion.text, source)
        slug = mdbook.page_path(path) if mdbook else None
        return _document(source, _markdown(source, expansion.text, expansion.title, slug))
    limit, read = reader
    return _document(source, read(source, read_bytes(path, root, limit)))


def fingerprint(path: Path, root: Path) -> Fingerprint:
    """Raises DocumentError as read_document does for a file that cannot be read."""
    limit = _READERS[path.suffix.lower()][0] if path.suffix.lower() in _READERS else MAX_FILE_BYTES
    content = read_bytes(path, root, limit)
    digest = hashlib.sha256(content)
    missing = []
    if path.suffix.lower() not in _READERS:
        mdbook = find_mdbook(root)
        folder = (mdbook.folder if mdbook else folder_of(root)).resolve()
        markdown = content.decode(errors="replace")
        check_lines(markdown, source_of(path, root))
        if mdbook:
            digest.update(b"mdBook" + os.fsencode(os.path.relpath(mdbook.pages, folder_of(root))))
        for included, text in gather(path, markdown, folder).items():
            name = Path(os.path.relpath(included, folder)).as_posix()
            digest.update(msgspec.json.encode((name, text)))
            missing += [name] if text is None else []
    return Fingerprint(digest.hexdigest(), missing)


def document_digest(path: Path, root: Path) -> str:
    """Raises as `fingerprint` does."""
    return fingerprint(path, root).digest


def parse_document(source: str, text: str) -> Document:
    """Read Markdown or MDX; nothing is included. Raises NotForReadersError for a draft."""
    return _document(source, _markdown(source, text))


def _document(source: str, page: Page) -> Document:
    sections = tuple(cut_sections(page.title, page.parts, page.body, len(page.text)))
    return Document(source, page.title, page.text, page.slug, sections, page.sidebar_position)


def _markdown(source: str, text: str, given_title: str = "", slug: str | None = None) -> Page:
    """`slug`: of a page that has no address by the rules of Docusaurus."""
    front_matter, body = split_front_matter(text)
    if front_matter.get("draft") is True:
        raise NotForReadersError("is a draft.")
    parts = read_blocks(text, body, is_mdx=source.lower().endswith(".mdx") or None)
    title = (
        given_title
        or text_field(front_matter, "title")
        or next((part.text for part in parts if isinstance(part, Heading) and part.level == 1), "")
        or text_field(front_matter, "sidebar_label")
        or text_field(front_matter, "id")
        or readable_name(source)
    )
    return Page(title, text, slug or page_path(source, front_matter), parts, body, _sidebar_position(front_matter))


def _sidebar_position(front_matter: Mapping[str, object]) -> float | None:
    value = front_matter.get("sidebar_position")
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        position = float(value)
    except OverflowError:
        return None
    return position if math.isfinite(position) else None


def _html(source: str, content: bytes) -> Page:
    with _extra(source, "html"):
        from app.book.html import read_html  # noqa: PLC0415 - its library may be missing, and takes its time
    return read_html(source, content)


def _epub(source: str, content: bytes) -> Page:
    with _extra(source, "epub"):
        from app.book.epub import read_epub  # noqa: PLC0415 - as above
    return read_epub(source, content)


def _pdf(source: str, content: bytes) -> Page:
    with _extra(source, "pdf"):
        from app.book.pdf import read_pdf  # noqa: PLC0415 - as above
    return read_pdf(source, content)


@contextmanager
def _extra(source: str, name: str) -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        raise DocumentError(f"{source} needs the `{name}` extra: pip install 'book-agent[{name}]'.") from error


_READERS: Mapping[str, tuple[int, Callable[[str, bytes], Page]]] = {
    ".html": (MAX_FILE_BYTES, _html),
    ".htm": (MAX_FILE_BYTES, _html),
    ".xhtml": (MAX_FILE_BYTES, _html),
    ".epub": (MAX_BINARY_BYTES, _epub),
    ".pdf": (MAX_BINARY_BYTES, _pdf),
    ".txt": (MAX_FILE_BYTES, plain_text.read_plain_text),
}
