"""Cutting one block of a text into pieces that fit a number of tokens: at sentences or lines, words, then anywhere."""

import re
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

from app.book.blocks import Block

CountTokens = Callable[[str], int]

_SENTENCE_END = re.compile(
    r"""(?<!\be\.g)(?<!\bi\.e)(?<!\bcf)(?<!\bvs)(?<!\bDr)(?<!\bFig)"""
    r"""(?<![.!?…])[.!?…]++["'”’)\]*_]*+\s++(?![a-z])|[。！？]++[”’」』）]*+\s*+""",
)
_LINE_END = re.compile(r"\r\n?|\n")
_KEPT_LINES = {"code": (2, 2), "table": (3, 1)}
"""Lines at the start and at the end that stay together: a fence and a line in it, a table's head and a row."""


class Piece(NamedTuple):
    kind: Literal["sentences", "part", "lines", "overlap"]
    """sentences: one or more whole ones. part: of a sentence or line. lines: of code or a table. overlap: a sentence
    that the chunk before has too.
    """
    start: int
    end: int
    tokens: int


class Measure:
    """Counts the tokens of slices of one text."""

    def __init__(self, text: str, count_tokens: CountTokens) -> None:
        self.text = text
        self.count = count_tokens
        self._added = count_tokens("")

    def tokens(self, start: int, end: int) -> int:
        """Without the tokens that a model adds around every text; 0 for white space."""
        if end <= start or self.text[start:end].isspace():
            return 0
        return max(self.count(self.text[start:end]) - self._added, 0)


def cut_block(block: Block, measure: Measure, budget: int) -> Iterator[Piece]:
    """Give pieces of at most `budget` tokens, in order; only white space lies between them."""
    kind: Literal["sentences", "lines"] = "sentences" if block.kind == "text" else "lines"
    tokens = measure.tokens(block.start, block.end)
    if tokens <= budget:
        yield Piece(kind, block.start, block.end, tokens)
        return
    for start, end in _units(block, measure, budget):
        tokens = measure.tokens(start, end)
        if tokens <= budget:
            yield Piece(kind, start, end, tokens)
        else:
            yield from _cut_unit(start, end, tokens, measure, budget)


def sentences(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Offsets of the sentences; a number or marker that begins a list item belongs to the item's first sentence."""
    stops = [match.end() for match in _SENTENCE_END.finditer(text, start, end)]
    spans: list[tuple[int, int]] = []
    first = start
    for before, stop in zip([start, *stops], [*stops, end], strict=True):
        if stop == end or any(char.isalpha() for char in text[before:stop]):
            spans += stripped(text, first, stop)
            first = stop
    return spans


def stripped(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Return the span without white space around it, or nothing if nothing is left."""
    part = text[start:end]
    span = (end - len(part.lstrip()), start + len(part.rstrip()))
    return [span] if span[0] < span[1] else []


def halve(pieces: list[Piece], measure: Measure) -> tuple[list[Piece], list[Piece]]:
    """Split what is too long as a whole: between two pieces, or a single one, of two characters at least, at a word."""
    if len(pieces) > 1:
        return pieces[: len(pieces) // 2], pieces[len(pieces) // 2 :]
    start, end = pieces[0].start, pieces[0].end
    middle = _word_end(measure.text, start, (start + end) // 2, end)
    first, second = (
        [Piece("part", *span, measure.tokens(*span)) for span in stripped(measure.text, *half)]
        for half in ((start, middle), (middle, end))
    )
    return first, second


def _units(block: Block, measure: Measure, budget: int) -> list[tuple[int, int]]:
    if block.kind == "text":
        return sentences(measure.text, block.start, block.end)
    lines = _lines(measure.text, block.start, block.end)
    head, tail = _KEPT_LINES[block.kind]
    for joined in (slice(head), slice(-tail, None)):
        span = (lines[joined][0][0], lines[joined][-1][1])
        if measure.tokens(*span) <= budget:
            lines[joined] = [span]
    return lines


def _lines(text: str, start: int, end: int) -> list[tuple[int, int]]:
    stops = [match.end() for match in _LINE_END.finditer(text, start, end)]
    return [
        span for first, stop in zip([start, *stops], [*stops, end], strict=True) for span in stripped(text, first, stop)
    ]


def _cut_unit(start: int, end: int, tokens: int, measure: Measure, budget: int) -> Iterator[Piece]:
    chars_per_token = (end - start) / max(tokens, 1)
    while start < end:
        stop = _fitting_end(start, end, int(chars_per_token * budget), measure, budget)
        for first, last in stripped(measure.text, start, stop):
            yield Piece("part", first, last, measure.tokens(first, last))
        start = stop


def _fitting_end(start: int, end: int, length: int, measure: Measure, budget: int) -> int:
    """Shrink a first guess of the length until it fits, in steps that follow how much it was too long."""
    stop = _word_end(measure.text, start, min(end, start + max(length, 1)), end)
    while stop - start > 1 and (tokens := measure.tokens(start, stop)) > budget:
        shorter = int((stop - start) * budget / tokens * 0.95)
        stop = _word_end(measure.text, start, start + max(shorter, 1), end)
    return stop


def _word_end(text: str, start: int, stop: int, end: int) -> int:
    """Move back to the last end of a word; stay if there is none."""
    if stop == end or text[stop].isspace():
        return stop
    return next((index for index in range(stop, start, -1) if text[index - 1].isspace()), stop)
