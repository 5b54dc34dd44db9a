"""A passage made ready for judging what an answer says of it: once for many turns, without the model."""

import re
from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

from app.grounding.lengths import lengths
from app.grounding.mentions import Mention, Mentions
from app.grounding.polarity import clauses
from app.grounding.quantities import Quantity, durations, loose_numbers, quantities
from app.grounding.statements import Statement, statements
from app.grounding.tables import column_unit
from app.grounding.units import Unit, mentions, unit_of_suffix
from app.grounding.words import SHORTEST_PREFIX, Word, WordReader, is_same_family

MARKED_TERM = re.compile(r"(?P<mark>\*{1,2}|`)(?=\S)[^*`]+(?P=mark)|(?<![^\n])\|[^|\n]+")
"""Emphasised, code, or the first cell of a table's row."""
NAMED_UNIT = re.compile(r"[A-Za-z]_(?P<unit>[a-z]{1,3})[\"']?\s*[=:]+\s*\Z")


class Clause(NamedTuple):
    statement: Statement
    words: list[Word]
    stems: frozenset[str]


class Evidence:
    """One passage under its headings."""

    def __init__(self, text: str, heading: str, statements: Sequence[Statement], heading_words: Sequence[Word]) -> None:
        self.text = text
        self.statements = statements
        self.whole = f"{heading}\n{text}"
        self.heading_stems = frozenset(word.stem for word in heading_words if word.stem)
        self.stems = self.heading_stems.union(*(statement.stems for statement in statements))
        self.words = frozenset(word.text for word in (*heading_words, *(w for one in statements for w in one.words)))
        self._families: dict[str, list[str]] = {}
        for stem in self.stems:
            self._families.setdefault(stem[:SHORTEST_PREFIX], []).append(stem)

    @classmethod
    def of(cls, text: str, heading_path: Sequence[str], reader: WordReader) -> "Evidence":
        heading = " > ".join(heading_path)
        return cls(text, heading, list(statements(text, reader)), reader.read(heading))

    @cached_property
    def flat(self) -> str:
        """Text and headings with single blanks."""
        return " ".join(self.whole.split())

    @cached_property
    def folded(self) -> str:
        """The same in lower case."""
        return self.flat.lower()

    @cached_property
    def sequence(self) -> list[Word]:
        """The words of all statements in order."""
        return [word for statement in self.statements for word in statement.words]

    @cached_property
    def clauses(self) -> list[Clause]:
        return [
            Clause(statement, words, frozenset(word.stem for word in words if word.stem))
            for statement in self.statements
            for words in clauses(statement.words, self.text)
        ]

    @cached_property
    def terms(self) -> frozenset[str]:
        """Stems of what it speaks about: words that are marked or capitalised, or stand in a heading."""
        marked = {place for match in MARKED_TERM.finditer(self.text) for place in range(*match.span())}
        stems = {word.stem for word in self.sequence if word.stem and (word.is_name or word.start in marked)}
        return self.heading_stems | stems

    @cached_property
    def quantities(self) -> list[Quantity]:
        return [_with_unit(one, self.whole) for one in quantities(self.whole)]

    @cached_property
    def durations(self) -> list[Quantity]:
        """Without a number."""
        return list(durations(self.whole))

    @cached_property
    def mentions(self) -> Mentions:
        return Mentions(self.text, self.statements)

    @cached_property
    def numbers(self) -> list[tuple[Quantity, Mention]]:
        """Of the quantities those that stand in its statements."""
        return self.mentions.of_numbers(self.quantities, len(self.whole) - len(self.text))

    @cached_property
    def loose(self) -> frozenset[int]:
        """Numbers that words such as "both" say."""
        return frozenset(loose_numbers(self.whole))

    @cached_property
    def lengths(self) -> frozenset[int]:
        """Of its lists and tables."""
        return lengths(self.text)

    @cached_property
    def units(self) -> frozenset[Unit]:
        return frozenset(mentions(self.whole))

    def said(self, statement: Statement) -> str:
        return self.text[statement.start : statement.end]

    def family(self, stem: str) -> frozenset[str]:
        """The passage's stems that are of the same word, as far as their letters say."""
        near = self._families.get(stem[:SHORTEST_PREFIX], ())
        return frozenset(other for other in near if is_same_family(stem, other))


def _with_unit(quantity: Quantity, text: str) -> Quantity:
    """A bare number in code has the unit that ends the name before it; one in a table, that of its column's head."""
    if quantity.unit is not None:
        return quantity
    line = text.rfind("\n", 0, quantity.start) + 1
    if named := NAMED_UNIT.search(text, line, quantity.start):
        return quantity._replace(unit=unit_of_suffix(named["unit"]))
    if text.startswith("|", line):
        return quantity._replace(unit=column_unit(text, line, quantity.start))
    return quantity
