"""Whether a sentence denies what another says: negators, and words that are antonyms of its words."""

import re
from collections.abc import Collection, Iterator, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

from app.grounding.words import WORD, Word

NEGATORS = frozenset(
    [
        "not",
        "no",
        "never",
        "cannot",
        "without",
        "neither",
        "nor",
        "none",
        "nothing",
        "nobody",
        "nowhere",
        "hardly",
        "instead",
        "unlike",
    ]
)
REVERSERS = NEGATORS | frozenset(
    [
        "absent",
        "avoid",
        "avoided",
        "avoids",
        "barely",
        "bypass",
        "bypasses",
        "except",
        "exclude",
        "excludes",
        "excluding",
        "fail",
        "failed",
        "fails",
        "false",
        "ignore",
        "ignored",
        "ignores",
        "impossible",
        "lack",
        "lacking",
        "lacks",
        "leaves",
        "loses",
        "miss",
        "missing",
        "prevent",
        "prevented",
        "prevents",
        "rather",
        "refuse",
        "refuses",
        "stops",
        "unable",
        "wrong",
    ]
)
"""Negators, and words that deny what follows them."""
LIMITS = frozenset(
    ["only", "just", "solely", "exclusively", "exception", "exceptions", "unless", "forbidden", "prohibited"]
)
"""Words that narrow what stands under them to some, or to none."""
PREFIXES = ("un", "in", "im", "ir", "dis", "non", "de", "mis")
CLAUSE_END = re.compile(
    r"[,;:()|]|\.\s"
    r"|\b(?:but|while|because|which|since|although|though|whereas|so|and|as long as|when|if|until|unless)\b",
    re.IGNORECASE,
)
SHARED = 0.5
"""Share of a clause's content words that make it the clause that is spoken of."""


def _antonyms() -> Iterator[tuple[frozenset[str], frozenset[str]]]:
    for line in (Path(__file__).parent / "antonyms.txt").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            left, right = line.split("|")
            yield frozenset(left.split()), frozenset(right.split())


ANTONYMS = tuple(_antonyms())
LINES_OF = {
    word: [line for line, sides in enumerate(ANTONYMS) if any(word in side for side in sides)]
    for word in frozenset().union(*(left | right for left, right in ANTONYMS))
}
"""Of each word that has antonyms, the indexes of its pairs."""


def is_negator(word: str) -> bool:
    return word in NEGATORS or word.endswith("n't")


def is_limited(text: str) -> bool:
    """What is said under it is not said without it."""
    words = WORD.findall(text.lower().replace("’", "'"))
    return any(word in REVERSERS | LIMITS or is_negator(word) for word in words)


def is_odd(words: Sequence[Word]) -> bool:
    """Two negators deny nothing."""
    return sum(is_negator(word.text) for word in words) % 2 == 1


def reversals(words: Sequence[Word], text: str) -> Iterator[tuple[Word, bool]]:
    """Each word, and whether an odd number of reversing words stands before it in its clause."""
    for clause in clauses(words, text):
        is_reversed = False
        for word in clause:
            if word.text in REVERSERS or is_negator(word.text):
                is_reversed = not is_reversed
            else:
                yield word, is_reversed


def clauses(words: Sequence[Word], text: str) -> Iterator[list[Word]]:
    """Of consecutive words of the text."""
    if not words:
        return
    ends = [match.start() for match in CLAUSE_END.finditer(text, words[0].start, words[-1].end)]
    clause: list[Word] = []
    for word in words:
        while ends and ends[0] <= word.start:
            ends.pop(0)
            if clause:
                yield clause
            clause = []
        clause.append(word)
    yield clause


def spoken_of(words: Sequence[Word], text: str, stems: Collection[str]) -> list[Word]:
    """The words of those clauses that share the stems."""
    return [word for clause in clauses(words, text) if _share(clause, stems) >= SHARED for word in clause]


def opposed(one: Sequence[Word], other: Sequence[Word]) -> list[tuple[str, str]]:
    """Words that only the one has, each with an antonym that only the other has."""
    here, there = {word.text for word in one}, {word.text for word in other}
    pairs: list[tuple[str, str]] = []
    for line in sorted(_lines(here) & _lines(there)):
        left, right = ANTONYMS[line]
        pairs += _only(here, there, left, right) + _only(here, there, right, left)
    stems = {word.stem for word in one if word.stem}, {word.stem for word in other if word.stem}
    pairs += _prefixed(*stems) + [(denied, word) for word, denied in _prefixed(*stems[::-1])]
    return list(dict.fromkeys(pairs))


def may_oppose(words: Sequence[Word], texts: AbstractSet[str], stems: AbstractSet[str]) -> bool:
    """Some of the words has an antonym among the texts, or differs from one of the stems by a prefix."""
    here = {word.text for word in words}
    for left, right in (ANTONYMS[line] for line in _lines(here)):
        if (here & left and texts & right) or (here & right and texts & left):
            return True
    own = {word.stem for word in words if word.stem}
    return bool(_prefixed(own, stems) or _prefixed(stems, own))


def _lines(words: Collection[str]) -> set[int]:
    return {line for word in words for line in LINES_OF.get(word, ())}


def _only(here: set[str], there: set[str], left: frozenset[str], right: frozenset[str]) -> list[tuple[str, str]]:
    if here & left and there & right and not here & right and not there & left:
        return [(min(here & left), min(there & right))]
    return []


def _prefixed(here: AbstractSet[str], there: AbstractSet[str]) -> list[tuple[str, str]]:
    """Such as "stabl" here and "unstabl" there."""
    added = [
        (stem.removeprefix(prefix), stem) for stem in there - here for prefix in PREFIXES if stem.startswith(prefix)
    ]
    return [(stem, denied) for stem, denied in added if stem in here and stem not in there]


def _share(clause: Sequence[Word], stems: Collection[str]) -> float:
    content = [word.stem for word in clause if word.stem]
    return sum(stem in stems for stem in content) / len(content) if content else 0.0
