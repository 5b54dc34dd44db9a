"""The units of a text that may support a claim, as offsets: sentences, list items, table rows, lines of code."""

import re
from collections.abc import Iterator

from app.grounding.code import Code
from app.grounding.lines import (
    COMMENT,
    COMMENT_END,
    DELIMITERS,
    DIRECTIVE,
    HEADING,
    INDENTED,
    ITEM,
    RULE,
    UNDERLINE,
    quoted,
)
from app.grounding.sentence_ends import SentenceEnds

Span = tuple[int, int]

LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n|\Z)")


def sentence_spans(text: str) -> list[Span]:
    """In order, not overlapping, without white space around them; each heading is one, too.

    The marks of items, headings and quotes are before a span, except a quote's in the middle of a sentence.
    """
    return list(_Reader(text).spans())


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._lines = [match.span() for match in LINE.finditer(text) if match.group()]
        self._prose: list[Span] = []  # lines of the paragraph or item that is being read
        self._code = Code()
        self._in_comment = self._in_table = self._in_list = False

    def spans(self) -> Iterator[Span]:
        for index, (start, end) in enumerate(self._lines):
            first = start + quoted(self._text[start:end])
            line = self._text[first:end].rstrip()
            following = self._text[slice(*self._lines[index + 1])].strip() if index + 1 < len(self._lines) else ""
            yield from self._read(start, first, line, following)
        yield from self._sentences()

    def _read(self, start: int, first: int, line: str, following: str) -> Iterator[Span]:
        span = (first, first + len(line))
        was_fenced = self._code.fenced
        for char in f"{self._text[start : span[1]]}\n":
            self._code.read(char)
        self._in_list = self._in_list and (bool(self._prose) or not line or first > start)
        if was_fenced or self._code.fenced:
            yield from self._sentences()
            if was_fenced and self._code.fenced and line:
                yield from _stripped(self._text, *span)
        elif self._in_comment or line.startswith(COMMENT):
            yield from self._sentences()
            self._in_comment = COMMENT_END not in line
        elif self._prose and UNDERLINE.fullmatch(line):
            yield from self._sentences()
        elif not line or RULE.fullmatch(line) or DELIMITERS.fullmatch(line):
            yield from self._sentences()
            self._in_table = bool(line) and (self._in_table or "|" in line)
        elif line[0] == "|" or ("|" in line and (self._in_table or DELIMITERS.fullmatch(following))):
            yield from self._sentences()
            yield from _stripped(self._text, *span)
            self._in_table = True
        else:
            self._in_table = False
            yield from self._words(start, span, line)

    def _words(self, start: int, span: Span, line: str) -> Iterator[Span]:
        if heading := HEADING.match(line) or DIRECTIVE.match(line):
            yield from self._sentences()
            yield from _stripped(self._text, span[0] + heading.end(), span[1])
        elif item := ITEM.match(line):
            yield from self._sentences()
            self._in_list = True
            self._prose = [(span[0] + item.end(), span[1])]
        elif self._prose:
            self._prose.append(span)
        elif INDENTED.match(self._text, start) and not self._in_list:
            yield from _stripped(self._text, *span)
        else:
            self._prose = [span]

    def _sentences(self) -> Iterator[Span]:
        """Of the paragraph or item that was read, which is over."""
        reader = SentenceEnds()
        first = previous = self._prose[0][0] if self._prose else 0
        for start, end in self._prose:
            for position in range(previous, end):
                char = self._text[position] if position >= start else " "
                if (back := reader.read(char)) is not None:
                    stop = position + 1 - back
                    yield from _stripped(self._text, first, stop)
                    first = max(stop, start) if self._is_marks(stop, start) else stop
            previous = end
        if self._prose:
            yield from _stripped(self._text, first, self._prose[-1][1])
        self._prose = []

    def _is_marks(self, start: int, end: int) -> bool:
        return not self._text[start:end].strip(" \t\r\n>")


def _stripped(text: str, start: int, end: int) -> Iterator[Span]:
    part = text[start:end]
    span = (end - len(part.lstrip()), start + len(part.rstrip()))
    if span[0] < span[1]:
        yield span
