"""Reads `[n]` out of a text that comes in pieces, whatever the cuts."""

import re
from collections.abc import Callable, Iterator

MARKER = re.compile(r"\s*\[\s*\d+(?:\s*,\s*\d+)*\s*\]")
BEGUN = re.compile(r"\s*(\[[\d\s,]*)?\Z")
BACKTICKS = re.compile(r"`+")
LONGEST_MARKER = 64
FENCE_LENGTH = 3

Piece = str | int
"""Text, or the number of a citation that is known."""


class CitationParser:
    """Gives text and citation numbers in order; numbers that are not known are dropped, and counted.

    Code is passed on as it is. At most LONGEST_MARKER characters (or a run of backticks) are held back.
    """

    def __init__(self, is_known: Callable[[int], bool]) -> None:
        self._is_known = is_known
        self._held = ""
        self._code = ""
        self.dropped = 0

    def feed(self, text: str) -> list[Piece]:
        self._held += text
        return list(self._read(final=False))

    def finish(self) -> list[Piece]:
        return list(self._read(final=True))

    def restart(self) -> None:
        """Forgets what is held back, and code that was begun."""
        self._held = self._code = ""

    def _read(self, *, final: bool) -> Iterator[Piece]:
        position = 0
        plain = 0
        held = self._held
        while position < len(held):
            rest_is_open = not final and self._is_open(held, position)
            if rest_is_open:
                break
            if ticks := BACKTICKS.match(held, position):
                self._toggle(ticks.group())
                position = ticks.end()
            elif not self._code and (marker := MARKER.match(held, position, position + LONGEST_MARKER)):
                yield from self._text(held[plain:position])
                yield from self._numbers(marker.group())
                position = plain = marker.end()
            else:
                if held.startswith("\n\n", position) and len(self._code) < FENCE_LENGTH:
                    self._code = ""  # inline code ends with its paragraph
                position += 1
        yield from self._text(held[plain:position])
        self._held = held[position:]

    def _is_open(self, held: str, position: int) -> bool:
        """More text may change what stands here."""
        if held[position] == "`":
            return BACKTICKS.fullmatch(held, position) is not None
        if self._code:
            return held[position] == "\n" and position == len(held) - 1
        if not (held[position].isspace() or held[position] == "["):
            return False
        return len(held) - position <= LONGEST_MARKER and BEGUN.match(held, position) is not None

    def _toggle(self, ticks: str) -> None:
        if not self._code:
            self._code = ticks
        elif ticks == self._code or (len(self._code) >= FENCE_LENGTH and len(ticks) >= len(self._code)):
            self._code = ""

    def _numbers(self, marker: str) -> Iterator[Piece]:
        known = [n for n in map(int, re.findall(r"\d+", marker)) if self._is_known(n)]
        self.dropped += len(re.findall(r"\d+", marker)) - len(known)
        if known:
            yield from self._text(marker[: len(marker) - len(marker.lstrip())])
            yield from known

    @staticmethod
    def _text(text: str) -> Iterator[Piece]:
        if text:
            yield text
