"""Which characters of a Markdown text are code, read one by one."""

import re
from typing import NamedTuple

FENCE_LENGTH = 3
INDENT = 3
"""A fence may stand as far in; within a list, anywhere."""
TAB = 4

BEGUN = re.compile(r"[-*+]|[0-9]{1,9}[.)]?|#{1,6}")
ITEM = re.compile(r"(?:[-*+]|[0-9]{1,9}[.)])\s")
BLOCK = re.compile(r"#{1,6}\s|\|")


class Fence(NamedTuple):
    mark: str
    length: int


NO_FENCE = Fence("", 0)


class CodeSpans:
    """Of one paragraph."""

    def __init__(self) -> None:
        self._ticks = 0  # of the run that is being read
        self._open = 0  # ticks of the run that opened the code
        self.escaped = False
        """The next character is no mark."""

    def read(self, char: str) -> bool:
        """Whether the character is code; backticks around code are."""
        if char == "`" and not self.escaped:
            self._ticks += 1
            return True
        self._open, self._ticks = self._after_run(), 0
        self.escaped = char == "\\" and not self.escaped and not self._open
        return self._open > 0

    @property
    def in_run(self) -> bool:
        return self._ticks > 0

    @property
    def inside(self) -> bool:
        """Whether what follows is code, unless it is a backtick."""
        return self._after_run() > 0

    def _after_run(self) -> int:
        if not self._open:
            return self._ticks
        return 0 if self._ticks == self._open else self._open


class Code:
    """Of a text: spans and fenced blocks."""

    def __init__(self) -> None:
        self._spans = CodeSpans()
        self._fence = NO_FENCE
        self._in_list = False
        self._begin_line()

    def _begin_line(self) -> None:
        self._indent = 0
        self._head = ""  # of the line, until it is known what it is
        self._marks = NO_FENCE  # that it begins with
        self._is_begun = False  # there is more than marks in it
        self._may_open = True
        self._is_block = False  # a heading or a row of a table

    @property
    def escaped(self) -> bool:
        return self._spans.escaped

    @property
    def in_run(self) -> bool:
        return self._spans.in_run

    @property
    def at_line_start(self) -> bool:
        return not (self._is_begun or self._head or self._marks.length)

    @property
    def fenced(self) -> bool:
        """Whether the line is in a fenced block; not so in the line that opens one."""
        return self._fence.length > 0

    @property
    def inside(self) -> bool:
        """Whether what follows is code, unless it is a backtick."""
        return self.fenced or self._opens() or self._spans.inside

    def read(self, char: str) -> None:
        if char == "\n":
            self._end_line()
        elif self._is_begun:
            self._may_open = self._may_open and (char != "`" or self._marks.mark == "~")
        elif char in " \t\r>" and not self._head and not self._marks.length:
            self._indent = 0 if char == ">" else self._indent + (TAB if char == "\t" else 1)
        elif char in "`~" and not self._head and self._marks.mark in {"", char}:
            self._marks = Fence(char, self._marks.length + 1)
        elif self._marks.length or self.fenced:
            self._is_begun = not (self.fenced and char.isspace())
        else:
            self._read_head(char)
        if not self.fenced and char != "\n":
            self._spans.read(char)

    def _read_head(self, char: str) -> None:
        self._head += char
        if ITEM.fullmatch(self._head):
            self._indent += len(self._head)
            self._head = ""
            self._in_list = True
            self._spans = CodeSpans()
        elif not BEGUN.fullmatch(self._head):
            self._is_begun = True
            self._is_block = BLOCK.fullmatch(self._head) is not None
            self._in_list = self._in_list and self._indent > 0
            self._spans = CodeSpans() if self._is_block else self._spans

    def _opens(self) -> bool:
        """The line opens a fenced block, unless a backtick follows."""
        return self._may_open and self._marks.length >= FENCE_LENGTH and (self._indent <= INDENT or self._in_list)

    def _closes(self) -> bool:
        is_long = self._marks.mark == self._fence.mark and self._marks.length >= self._fence.length
        return is_long and not self._is_begun and (self._indent <= INDENT or self._in_list)

    def _end_line(self) -> None:
        if self.fenced:
            self._fence = NO_FENCE if self._closes() else self._fence
        elif self._opens():
            self._fence = self._marks
            self._spans = CodeSpans()
        elif self.at_line_start or self._is_block:
            self._spans = CodeSpans()
        else:
            self._spans.read("\n")
        self._begin_line()
