"""An EPUB as one page: its chapters in the order of reading, under the book's title."""

import io
import posixpath
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from app.book.addresses import readable_name
from app.book.blocks import Block, Heading
from app.book.epub_contents import Entry, entries_of_nav, entries_of_ncx, fragment_of, set_headings
from app.book.files import check_lines
from app.book.html import decode_html
from app.book.html_blocks import write_blocks
from app.book.html_cleaning import clean
from app.book.html_tree import Element, main_element, named, parse_html, parse_xml, text_of
from app.book.pages import Page, PageWriter
from app.errors import DocumentError

MAX_MEMBERS = 10_000
MAX_TEXT_BYTES = 50_000_000
"""Of all chapters together, unpacked."""
MAX_RATIO = 200
"""Unpacked to packed, of a member of more than a megabyte. Text reaches 10."""
_RATIO_FROM_BYTES = 1_000_000
_TOO_MUCH = f"more than {MAX_TEXT_BYTES // 10**6} MB of text"
_CHAPTER = 2
_NCX = "application/x-dtbncx+xml"
_PAGES = frozenset({"application/xhtml+xml", "text/html", "application/xml", "text/xml"})
_FONTS_ONLY = re.compile(r"\.(?:otf|ttf|woff2?|ttc)$", re.IGNORECASE)
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, RuntimeError, ValueError)
"""What zipfile raises for an archive that is damaged, or packed or locked in a way it doesn't know."""


class _Item(NamedTuple):
    """A file that the package names."""

    path: str
    media_type: str
    is_nav: bool


def read_epub(source: str, content: bytes) -> Page:
    """Raises DocumentError for what is no EPUB, is locked, or would unpack to too much."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return _Book(source, _Archive(source, archive)).page()
    except _DAMAGED as error:
        raise DocumentError(f"{source} is not an EPUB, or is damaged: {error}.") from error


class _Archive:
    """Reads members within the limits, whatever sizes the archive declares."""

    def __init__(self, source: str, archive: zipfile.ZipFile) -> None:
        self._source = source
        self._archive = archive
        self._left = MAX_TEXT_BYTES
        if len(archive.infolist()) > MAX_MEMBERS:
            raise DocumentError(f"{source} has more than {MAX_MEMBERS:,} files in it.")

        self._members = {member.filename.casefold(): member for member in archive.infolist()}
        self._members |= {member.filename: member for member in archive.infolist()}

    def __contains__(self, name: str) -> bool:
        return self._member(name) is not None

    def read(self, name: str) -> bytes:
        member = self._member(name)
        if member is None:
            raise DocumentError(f"{self._source} has no {name} in it.")
        self._check_size(member.file_size, member.compress_size)
        with self._archive.open(member) as file:
            content = file.read(self._left + 1)
        self._check_size(len(content), member.compress_size)
        self._left -= len(content)
        return content

    def check_total(self, names: Iterable[str]) -> None:
        """By the sizes that are declared; a chapter that is larger than it declares is cut off there by zipfile."""
        members = map(self._member, names)
        if sum(member.file_size for member in members if member) > self._left:
            raise DocumentError(f"{self._source} unpacks to {_TOO_MUCH}.")

    def _member(self, name: str) -> zipfile.ZipInfo | None:
        """By its name, else by one that differs in case."""
        return self._members.get(name) or self._members.get(name.casefold())

    def _check_size(self, unpacked: int, packed: int) -> None:
        if unpacked > self._left:
            raise DocumentError(f"{self._source} unpacks to {_TOO_MUCH}.")
        if unpacked > max(_RATIO_FROM_BYTES, MAX_RATIO * packed):
            raise DocumentError(f"{self._source} unpacks to over {MAX_RATIO} times its size: it is not a book.")

    def xml(self, name: str) -> Element:
        return parse_xml(decode_html(self.read(name), self._source), self._source)


class _Book:
    def __init__(self, source: str, archive: _Archive) -> None:
        self._source = source
        self._archive = archive
        self._writer = PageWriter()
        self._check_is_open()
        package_path = self._package_path()
        self._package = archive.xml(package_path)
        self._folder = posixpath.dirname(package_path)
        self._items = dict(self._manifest())

    def page(self) -> Page:
        contents = self._contents()
        chapters = list(self._spine())
        self._archive.check_total(chapter.path for chapter in chapters)
        for item in chapters:
            self._write_chapter(item, contents.get(item.path, {}))
        check_lines(self._writer.text, self._source)
        if not self._writer.parts:
            raise DocumentError(f"{self._source} has no text.")
        title = next(filter(None, map(text_of, named(self._package, "title"))), "") or readable_name(self._source)
        return Page(title, self._writer.text, f"/{self._source}", self._writer.parts)

    def _check_is_open(self) -> None:
        """Fonts may be scrambled; a chapter may not."""
        if "META-INF/encryption.xml" in self._archive:
            locked = named(self._archive.xml("META-INF/encryption.xml"), "cipherreference")
            if any(not _FONTS_ONLY.search(each.get("URI") or "") for each in locked):
                raise DocumentError(f"{self._source} is locked by DRM.")

    def _package_path(self) -> str:
        for rootfile in named(self._archive.xml("META-INF/container.xml"), "rootfile"):
            return str(rootfile.get("full-path") or "")
        raise DocumentError(f"{self._source} names no package in it.")

    def _manifest(self) -> Iterator[tuple[str, _Item]]:
        for item in named(self._package, "item"):
            path = _joined(self._folder, item.get("href") or "")
            is_nav = "nav" in (item.get("properties") or "").split()
            yield item.get("id") or "", _Item(path, item.get("media-type") or "", is_nav)

    def _spine(self) -> Iterator[_Item]:
        """Without what isn't in the archive."""
        seen: set[str] = set()
        for reference in named(self._package, "itemref"):
            item = self._items.get(reference.get("idref") or "")
            if item is None or item.path in seen or item.path not in self._archive:
                continue
            if item.media_type in _PAGES and not item.is_nav:
                seen.add(item.path)
                yield item

    def _contents(self) -> Mapping[str, Mapping[str, Entry]]:
        """What the table of contents names in a file, by its path: by id, or "" for the file; the first name counts."""
        contents: dict[str, dict[str, Entry]] = {}
        for path, fragment, entry in self._entries():
            if entry.name:
                contents.setdefault(path, {}).setdefault(fragment, entry)
        return contents

    def _entries(self) -> Iterator[tuple[str, str, Entry]]:
        """Path, id and entry, of the first table of contents that has any."""
        for item in sorted(self._items.values(), key=lambda each: not each.is_nav):
            if item.path in self._archive and (item.is_nav or item.media_type == _NCX):
                root = self._parsed(item)
                links = [*(entries_of_nav(root) if item.is_nav else entries_of_ncx(root))]
                for link, entry in links:
                    yield _joined(posixpath.dirname(item.path), link), fragment_of(link), entry
                if links:
                    return

    def _parsed(self, item: _Item) -> Element:
        text = decode_html(self._archive.read(item.path), self._source)
        try:
            return parse_xml(text, self._source)
        except DocumentError:
            return parse_html(text.strip() or "<html/>", self._source)

    def _write_chapter(self, item: _Item, entries: Mapping[str, Entry]) -> None:
        """Its highest heading gets level 2; one that begins with text gets its name in the table of contents."""
        root = self._parsed(item)
        clean(root)
        main, anchor = main_element(root), posixpath.splitext(posixpath.basename(item.path))[0]
        parts = _parts(main)
        if parts and entries:
            set_headings(main, entries, is_headed=isinstance(parts[0], Heading))
            parts = _parts(main)
        top = min((part.level for part in parts if isinstance(part, Heading)), default=_CHAPTER)
        write_blocks(main, self._writer, demoted_by=_CHAPTER - top, anchor=anchor)


def _parts(main: Element) -> Sequence[Heading | Block]:
    draft = PageWriter()
    write_blocks(main, draft)
    return draft.parts


def _joined(folder: str, href: str) -> str:
    """The archive's name of what is linked, without what is after "#"."""
    return posixpath.normpath(posixpath.join(folder, unquote(urlsplit(href).path))) if href else ""
