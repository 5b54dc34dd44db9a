"""The words of a text: where each stands, and its stem."""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

WORD = re.compile(r"[^\W_]+(?:['’](?:t|s|re|ve|ll|d|m)\b)?", re.IGNORECASE)
NUMERALS = dict(
    zip(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
        ],
        range(20),
        strict=True,
    )
) | dict(
    zip(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], range(20, 100, 10), strict=True)
)
MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
SHORTEST_PREFIX, SHARED = 4, 0.7
"""Letters, and their share, that stems of one family such as "optim" and "optimis" begin with at least."""
KNOWN_WORDS = 16384
GERMAN = frozenset(
    re.findall(
        r"\w+",
        """auch auf aus bei dem den der eine einem einen einer für ist kann mit nach nicht oder sich sind und von wenn
        werden wird wie zu""",
    )
)
"""Of these many words of a German text are, in which every noun has a capital."""
MANY, FEWEST = 0.12, 2
"""Of its words, and at least so many."""


class Word(NamedTuple):
    text: str
    """In lower case, with a straight apostrophe."""
    stem: str
    """Empty for a stop word; digits for a numeral."""
    start: int
    end: int
    is_name: bool
    """Written with a capital or a digit inside, or capitalised within a sentence that is not German."""


class WordReader:
    def __init__(self, stems: Callable[[str], list[str]]) -> None:
        self._stems = stems
        self._stem = lru_cache(KNOWN_WORDS)(self._computed)

    def read(self, text: str) -> list[Word]:
        matches = list(WORD.finditer(text))
        words = [match.group().lower().replace("’", "'") for match in matches]
        is_name = _is_spelt_as_name if _is_german(words) else _is_name
        return [
            Word(word, self._stem(word), *match.span(), match.group() != word and is_name(match))
            for word, match in zip(words, matches, strict=True)
        ]

    def _computed(self, word: str) -> str:
        if word in NUMERALS:
            return str(NUMERALS[word])
        return next(iter(self._stems(word.removesuffix("'s"))), "")


def is_same_family(one: str, other: str) -> bool:
    """Whether two stems are of words that differ in their ending only, as far as their letters say."""
    if one == other:
        return True
    shared = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return shared >= SHORTEST_PREFIX and shared >= SHARED * max(len(one), len(other))


def _is_german(words: Sequence[str]) -> bool:
    german = sum(word in GERMAN for word in words)
    return german >= max(FEWEST, MANY * len(words))


def _is_name(match: re.Match[str]) -> bool:
    is_capitalised = match.group()[0].isupper() and not _begins_sentence(match.string, match.start())
    return is_capitalised or _is_spelt_as_name(match)


def _is_spelt_as_name(match: re.Match[str]) -> bool:
    word = match.group()
    return not word[1:].islower() and any(char.isupper() for char in word[1:])


def _begins_sentence(text: str, start: int) -> bool:
    before = text[:start].rstrip(" \t\"'(*_`[>#-")
    return not before or before[-1] in ".!?:;|\n"
