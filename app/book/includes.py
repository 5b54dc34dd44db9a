"""mdBook's directives, such as {{#include listing.rs:3:9}}: the files they name, and the text with them filled in."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from app.book.files import MAX_FILE_BYTES, read_text
from app.errors import DocumentError

MAX_DEPTH = 10
MAX_FILES = 1_000
MAX_INCLUSIONS = 10_000

_DIRECTIVE = re.compile(
    r"(?P<escaped>\\)?\{\{[ \t]*+#(?P<kind>include|rustdoc_include|playground|playpen|title)"
    r"[ \t]++(?P<target>[^{}\r\n]++)\}\}"
)
_NUMBER = re.compile(r"\d{1,9}")
_ANCHOR_LINE = re.compile(r"^.*\bANCHOR(?:_END)?:[^\r\n]*(?:\r\n?|\n|\Z)", re.MULTILINE)
_BACKTICKS = re.compile(r"`{3,}")

Files = Mapping[Path, str | None]
"""Resolved paths, with the text of each file; None where it cannot be read."""


class Expansion(NamedTuple):
    text: str
    title: str
    """Of {{#title ...}}, or empty."""


def gather(path: Path, text: str, folder: Path) -> Files:
    """Read every file in the folder that the text, or one of those files, names.

    Raises DocumentError where they are too many.
    """
    folder = folder.resolve()
    files: dict[Path, str | None] = {}
    waiting = list(_named(text, path.resolve()))
    size = 0
    while waiting:
        named = waiting.pop()
        if named in files:
            continue
        files[named] = content = _text_or_none(named, folder) if named.is_relative_to(folder) else None
        size += len(content or "")
        if len(files) > MAX_FILES or size > MAX_FILE_BYTES:
            raise DocumentError(f"{path.name} includes more than {MAX_FILES:,} files or {MAX_FILE_BYTES // 10**6} MB.")
        waiting += _named(content or "", named)
    return dict(sorted(files.items()))


def expand(text: str, path: Path, files: Files) -> Expansion:
    """Fill in the directives; one whose file, or place in the file, isn't there stays as it is, as in mdBook.

    Raises DocumentError where the text would become too long, or files include each other without end.
    """
    expander = _Expander(path.name, files)
    return Expansion(expander.expanded(text, path.resolve(), 0) if "{{" in text else text, expander.title)


class _Expander:
    def __init__(self, name: str, files: Files) -> None:
        self.title = ""
        self._name = name
        self._files = files
        self._inclusions = 0
        self._length = 0

    def expanded(self, text: str, path: Path, depth: int) -> str:
        if depth > MAX_DEPTH:
            raise DocumentError(f"{self._name} includes files that include each other, over {MAX_DEPTH} deep.")
        return _DIRECTIVE.sub(lambda directive: self._replacement(directive, path, depth), text)

    def _replacement(self, directive: re.Match[str], path: Path, depth: int) -> str:
        kind, target = directive["kind"], directive["target"].strip()
        if directive["escaped"]:
            return directive[0]
        if kind == "title":
            self.title = " ".join(target.split()) if depth == 0 else self.title
            return ""
        if kind in {"playground", "playpen"}:
            name, *properties = target.split()
            content = self._content(path, name, "")
            return directive[0] if content is None else _fenced(self._counted(content), ["rust", *properties])
        name, _, place = target.partition(":")
        content = self._content(path, name.strip(), place.strip())
        if content is None:
            return directive[0]
        return self.expanded(self._counted(content), _resolved(path, name.strip()), depth + 1)

    def _content(self, path: Path, name: str, place: str) -> str | None:
        text = self._files.get(_resolved(path, name))
        return None if text is None else _part(text.removeprefix("\ufeff"), place)

    def _counted(self, content: str) -> str:
        self._inclusions += 1
        self._length += len(content)
        if self._inclusions > MAX_INCLUSIONS or self._length > MAX_FILE_BYTES:
            raise DocumentError(
                f"{self._name} becomes too long by what it includes: "
                f"{MAX_INCLUSIONS:,} times or {MAX_FILE_BYTES // 10**6} MB is the limit."
            )
        return content


def _named(text: str, path: Path) -> Iterator[Path]:
    for directive in _DIRECTIVE.finditer(text) if "{{" in text else ():
        if directive["kind"] != "title" and not directive["escaped"]:
            yield _resolved(path, re.split(r"[:\s]", directive["target"].strip(), maxsplit=1)[0])


def _resolved(path: Path, name: str) -> Path:
    """The file that is named in `path`; `path` itself, which includes itself without end, where a name is none."""
    try:
        return (path.parent / name).resolve()
    except (OSError, RuntimeError, ValueError):
        return path.parent


def _text_or_none(path: Path, folder: Path) -> str | None:
    try:
        return read_text(path, folder)
    except DocumentError:
        return None


def _part(text: str, place: str) -> str | None:
    """All of a text, or lines such as 3, 3:9, 3: or :9, or what is between two comments that name an anchor."""
    if not place:
        return _ANCHOR_LINE.sub("", text)
    first, colon, last = (part.strip() for part in place.partition(":"))
    lines = text.splitlines(keepends=True)
    if all(not part or _NUMBER.fullmatch(part) for part in (first, last)):
        start = max(int(first or 1), 1) - 1
        end = int(last) if last else (None if colon else start + 1)
        return _ANCHOR_LINE.sub("", "".join(lines[start:end])).rstrip("\r\n")
    return _anchored(lines, first)


def _anchored(lines: list[str], name: str) -> str | None:
    begin, stop = (re.compile(rf"\b{word}:\s*{re.escape(name)}(?![\w-])") for word in ("ANCHOR", "ANCHOR_END"))
    start = next((index for index, line in enumerate(lines) if begin.search(line)), None)
    if start is None:
        return None
    end = next((index for index in range(start + 1, len(lines)) if stop.search(lines[index])), len(lines))
    return _ANCHOR_LINE.sub("", "".join(lines[start + 1 : end])).rstrip("\r\n")


def _fenced(content: str, words: list[str]) -> str:
    longest = max((len(marks) for marks in _BACKTICKS.findall(content)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{','.join(words)}\n{content.rstrip()}\n{fence}"
