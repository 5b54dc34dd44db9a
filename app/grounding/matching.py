"""Which statements of the passages have the words of a claim."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

from app.grounding.evidence import Evidence
from app.grounding.polarity import clauses, is_negator
from app.grounding.statements import Statement
from app.grounding.words import Word, WordReader

HEADING_WEIGHT = 0.01
"""Of a word that only the headings have: it breaks ties."""
SHORTEST_VERBATIM = 3
"""Words; fewer are quoted of anything."""
DOUBTING = frozenset(
    ["if", "unless", "whether", "wrong", "false", "myth", "untrue", "mistake", "suppose", "assume", "imagine"]
)
PART_END = re.compile(
    r";|,\s*(?:and|but|so|which)\b|,?\s*\b(?:because|while|whereas|although|since)\b|\s(?:and|but)\s", re.IGNORECASE
)
FEWEST = 2
"""Content words of a part."""
OPERATOR = re.compile(r"[<>=≤≥≠≈+/^%°]")


class Claim:
    """A sentence of an answer, without citation markers."""

    def __init__(self, text: str, reader: WordReader) -> None:
        self.text = text
        self.words = reader.read(text)
        self.content = [word for word in self.words if word.stem]

    @cached_property
    def clauses(self) -> list[tuple[list[Word], list[int]]]:
        """Of each clause the words, and which of the content words they are."""
        places = {word.start: index for index, word in enumerate(self.content)}
        found = clauses(self.words, self.text)
        return [(words, [places[word.start] for word in words if word.start in places]) for words in found]

    @cached_property
    def part_ends(self) -> list[int]:
        """Where one of the things that it says ends and another begins."""
        return [match.start() for match in PART_END.finditer(self.text)]

    @cached_property
    def parts(self) -> list[list[int]]:
        """What it says one after the other: the content words of each, those of a single word left out."""
        parts: dict[int, list[int]] = {}
        for index, word in enumerate(self.content):
            parts.setdefault(bisect_right(self.part_ends, word.start), []).append(index)
        return [part for part in parts.values() if len(part) >= FEWEST]


class Match(NamedTuple):
    passage: int
    """Index of the evidence."""
    statement: Statement
    found: list[bool]
    """Whether it has each content word of the claim, with its context."""
    found_under_heading: list[bool]
    """The same with the headings."""

    @property
    def weight(self) -> float:
        return sum(self.found) + HEADING_WEIGHT * sum(self.found_under_heading)

    @property
    def share(self) -> float:
        """Of the content words that it has under its headings."""
        return sum(self.found_under_heading) / len(self.found_under_heading) if self.found_under_heading else 0.0


class Matching:
    """A claim beside the passages that it cites."""

    def __init__(self, claim: Claim, cited: Sequence[Evidence]) -> None:
        self.claim = claim
        self.cited = cited
        self.families = [frozenset().union(*(one.family(word.stem) for one in cited)) for word in claim.content]
        """Of each content word, the stems of the passages that count as the same word."""

    @cached_property
    def matches(self) -> list[Match]:
        """Of all statements, best first."""
        found = [
            self._match(index, one, statement) for index, one in enumerate(self.cited) for statement in one.statements
        ]
        return sorted(found, key=lambda match: -match.weight)

    @cached_property
    def said(self) -> list[tuple[int, int] | None]:
        """Where each passage says it word for word."""
        return [verbatim(self.claim, one) for one in self.cited]

    @cached_property
    def unknown_names(self) -> list[str]:
        """Of the claim, in lower case, that no passage has."""
        names = [word.text.removesuffix("'s") for word in self.claim.content if word.is_name]
        return [name for name in names if all(name not in one.folded for one in self.cited)]

    @cached_property
    def known(self) -> frozenset[str]:
        """The passages' stems of all content words."""
        return frozenset().union(*self.families)

    @cached_property
    def coverage(self) -> float:
        """Share of the content words that one statement has under its headings."""
        return max((match.share for match in self.matches), default=0.0)

    def _match(self, index: int, evidence: Evidence, statement: Statement) -> Match:
        own = [not family.isdisjoint(statement.leaning_on) for family in self.families]
        under = [
            has or not family.isdisjoint(evidence.heading_stems) for has, family in zip(own, self.families, strict=True)
        ]
        return Match(index, statement, own, under)


def verbatim(claim: Claim, evidence: Evidence) -> tuple[int, int] | None:
    """Where the claim stands in the passage word for word, unless something beside it may deny it."""
    words = [word.text for word in claim.words]
    if len(words) < SHORTEST_VERBATIM:
        return None
    there = evidence.sequence
    for first in range(len(there) - len(words) + 1):
        if there[first].text == words[0] and [word.text for word in there[first : first + len(words)]] == words:
            found = there[first : first + len(words)]
            if _is_said(evidence, found) and _same_operators(claim, evidence, found):
                return found[0].start, found[-1].end
    return None


def _is_said(evidence: Evidence, found: Sequence[Word]) -> bool:
    """Nothing before it in its statement puts it in doubt, and no negator stands in the clauses that it is part of."""
    start, end = found[0].start, found[-1].start
    for statement in evidence.statements:
        if statement.start <= end and statement.end >= start:
            for clause in clauses(statement.words, evidence.text):
                is_part = clause[0].start <= end and clause[-1].start >= start
                outside = [word for word in clause if not start <= word.start <= end]
                if any(word.text in DOUBTING and word.start < start for word in outside):
                    return False
                if is_part and any(is_negator(word.text) for word in outside):
                    return False
    return True


def _same_operators(claim: Claim, evidence: Evidence, found: Sequence[Word]) -> bool:
    said = claim.text[claim.words[0].start : claim.words[-1].end]
    return OPERATOR.findall(said) == OPERATOR.findall(evidence.text, found[0].start, found[-1].end)
