"""Whether a sentence has another's words in another order, as when two things have changed places."""

import re
from bisect import bisect_left
from collections.abc import Collection, Sequence

PASSIVE = re.compile(
    r"\b(?:is|are|was|were|be|been|being|gets?|got)\s+(?:\w+ly\s+)?\w+(?:ed|en|wn|ld|nt|pt|de|ne|ught|ound|ut)\b|\bby\b",
    re.IGNORECASE,
)
MOST_WORDS = 16


def differ_in_voice(one: str, other: str) -> bool:
    """Active and passive; then another order says the same."""
    return bool(PASSIVE.search(one)) != bool(PASSIVE.search(other))


def moved(families: Sequence[Collection[str]], stems: Sequence[str]) -> float:
    """Share of the words that the other sentence has, but not in this order.

    `families` has, for each word of the one, the stems that count as the same word.
    """
    shared = sum(not set(stems).isdisjoint(family) for family in families)
    return (shared - _common_subsequence(families, stems)) / shared if shared else 0.0


def exchanged(families: Sequence[Collection[str]], stems: Sequence[str]) -> int:
    """How many more words are in the other's order if the best two of them change places."""
    places = _places(families, stems)[:MOST_WORDS]
    in_order = _longest_rise(places)
    if in_order == len(places):
        return 0
    pairs = [(i, j) for i, here in enumerate(places) for j, there in enumerate(places) if i < j and here > there]
    return max(max(_longest_rise(_swapped(places, i, j)) for i, j in pairs) - in_order, 0)


def _places(families: Sequence[Collection[str]], stems: Sequence[str]) -> list[int]:
    """Of those words that stand in the other sentence once."""
    found = ([index for index, stem in enumerate(stems) if stem in family] for family in families)
    return list(dict.fromkeys(places[0] for places in found if len(places) == 1))


def _common_subsequence(families: Sequence[Collection[str]], stems: Sequence[str]) -> int:
    row = [0] * (len(stems) + 1)
    for family in families:
        before = row
        row = [0]
        for index, stem in enumerate(stems):
            row.append(before[index] + 1 if stem in family else max(row[-1], before[index + 1]))
    return row[-1]


def _longest_rise(places: Sequence[int]) -> int:
    """Length of the longest increasing subsequence."""
    ends: list[int] = []
    for place in places:
        index = bisect_left(ends, place)
        ends[index : index + 1] = [place]
    return len(ends)


def _swapped(places: Sequence[int], i: int, j: int) -> list[int]:
    copy = list(places)
    copy[i], copy[j] = copy[j], copy[i]
    return copy
