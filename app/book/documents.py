"""A book's source files as documents of sections and blocks, with exact offsets.

Offsets count the characters of a file's bytes decoded as UTF-8: line ends are as in the file, and a byte order mark
is character 0.
"""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from app.book.addresses import page_path, readable_name
from app.book.blocks import Block, Heading, read_blocks
from app.book.front_matter import split_front_matter, text_field
from app.errors import DocumentError

DEFAULT_INCLUDE = ("**/*.md", "**/*.mdx")
MAX_FILE_BYTES = 20_000_000
_NOT_ENTERED = "node_modules"
_GLOB = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


class Section(msgspec.Struct, frozen=True):
    heading_path: tuple[str, ...]
    """The page's title and the headings above and of this section."""
    anchor: str
    """Empty for the top of the page."""
    start: int
    """Where its heading begins."""
    end: int
    blocks: tuple[Block, ...]
    """In order, without the heading."""


class Document(msgspec.Struct, frozen=True):
    source: str
    """Path relative to the book's root, with "/"."""
    title: str
    text: str
    slug: str
    """Path of the page in the book's URL."""
    sections: tuple[Section, ...]


def find_sources(root: Path, include: Sequence[str] = DEFAULT_INCLUDE) -> list[Path]:
    """List the files below `root` that match one of the globs, in the order of their paths.

    Hidden files and folders and node_modules are left out. A linked folder is never entered (so no loops), a linked
    file counts if it leads to a file in `root`. Docusaurus' partials (_name.md) count: their text is part of the book.
    """
    if not root.is_dir():
        raise DocumentError(f"{root} is not a folder.")
    patterns = [_glob_pattern(glob) for glob in include]
    relative_paths = (path.relative_to(root).as_posix() for path in _walk(root))
    return [root / path for path in sorted(relative_paths) if any(pattern.fullmatch(path) for pattern in patterns)]


def read_document(path: Path, root: Path) -> Document:
    """Raises DocumentError for a file that cannot be read, is no UTF-8, contains NUL, or is larger than 20 MB."""
    source = path.relative_to(root).as_posix()
    return parse_document(source, _read_text(path, source))


def parse_document(source: str, text: str) -> Document:
    front_matter, body = split_front_matter(text)
    parts = read_blocks(text, body, is_mdx=source.endswith(".mdx") or None)
    title = (
        text_field(front_matter, "title")
        or next((part.text for part in parts if isinstance(part, Heading) and part.level == 1), "")
        or text_field(front_matter, "sidebar_label")
        or text_field(front_matter, "id")
        or readable_name(source)
    )
    sections = tuple(_sections(title, parts, body, len(text)))
    return Document(source=source, title=title, text=text, slug=page_path(source, front_matter), sections=sections)


def _sections(title: str, parts: Sequence[Heading | Block], start: int, end: int) -> Iterator[Section]:
    """Cut at every heading; what is before the first makes a section only if there is something."""
    before, runs = _runs(parts)
    starts = [*(heading.start for heading, _ in runs), end]
    if before:
        yield Section((title,), "", start, starts[0], tuple(before))
    above: list[Heading] = []
    for index, (heading, blocks) in enumerate(runs):
        above = [*(upper for upper in above if upper.level < heading.level), heading]
        path = (title, *(upper.text for upper in above if not _is_title(upper, title)))
        anchor = "" if index == 0 and _is_title(heading, title) else heading.anchor
        yield Section(path, anchor, heading.start, starts[index + 1], tuple(blocks))


def _runs(parts: Sequence[Heading | Block]) -> tuple[list[Block], list[tuple[Heading, list[Block]]]]:
    """Split into what is before the first heading, and each heading with what follows it."""
    blocks: list[Block] = []
    before, runs = blocks, []
    for part in parts:
        if isinstance(part, Heading):
            blocks = []
            runs.append((part, blocks))
        else:
            blocks.append(part)
    return before, runs


def _is_title(heading: Heading, title: str) -> bool:
    return heading.level == 1 and _letters(heading.text) == _letters(title)


def _letters(text: str) -> str:
    """What is left of a title when punctuation and case don't count."""
    return "".join(char for char in text.casefold() if char.isalnum()) or text


def _walk(root: Path) -> Iterator[Path]:
    resolved_root = root.resolve()
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".") and name != _NOT_ENTERED]
        for name in files:
            path = Path(folder, name)
            if not name.startswith(".") and path.is_file() and path.resolve().is_relative_to(resolved_root):
                yield path


def _glob_pattern(glob: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", glob)
    return re.compile("".join(_GLOB.get(part, re.escape(part)) for part in parts))


def _read_text(path: Path, source: str) -> str:
    try:
        source.encode()
        if path.stat().st_size > MAX_FILE_BYTES:
            raise DocumentError(f"{source} is larger than {MAX_FILE_BYTES // 1_000_000} MB.")
        text = path.read_bytes().decode()
    except OSError as error:
        raise DocumentError(f"{source} cannot be read: {error.strerror or error}.") from error
    except UnicodeEncodeError as error:
        raise DocumentError(f"The file name {source!r} is not UTF-8.") from error
    except UnicodeDecodeError as error:
        raise DocumentError(f"{source} is not UTF-8: see byte {error.start}.") from error
    if "\0" in text:
        raise DocumentError(f"{source} contains a NUL character: it is not a text file.")
    return text
