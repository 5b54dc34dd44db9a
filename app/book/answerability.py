"""Is it in the book? A probability from what a search shows, calibrated on the sample book's questions."""

import math
from collections.abc import Collection, Iterator, Sequence

import msgspec
import numpy as np

from app.book.arrays import Vector
from app.book.bm25 import STOP_WORDS
from app.book.ranking import Candidate, TermsOf
from app.book.vector_store import Hit

KNOWING = 5
"""Hits of the sparse leg in which an unknown term would have to be."""
CONTINUED = "##"
"""How a token begins that continues a word."""


class Answerability(msgspec.Struct, frozen=True):
    """Evidence, not a verdict: a question in quite other words than the book's scores low, too."""

    score: float
    """Probability, 0 to 1."""
    cosine: float
    """Of the passage nearest to the question."""
    weakest_quarter: float | None
    """Mean cosine of those words of the question that the first passage matches worst; null without token vectors."""
    coverage: float
    """Share of the question's terms that one passage has."""
    unknown: float
    """Share of the question's terms that no passage has."""


class Calibration(msgspec.Struct, frozen=True):
    """Of a logistic regression; `benchmarks/answerability.py` computes it."""

    constant: float
    cosine: float
    weakest_quarter: float
    coverage: float
    unknown: float

    def score(self, cosine: float, weakest: float | None, covered: float, unknown: float) -> float:
        sum_ = self.constant + self.cosine * cosine + self.weakest_quarter * (weakest or 0.0)
        return 1 / (1 + math.exp(-(sum_ + self.coverage * covered + self.unknown * unknown)))


WITH_TOKENS = Calibration(-3.9, 3.36, 10.2, -1.44, -1.94)
WITHOUT_TOKENS = Calibration(-3.1, 7.36, 0.0, 0.65, -1.5)


def judge(
    candidates: Sequence[Candidate],
    words: Sequence[str],
    question: Collection[int],
    covered: float,
    hits: Sequence[Hit],
    terms_of: TermsOf,
) -> Answerability:
    """`candidates` best first; `words` are the question's tokens, no special ones; `question` has its terms of BM25."""
    cosine = max((one.cosine for one in candidates if one.cosine is not None), default=0.0)
    matches = candidates[0].matches if candidates else None
    weakest = None if matches is None else weakest_quarter(words, matches)
    known = set().union(*(terms_of(hit) for hit in hits[:KNOWING])) if hits else set()
    unknown = len(set(question) - known) / len(set(question)) if question else 1.0
    calibration = WITHOUT_TOKENS if weakest is None else WITH_TOKENS
    score = calibration.score(cosine, weakest, covered, unknown)
    return Answerability(
        round(score, 4), round(cosine, 4), None if weakest is None else round(weakest, 4), covered, unknown
    )


def weakest_quarter(words: Sequence[str], matches: Vector) -> float:
    """Mean of the lowest quarter, at least one, of the words' cosines; a word's is the mean of its tokens'.

    0 for a question without a word.
    """
    scores = sorted(float(np.mean([matches[index] for index in word])) for word in _content_words(words))
    lowest = scores[: max(1, len(scores) // 4)]
    return float(np.mean(lowest)) if lowest else 0.0


def _content_words(tokens: Sequence[str]) -> Iterator[list[int]]:
    """The tokens of each word that is no stop word, or of each word if all are."""
    words: list[list[int]] = []
    for index, token in enumerate(tokens):
        if token.startswith(CONTINUED) and words:
            words[-1].append(index)
        elif any(char.isalnum() for char in token):
            words.append([index])
    content = [word for word in words if len(word) > 1 or tokens[word[0]] not in STOP_WORDS]
    yield from content or words
