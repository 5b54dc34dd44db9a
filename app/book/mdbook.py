"""What marks a folder as the source of an mdBook, and the rules of mdBook: where it may include from, and addresses."""

import posixpath
import tomllib
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from app.book.files import folder_of, read_text
from app.errors import DocumentError

CONFIGURATION, SUMMARY = "book.toml", "SUMMARY.md"


class MdBook(NamedTuple):
    folder: Path
    """What a page includes is in here."""
    pages: Path

    def page_path(self, path: Path) -> str | None:
        """The path in the book's URL, such as /module-1/nodes.html; None for a file that is no page."""
        if not path.is_relative_to(self.pages):
            return None
        page = PurePosixPath(path.relative_to(self.pages).as_posix())
        name = "" if page.stem.lower() in {"index", "readme"} else f"{page.stem}.html"
        return posixpath.join("/", *page.parent.parts, name)

    def is_summary(self, path: Path) -> bool:
        return path == self.pages / SUMMARY


def find_mdbook(root: Path) -> MdBook | None:
    """The mdBook whose folder, or folder of pages, is the book's; paths of it begin as `root` does.

    None where there is no book.toml in or above it that names it, nor a SUMMARY.md in it.
    """
    folder = folder_of(root)
    for above in (folder, *folder.resolve().parents):
        pages = _pages(above)
        if pages is not None and (above == folder or pages.resolve() == folder.resolve()):
            return MdBook(above, pages if above == folder else folder)
    return MdBook(folder, folder) if (folder / SUMMARY).is_file() else None


def _pages(folder: Path) -> Path | None:
    """The folder that the book.toml in `folder` names; None where there is none that can be read."""
    try:
        book = tomllib.loads(read_text(folder / CONFIGURATION, folder)).get("book", {})
    except (DocumentError, tomllib.TOMLDecodeError, RecursionError):
        return None
    src = book.get("src", "src") if isinstance(book, dict) else "src"
    return folder / src if isinstance(src, str) and "\0" not in src else None
