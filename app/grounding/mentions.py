"""Where a passage names something, and how near to the name the words of its statement stand."""

import re
from collections.abc import Collection, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.grounding.evidence import Statement

CODE_NAME = re.compile(r"`+(?P<name>(?=[^`]*\w)[^`\s=+*(){}]+)(?:\(\))?`+")
TERM = re.compile(r"(?<![\w*])(?P<mark>\*{1,2})(?P<name>(?=\S)[^*\n]+)(?P=mark)(?!\w)")
BORDER = re.compile(r"[;:|,()]|\.\s|\b(?:and|or|but|while|whereas|although|since|because)\b")
BORDER_WORDS = 3
"""A border between parts of a sentence counts as so many words."""
HALF_WAY = 4
"""Words at which a word counts half."""
IN_CONTEXT = 0.3
"""What a word counts that only the statement's context has."""


class Mention:
    def __init__(self, text: str, statement: "Statement", start: int, end: int) -> None:
        """`start` and `end` of the name in the passage's text."""
        self.statement = statement
        self.written = text[start:end]
        self._text, self._start, self._end = text, start, end

    @cached_property
    def stems(self) -> tuple[str, ...]:
        """Of the name's words, in order."""
        return tuple(stem for index in self._own if (stem := self.statement.words[index].stem))

    def nearness(self, families: Collection[Collection[str]]) -> float:
        """Of words, each given by the stems that count as it: 1 for each that is next to the name, less if farther."""
        return sum(self._nearness(family) for family in families)

    def _nearness(self, family: Collection[str]) -> float:
        distance = min((self._distances[stem] for stem in family if stem in self._distances), default=None)
        if distance is not None:
            return 1 / (1 + distance / HALF_WAY)
        context = self.statement.context
        return 0.0 if context is None or context.stems.isdisjoint(family) else IN_CONTEXT

    @cached_property
    def _own(self) -> list[int]:
        """Indexes of the name's words in the statement."""
        return [i for i, word in enumerate(self.statement.words) if self._start <= word.start < self._end]

    @cached_property
    def _distances(self) -> dict[str, int]:
        """Of each stem the words between, and the borders; the shortest of several."""
        words, own = self.statement.words, self._own
        borders = [match.start() for match in BORDER.finditer(self._text, self.statement.start, self.statement.end)]
        distances: dict[str, int] = {}
        for index, word in enumerate(words):
            if word.stem and own and index not in own:
                low, high = sorted((word.start, self._start))
                crossed = sum(low < border < high for border in borders)
                between = min(abs(index - one) for one in own) - 1 + BORDER_WORDS * crossed
                distances[word.stem] = min(between, distances.get(word.stem, between))
        return distances


def mentions_of(pattern: re.Pattern[str], text: str, statements: Sequence["Statement"]) -> Iterator[Mention]:
    """What the pattern calls `name` in each statement; marks may stand around the statement."""
    for statement in statements:
        for match in pattern.finditer(text, max(0, statement.start - 2), statement.end + 2):
            yield Mention(text, statement, *match.span("name"))
