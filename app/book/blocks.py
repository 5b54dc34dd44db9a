"""The headings and blocks of a Markdown or MDX text, in order, with their offsets."""

import re
from collections.abc import Iterator
from typing import Literal

import msgspec

from app.book import mdx
from app.book.addresses import Anchors
from app.book.markdown import heading_text, parser
from app.book.mdx import EMBEDDED_FILE

BlockKind = Literal["text", "code", "table", "skip", "hidden"]

_KINDS: dict[str, BlockKind] = {
    "paragraph_open": "text",
    "heading_open": "text",
    "fence": "code",
    "code_block": "code",
    "table_open": "table",
    "hr": "skip",
    "raw_skip": "skip",
    "raw_hidden": "hidden",
    "raw_code": "code",
    "raw_text": "text",
}
_LINE_END = re.compile(r"\r\n?|\n")
_ATTRIBUTES = re.compile(
    r"(?:\\?\{:?[ \t]*+(?=[#.])(?:(?:#(?P<id>[^\s{}]++)|[^\s{}]++)[ \t]*+)++\}"
    r"|\{/\*\s*#(?P<comment_id>[^\s*]+)\s*\*/\})\s*$"
)
"""What ends a heading, such as {#its-id .class}."""
_DEFINITION = re.compile(r"[\s>]*(?:(?:[-*+]|\d+[.)])\s+)*\[")
_FOOTNOTE = re.compile(r"^[ \t>]*\[\^", re.MULTILINE)
_COMMENT_ENDS = {"<!--": "-->", "{/*": "*/}"}
_HIDDEN_OR_CODE = re.compile(
    r"(?P<comment><!--|\{/\*)|(?P<embedded>\(?" + EMBEDDED_FILE + r"\)?)"
    r"|\\.|(?P<ticks>`++)(?:[^`]++|(?!(?P=ticks)(?!`))`++)++(?P=ticks)|`++",
    re.DOTALL,
)
_MARKERS_ONLY = re.compile(r"(?:[\s>*+-]|\d+[.)])*")


class Block(msgspec.Struct, frozen=True):
    kind: BlockKind
    """skip: nothing to read, such as lines of tags and rules. hidden: not for readers, such as imports, comments and
    link definitions.
    """
    start: int
    end: int


class Heading(msgspec.Struct, frozen=True):
    level: int
    text: str
    anchor: str
    start: int
    end: int


def read_blocks(text: str, body: int, *, is_mdx: bool | None = None) -> list[Heading | Block]:
    """Read the text from offset `body` on; is_mdx=None finds out whether it is MDX.

    Headings in quotes and lists are text. Every character that isn't white space is in a heading or a block.
    """
    return list(_Reader(text, body, is_mdx=is_mdx).parts())


class _Reader:
    def __init__(self, text: str, body: int, *, is_mdx: bool | None) -> None:
        self._text = text
        src = _LINE_END.sub("\n", text[body:])
        is_mdx = mdx.is_mdx(src) if is_mdx is None else is_mdx
        self._md = parser(is_mdx=is_mdx)
        self._env: dict[str, object] = {"scanner": mdx.Scanner(src, expressions=is_mdx)}
        self._tokens = self._md.parse(src, self._env)
        self._line_starts = [body, *(match.end() for match in _LINE_END.finditer(text, body)), len(text)]
        self._anchors = Anchors()

    def parts(self) -> Iterator[Heading | Block]:
        line = 0
        for index, token in enumerate(self._tokens):
            if token.type not in _KINDS or token.map is None:
                continue
            first, end = token.map
            yield from self._unread(line, first)
            heading = self._heading(index, *self._span(first, end)) if token.type == "heading_open" else None
            if heading and token.level == 0:
                yield heading
            elif _KINDS[token.type] == "text":
                yield from _visible(self._text, *self._span(first, end))
            else:
                yield Block(_KINDS[token.type], *self._span(first, end))
            line = end
        yield from self._unread(line, len(self._line_starts) - 1)

    def _heading(self, index: int, start: int, end: int) -> Heading | Block:
        """One in a quote or list has an anchor too, which those after it must not repeat."""
        token, source = self._tokens[index], self._tokens[index + 1].content
        attributes = _ATTRIBUTES.search(source)
        text = heading_text(self._md, source[: attributes.start()].rstrip() if attributes else source, self._env)
        if not text.strip():
            return Block("skip", start, end)
        explicit = attributes and (attributes["id"] or attributes["comment_id"])
        return Heading(int(token.tag[1:]), " ".join(text.split()), explicit or self._anchors.anchor(text), start, end)

    def _unread(self, first: int, end: int) -> Iterator[Block]:
        """Give the lines that made no token: link definitions, empty items, what is nested too deeply to be parsed."""
        start, stop = self._span(first, end)
        if start < stop:
            yield Block(_unread_kind(self._text[start:stop]), start, stop)

    def _span(self, first: int, end: int) -> tuple[int, int]:
        """Offsets of the lines from `first` to before `end`, without the white space around them."""
        start, stop = self._line_starts[first], self._line_starts[min(end, len(self._line_starts) - 1)]
        return _stripped(self._text, start, stop)


def _visible(text: str, start: int, end: int) -> Iterator[Block]:
    """Cut comments and embedded pictures out of a paragraph, but not out of code in it."""
    first = position = start
    while found := _HIDDEN_OR_CODE.search(text, position, end):
        position = found.end()
        if found["comment"]:
            closing = text.find(_COMMENT_ENDS[found[0]], position, end)
            if closing < 0:
                break
            position = closing + len(_COMMENT_ENDS[found[0]])
        if found["comment"] or found["embedded"]:
            yield from _block("text", text, first, found.start())
            yield Block("hidden", found.start(), position)
            first = position
    yield from _block("text", text, first, end)


def _block(kind: BlockKind, text: str, start: int, end: int) -> Iterator[Block]:
    start, end = _stripped(text, start, end)
    if start < end:
        yield Block(kind, start, end)


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    part = text[start:end]
    return end - len(part.lstrip()), start + len(part.rstrip())


def _unread_kind(lines: str) -> BlockKind:
    if _DEFINITION.match(lines) and not _FOOTNOTE.search(lines):
        return "hidden"
    return "skip" if _MARKERS_ONLY.fullmatch(lines) else "text"
