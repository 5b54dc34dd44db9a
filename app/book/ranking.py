"""The order of what both legs of a search found: fused, then reranked by late interaction."""

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.book.arrays import Matrix, Vector
from app.book.vector_store import Hit, Legs

RRF_K = 2
"""Measured best on books of these sizes."""
POOL = 30
"""Candidates that are reranked."""
DENSE_WEIGHT, TERMS_WEIGHT = 0.5, 0.6
"""Beside the late interaction's 1."""
PAGE_WEIGHT = 0.5
COVERING = 5
"""Hits of the sparse leg in which the question's terms are looked for."""

Scores = NDArray[np.float64]
TermsOf = Callable[[Hit], frozenset[int]]
"""The terms of a chunk, as BM25 knows them."""


class Candidate(NamedTuple):
    hit: Hit
    cosine: float | None
    bm25: float | None
    fused: float
    matches: Vector | None = None
    """Cosine of each token of the question with the nearest of the chunk."""

    @property
    def maxsim(self) -> float:
        """0 without matches."""
        return 0.0 if self.matches is None else float(self.matches.mean())


def fuse(legs: Legs) -> list[Candidate]:
    """Best first by reciprocal rank fusion (Cormack, Clarke and Buettcher 2009), ranks from 0; ties in order of ids."""
    hits = {hit.id: hit for leg in legs for hit in leg}
    cosine = {hit.id: hit.score for hit in legs.dense}
    bm25 = {hit.id: hit.score for hit in legs.terms}
    fused: dict[str, float] = dict.fromkeys(hits, 0.0)
    for leg in legs:
        for rank, hit in enumerate(leg):
            fused[hit.id] += 1 / (RRF_K + rank)
    best_first = sorted(hits, key=lambda id_: (-fused[id_], id_))
    return [Candidate(hits[id_], cosine.get(id_), bm25.get(id_), fused[id_]) for id_ in best_first]


def rerank(candidates: Sequence[Candidate], coverage: float, on_page: Collection[str] = ()) -> list[Candidate]:
    """Order by a sum of standard scores over the candidates.

    The late interaction counts always: by the mean of all tokens where the book has the question's terms (`coverage`,
    0 to 1), by its weaker half where the question uses other words. Then the cosine counts more, too, and BM25 less.
    Candidates without matches, when others have some, come last; `on_page` are ids to prefer. The form and the weights
    were chosen on SQuAD and on half of the sample book's hard questions.
    """
    looked_at = [one for one in candidates if one.matches is not None]
    if looked_at:
        matches = np.array([one.matches for one in looked_at])
        score = coverage * _standard(matches.mean(axis=1))
        score += (1 - coverage) * _standard(weaker_half(matches))
        score += (1 - coverage) * DENSE_WEIGHT * _standard(_known([one.cosine for one in looked_at]))
        score += coverage**2 * TERMS_WEIGHT * _standard([one.bm25 or 0.0 for one in looked_at])
        others = [one for one in candidates if one.matches is None]
    else:
        looked_at, others = list(candidates), []
        score = _standard([one.fused for one in looked_at])
    score += PAGE_WEIGHT * np.array([one.hit.id in on_page for one in looked_at])
    order = sorted(range(len(looked_at)), key=lambda index: (-score[index], looked_at[index].hit.id))
    return [looked_at[index] for index in order] + others


def weaker_half(matches: Matrix) -> Vector:
    """Mean cosine of those of the question's tokens that a chunk matches worst; (chunks, tokens) -> (chunks,)."""
    half: Vector = np.sort(matches, axis=1)[:, : max(1, matches.shape[1] // 2)].mean(axis=1)
    return half


def coverage(question: Collection[int], hits: Sequence[Hit], terms_of: TermsOf) -> float:
    """Share of the question's terms that the best of the first hits has."""
    if not question:
        return 0.0
    asked = set(question)
    return max((len(asked.intersection(terms_of(hit))) / len(asked) for hit in hits[:COVERING]), default=0.0)


def _known(scores: Sequence[float | None]) -> list[float]:
    """What the leg did not find is not better than the last that it found."""
    lowest = min((score for score in scores if score is not None), default=0.0)
    return [lowest if score is None else score for score in scores]


def _standard(scores: Sequence[float] | Vector) -> Scores:
    values = np.asarray(scores, np.float64)
    if not len(values):
        return values
    spread = float(values.std())
    standard: Scores = (values - values.mean()) / spread if spread else np.zeros_like(values)
    return standard
