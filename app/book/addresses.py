"""Where a page and its headings are in the published book: the rules of Docusaurus and of github-slugger."""

import posixpath
import re
import unicodedata
from collections.abc import Mapping
from pathlib import PurePosixPath

from app.book.front_matter import text_field

_NUMBERED = re.compile(r"^\d+\s*[-_.]+\s*(?=[^-_.\s])")
_DATE_OR_VERSION = re.compile(r"\d+[-_.]\d")
_KEPT_CATEGORIES = frozenset({"Nd", "Nl", "Pc"})


class Anchors:
    """Gives each heading of one page its anchor; a repeated one gets -1, -2, like github-slugger."""

    def __init__(self) -> None:
        self._uses: dict[str, int] = {}

    def anchor(self, heading: str) -> str:
        base = anchor = slugify(heading)
        while anchor in self._uses:
            self._uses[base] += 1
            anchor = f"{base}-{self._uses[base]}"
        self._uses[anchor] = 0
        return anchor


def slugify(heading: str) -> str:
    return "".join(char for char in heading.lower() if _is_kept(char)).replace(" ", "-")


def page_path(source: str, front_matter: Mapping[str, object]) -> str:
    """Return the page's path in the book's URL, such as /module-1/nodes; source is relative to the book's root."""
    path = PurePosixPath(source)
    unnumbered = str if front_matter.get("parse_number_prefixes") is False else without_number
    folder = "/".join(unnumbered(part) for part in path.parent.parts)
    slug = text_field(front_matter, "slug")
    if slug:
        return _absolute(posixpath.join("/", folder, slug))
    if _is_index(path):
        return _absolute(folder)
    return _absolute(posixpath.join("/", folder, text_field(front_matter, "id") or unnumbered(path.stem)))


def without_number(name: str) -> str:
    """Remove the number that orders a file or folder, as in 01-intro; a date or a version stays."""
    return name if _DATE_OR_VERSION.match(name) else _NUMBERED.sub("", name)


def readable_name(source: str) -> str:
    """Turn a file name into a title: module-1/02-ros_nodes.md is "Ros nodes"."""
    path = PurePosixPath(source)
    name = path.parent.name if path.parent.name and _is_index(path) else path.stem
    words = re.sub(r"[-_\s]+", " ", without_number(name)).strip()
    return words[:1].upper() + words[1:] or name


def _is_index(path: PurePosixPath) -> bool:
    return path.stem.lower() in {"index", "readme", path.parent.name.lower()}


def _absolute(path: str) -> str:
    return "/" + posixpath.normpath("/" + path).strip("/")


def _is_kept(char: str) -> bool:
    category = unicodedata.category(char)
    return char in "- " or category[0] in "LM" or category in _KEPT_CATEGORIES
