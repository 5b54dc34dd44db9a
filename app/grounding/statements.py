"""The statements of a passage: its sentences, list items, table rows and lines of code, and what each leans on."""

import re
from collections.abc import Iterator, Sequence

from app.book.arrays import Matrix, Vector
from app.grounding.spans import sentence_spans
from app.grounding.words import Word, WordReader

INDENT = re.compile(r"[ \t>]*")
ITEM = re.compile(rf"{INDENT.pattern}(?:[-*+]|\d+[.)])[ \t]+")
CHECK_BOX = "[x] "
LABEL = re.compile(r"[*_`]*\w[^:.\n|]{0,48}?(?:[*_`]*:[*_`]*|[*_`]*[ \t]+[–—-])[ \t]+")
"""What an item is about, such as "**Lidar:** " and "Lidar - "."""
TAB = 4


class Statement:
    """A sentence, a list item, a table row or a line of code."""

    def __init__(
        self, start: int, end: int, words: Sequence[Word], context: "Statement | None", *, is_row: bool, label_end: int
    ) -> None:
        self.start, self.end = start, end
        self.is_row = is_row
        """It begins with a table's border."""
        self.label_end = label_end
        """Where the label of a list item ends; its start if it has none."""
        self.words = words
        self.context = context
        """The head of its table, the item above it, or the sentence that introduces its list."""
        self.stem_list = [word.stem for word in words if word.stem]
        self.stems = frozenset(self.stem_list)
        self.leaning_on: frozenset[str] = self.stems if context is None else self.stems | context.leaning_on
        self.vectors: tuple[Vector, Matrix | None] | None = None
        """Unit vectors of the whole and of its tokens without the model's special ones, once they were needed."""

    @property
    def is_labelled(self) -> bool:
        return self.label_end > self.start


def statements(text: str, reader: WordReader) -> Iterator[Statement]:
    words = reader.read(text)
    first = 0
    head: Statement | None = None
    lists = _Lists(text)
    for start, end in sentence_spans(text):
        first = next((index for index in range(first, len(words)) if words[index].start >= start), len(words))
        last = next((index for index in range(first, len(words)) if words[index].end > end), len(words))
        is_row = text[start] == "|"
        label = LABEL.match(text, start, end) if lists.begins_item(start) else None
        statement = Statement(
            start,
            end,
            words[first:last],
            head if is_row else lists.context(start),
            is_row=is_row,
            label_end=label.end() if label else start,
        )
        yield statement
        first = last
        head = (head or statement) if is_row else None
        lists.read(statement)


class _Lists:
    """The items that are open, and the sentence before them."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._items: list[tuple[int, Statement]] = []
        """Outermost first, each with its indentation."""
        self._introduction: Statement | None = None

    def context(self, start: int) -> Statement | None:
        """The item that goes on here, the item above the one that begins here, or what introduces its list."""
        if self.begins_item(start):
            return next(self._around(start), self._introduction)
        return next(self._around(start), None)

    def read(self, statement: Statement) -> None:
        start, end = statement.start, statement.end
        if self.begins_item(start):
            indent = self._indent(start)
            self._items = [one for one in self._items if one[0] < indent]
            self._items.append((indent, statement))
        elif next(self._around(start), None) is None:
            self._items = []
            self._introduction = statement if self._text[start:end].rstrip("*_ ").endswith(":") else None

    def begins_item(self, start: int) -> bool:
        match = ITEM.match(self._text, self._line(start))
        return match is not None and match.end() <= start <= match.end() + len(CHECK_BOX)

    def _around(self, start: int) -> Iterator[Statement]:
        """Innermost first: those that are indented less, or all for what begins within a line."""
        line = self._line(start)
        is_within = not self.begins_item(start) and bool(self._text[line:start].strip(" \t>"))
        return (one for indent, one in reversed(self._items) if is_within or indent < self._indent(start))

    def _indent(self, start: int) -> int:
        match = INDENT.match(self._text, self._line(start))
        return len(match[0].expandtabs(TAB)) if match else 0

    def _line(self, start: int) -> int:
        return self._text.rfind("\n", 0, start) + 1
