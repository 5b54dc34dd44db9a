"""Misspelt words of a question, put right by the words of what it finds."""

import re
from collections.abc import Callable, Iterable

WORD = re.compile(r"(?<![\w./:-])[^\W\d_]{5,}(?![\w/:]|\.\w)")
"""No part of an identifier; shorter ones are too like others."""
LONG = 8
"""From so many letters on a word may differ in two, else in one."""


def corrected(question: str, is_word: Callable[[str], bool], texts: Iterable[str]) -> str:
    """The question, with each word that is none, and that no text has, replaced by the one of the texts nearest to it.

    `is_word` is asked in lower case. A letter left out, added, changed or exchanged with its neighbour counts as one.
    """
    unknown = {word.lower() for word in WORD.findall(question) if not is_word(word.lower())}
    lowered = [text.lower() for text in texts] if unknown else []
    missing = [word for word in unknown if not any(word in text for text in lowered)]
    if not missing:
        return question
    vocabulary = {word for text in lowered for word in WORD.findall(text)}
    nearest = {word: _nearest(word, vocabulary) for word in missing}
    return WORD.sub(lambda match: nearest.get(match.group().lower()) or match.group(), question)


def _nearest(word: str, vocabulary: Iterable[str]) -> str | None:
    """In doubt the first of the alphabet; a slip at both ends is none."""
    most = 2 if len(word) >= LONG else 1
    letters, sizes, ends = set(word), range(len(word) - most, len(word) + most + 1), (word[0], word[-1])
    near = [
        (distance(word, other), other)
        for other in vocabulary
        if len(other) in sizes
        and (other[0] == ends[0] or other[-1] == ends[1])
        and len(letters.symmetric_difference(other)) <= 2 * most
    ]
    return min((pair for pair in near if pair[0] <= most), default=(0, None))[1]


def distance(one: str, other: str) -> int:
    """Optimal string alignment (Damerau 1964, each pair of letters exchanged at most once)."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        row = [i]
        for j, against in enumerate(other, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (letter != against))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == against:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]
