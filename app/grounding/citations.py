"""Reads citations such as `[1]` out of a text that comes in pieces, whatever the cuts."""

import re
import unicodedata
from collections.abc import Callable, Iterator

from app.grounding.code import Code

LONGEST_SPACE = 16
"""White space before a dropped citation goes with it, so much of it at most."""
LONGEST_MARKER = 64
LONGEST_TARGET = 256
LONGEST_HELD = LONGEST_SPACE + LONGEST_TARGET
LONGEST_RANGE = 20
"""Numbers in it; of a longer range, only both ends count."""

_SPACE = r"[^\S\r\n]*"
_NUMBER = r"(?:[0-9０-９]+|[①-⑳])"
_NAMES = ("documents", "document", "docs", "doc", "passages", "passage", "sources", "source", "references", "reference")
_NAME = rf"(?i:{'|'.join(_NAMES)}|refs?|id)"
_LABEL = rf"(?:{_NAME}{_SPACE}[:=]?{_SPACE}#?|#)"
_PREFIXES = sorted({name[:end] for name in (*_NAMES, "id") for end in range(1, len(name))})
_BEGUN_NAME = rf"(?i:{'|'.join(reversed(_PREFIXES))})"
_RANGE = rf"{_NUMBER}(?:{_SPACE}[-–—−]{_SPACE}{_NUMBER})?"
_NAMED = rf"{_LABEL}?{_RANGE}"
_LIST = rf"{_SPACE}{_NAMED}(?:{_SPACE}(?:[,;，；、&]|\band\b){_SPACE}{_NAMED})*{_SPACE}"
_TITLE = rf"(?::{_SPACE}[^\W\d_][^\[\]\r\n]*)?"
_MARKER = (
    rf"(?:\[\[{_LIST}\]\]|\[\^?{_LIST}(?:\^|{_TITLE})\]|\[\\\[{_LIST}\\\]\]|\\\[(?:\[{_LIST}\]|{_LIST})\\\]|［{_LIST}］"
    rf"|【{_LIST}(?::[0-9]+)?(?:†[^】\r\n]*)?】)"
)
_BEGUN_LIST = (
    rf"(?:[^\S\r\n]|[-0-9０-９①-⑳,;，；、&–—−#=]|and(?![A-Za-z])|{_NAME}(?![A-Za-z])(?:{_SPACE}:)?)*+"
    rf"(?:an?|{_BEGUN_NAME})?+"
)
_BEGUN_MARKER = (
    rf"(?:\\?(?:\[\\?){{1,2}}{_BEGUN_LIST}\]?\\?\]?|\\|\[\^?{_BEGUN_LIST}(?:\^|:[^\[\]\r\n]*)?|［{_BEGUN_LIST}"
    rf"|【{_BEGUN_LIST}(?:†[^】\r\n]*)?)"
)
_SEE = rf"(?:(?i:sources?|see|refs?|cf\.?):?{_SPACE})?"
_BEGUN_SEE = r"(?i:sources?:?|sourc?|sou?|s|see?:?|refs?:?|re?|cf?\.?:?)"

MARKER = re.compile(
    rf"(?P<ticks>`{{1,2}}){_MARKER}(?P=ticks)(?!`)|{_MARKER}|\({_SPACE}{_SEE}{_MARKER}{_SPACE}\)"
    rf"|\[\^?{_LIST}(?=[\r\n])"
)
BEGUN = re.compile(
    rf"(?:{_BEGUN_MARKER}|`{{1,2}}(?:{_BEGUN_MARKER}|{_MARKER}`?)?"
    rf"|\({_SPACE}(?:{_BEGUN_SEE}{_SPACE}|{_SEE}(?:{_BEGUN_MARKER}|{_MARKER}{_SPACE}))?)\Z"
)
"""What may become a marker with more text."""
FIRST = "[［【`(\\"
UNCLOSED = re.compile(rf"\[\^?{_LIST}")
"""What is left of a marker where the text ends."""
BESIDE = re.compile(r"(?<=[0-9]):.*|†.*")
"""What a marker says after its numbers."""
RANGE = re.compile(rf"({_NUMBER})(?:{_SPACE}[-–—−]{_SPACE}({_NUMBER}))?")
TARGET = re.compile(r"\([^\s()\[\]［］【】]+\)")
BEGUN_TARGET = re.compile(r"\([^\s()\[\]［］【】]*\Z")

Piece = str | int
"""Text, or the number of a citation that is known."""


class CitationParser:
    """Gives text and citation numbers in order; numbers that are not known are dropped, and counted.

    Code is passed on as it is. At most LONGEST_HELD characters are held back.
    """

    def __init__(self, is_known: Callable[[int], bool]) -> None:
        self._is_known = is_known
        self.dropped = 0
        self.restart()

    def restart(self) -> None:
        """Forgets what is held back, and code that was begun."""
        self._code = Code()
        self._held = ""
        self._spaces = ""  # read, but not given out
        self._after_marker = False

    def feed(self, text: str) -> list[Piece]:
        self._held += text
        return list(_joined(self._read(final=False)))

    def finish(self) -> list[Piece]:
        pieces = [*self._read(final=True), self._spaces]
        self._spaces = ""
        return list(_joined(pieces))

    def _read(self, *, final: bool) -> Iterator[Piece]:
        held, position = self._held, 0
        while position < len(held):
            end = self._marked_end(held, position, final=final)
            if end is None:
                break
            if end > position:
                yield from self._numbers(held[position:end])
            else:
                yield from self._plain(held[position])
            position = max(end, position + 1)
        self._held = held[position:]

    def _marked_end(self, held: str, position: int, *, final: bool) -> int | None:
        """The end of a marker or its link; the position itself if there is none, None if more text may change it."""
        left = LONGEST_HELD if final else len(held) - position
        if self._after_marker and held[position] == "(":
            if target := TARGET.match(held, position, position + LONGEST_TARGET):
                return target.end()
            if left < LONGEST_TARGET and BEGUN_TARGET.match(held, position):
                return None
        if held[position] not in FIRST or self._is_code(held[position]):
            return position
        marker = MARKER.match(held, position, position + LONGEST_MARKER)
        if marker is None and final and len(held) - position < LONGEST_MARKER:
            marker = UNCLOSED.fullmatch(held, position)
        if marker is None:
            return None if left < LONGEST_MARKER and BEGUN.match(held, position) else position
        may_be_note = held.startswith("[^", position) and self._code.at_line_start
        if left == len(marker[0]) < LONGEST_MARKER and (marker[0][0] == "`" or may_be_note):
            return None
        return position if may_be_note and held.startswith(":", marker.end()) else marker.end()

    def _is_code(self, char: str) -> bool:
        return self._code.inside or self._code.escaped or (char == "`" and self._code.in_run)

    def _plain(self, char: str) -> Iterator[Piece]:
        self._code.read(char)
        self._after_marker = False
        if char.isspace() and char not in "\r\n":
            self._spaces += char
            if len(self._spaces) > LONGEST_SPACE:
                yield self._spaces[0]
                self._spaces = self._spaces[1:]
        else:
            yield self._spaces + char
            self._spaces = ""

    def _numbers(self, marker: str) -> Iterator[Piece]:
        """What is left of a marker, or of the target of its link."""
        if self._after_marker and TARGET.fullmatch(marker):
            self._after_marker = False
            return
        numbers = list(_cited(BESIDE.sub("", unicodedata.normalize("NFKC", marker))))
        known = [n for n in numbers if self._is_known(n)]
        self.dropped += len(numbers) - len(known)
        self._after_marker = marker[0] != "("
        if known:
            before, after = ("(", ")") if marker[0] == "(" else ("", "")
            self._code.read("x")
            yield self._spaces + before
            yield from known
            yield after
        self._spaces = ""


def numbers_in(text: str) -> set[int]:
    """What a reader of this text alone would take for citations."""
    parser = CitationParser(lambda _: True)
    return {piece for piece in (*parser.feed(text), *parser.finish()) if isinstance(piece, int)}


def _cited(marker: str) -> Iterator[int]:
    for match in RANGE.finditer(marker):
        first = int(match[1])
        last = int(match[2] or first)
        yield from range(first, last + 1) if 0 <= last - first < LONGEST_RANGE else (first, last)


def _joined(pieces: list[Piece] | Iterator[Piece]) -> Iterator[Piece]:
    """Without empty texts, and neighbouring texts as one."""
    texts: list[str] = []
    for piece in pieces:
        if isinstance(piece, str):
            texts.append(piece)
            continue
        if text := "".join(texts):
            yield text
        texts = []
        yield piece
    if text := "".join(texts):
        yield text
