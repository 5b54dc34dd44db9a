"""What a reader of a file format makes of a file, before it is cut into sections."""

from collections.abc import Sequence
from typing import NamedTuple

from app.book.blocks import Block, BlockKind, Heading


class Page(NamedTuple):
    title: str
    text: str
    slug: str
    parts: Sequence[Heading | Block]
    body: int = 0
    """Where the content begins."""
    sidebar_position: float | None = None


_BELOW_ALL = 7
"""The level of a heading that is only a mark."""


class PageWriter:
    """Builds the text of a page that isn't a text itself, and remembers where its headings and blocks are."""

    def __init__(self) -> None:
        self.parts: list[Heading | Block] = []
        self._written: list[str] = []
        self._length = 0

    @property
    def text(self) -> str:
        return "".join(self._written)

    def heading(self, level: int, text: str, anchor: str) -> None:
        start, end = self._write(f"{'#' * level} {text}", "\n\n")
        self.parts.append(Heading(level, text, anchor, start, end))

    def block(self, kind: BlockKind, text: str, *, gap: str = "\n\n") -> None:
        """Write nothing where there is only white space; the gap, and what indents the text, are before the block."""
        stripped = text.strip()
        if stripped:
            self.parts.append(Block(kind, *self._write(stripped, gap + text[: text.index(stripped)])))

    def _write(self, text: str, gap: str) -> tuple[int, int]:
        written = f"{gap}{text}" if self._length else text
        self._written.append(written)
        self._length += len(written)
        return self._length - len(text), self._length

    def mark(self, anchor: str) -> None:
        """From here on the anchor is another, under the same headings."""
        self.parts.append(Heading(_BELOW_ALL, "", anchor, self._length, self._length))
