"""Finding a book's source files, and saying which were left out and why."""

import os
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from app.book.files import shown_name
from app.errors import DocumentError

SUFFIXES = ("md", "mdx", "html", "htm", "xhtml", "epub", "pdf", "txt")
DEFAULT_INCLUDE = tuple(f"**/*.{suffix}" for suffix in SUFFIXES)

_NOT_ENTERED = frozenset({"node_modules", "_static", "_sources"})
"""Packages, and what Sphinx puts beside its pages."""
_NOT_FOR_READERS = frozenset({"robots.txt", "requirements.txt", "CMakeLists.txt"})
_GLOB = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


class Skipped(msgspec.Struct, frozen=True):
    source: str
    reason: str


class Sources(NamedTuple):
    paths: list[Path]
    """In order."""
    skipped: list[Skipped]


def find_sources(root: Path, include: Sequence[str] = DEFAULT_INCLUDE) -> Sources:
    """List the files below `root` that match one of the globs, whatever their case; `root` may also be one file.

    Hidden files and folders and node_modules are left out. A linked folder is skipped, and so is a linked file
    that leads out of `root`.
    """
    if root.is_file():
        return Sources([root], [])
    if not root.is_dir():
        raise DocumentError(f"{root} is not a folder or file.")
    patterns = [_glob_pattern(glob) for glob in include]
    paths: list[str] = []
    skipped: list[Skipped] = []
    for path, problem in _walk(root):
        source = path.relative_to(root).as_posix()
        if problem != _LINKED_FOLDER and not any(pattern.fullmatch(source) for pattern in patterns):
            continue
        if problem:
            skipped.append(Skipped(shown_name(source), problem))
        else:
            paths.append(source)
    return Sources([root / path for path in sorted(paths)], sorted(skipped, key=lambda each: each.source))


_LINKED_FOLDER = "is a link to a folder, which is not followed."


def _walk(root: Path) -> Iterator[tuple[Path, str]]:
    """Every file and linked folder, with what is wrong with it or ""."""
    resolved_root = root.resolve()
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in _NOT_ENTERED]
        for name in folders:
            path = Path(folder, name)
            if path.is_symlink():
                yield path, _LINKED_FOLDER
        for name in files:
            path = Path(folder, name)
            if not name.startswith(".") and name not in _NOT_FOR_READERS:
                yield path, _problem(path, resolved_root)


def _problem(path: Path, resolved_root: Path) -> str:
    try:
        if path.is_symlink() and not path.resolve(strict=True).is_relative_to(resolved_root):
            return "is a link that leads outside the book's folder."
        regular = stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return "is a link that leads nowhere."
    except (OSError, RuntimeError):  # pathlib's word for a loop
        return "is a link that cannot be followed."
    if not regular:
        return "is not a regular file."
    return "" if shown_name(path.name) == path.name else "its name is not UTF-8."


def _glob_pattern(glob: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", glob)
    return re.compile("".join(_GLOB.get(part, re.escape(part)) for part in parts), re.IGNORECASE)
