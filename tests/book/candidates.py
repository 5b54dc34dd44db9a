"""Search results of numbers that a test can reckon with."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from app.book.ranking import Candidate
from app.book.vector_store import Hit


def hits(scores: str) -> list[Hit]:
    """Of "a.9 b.5": `a` with score 0.9, then `b` with 0.5."""
    return [Hit(each[0], float(each[1:]), {}) for each in scores.split()]


def hit(text: str, id_: str = "", **payload: Any) -> Hit:
    """A chunk of words; without an id it is called by its text."""
    return Hit(id_ or text, 1.0, {"text": text, **payload})


def candidate(
    id_: str,
    matches: Sequence[float] | None = None,
    *,
    cosine: float | None = None,
    bm25: float | None = None,
    fused: float = 0.0,
    **payload: Any,
) -> Candidate:
    vector = None if matches is None else np.array(matches, np.float32)
    return Candidate(Hit(id_, 1.0, {"text": id_, **payload}), cosine, bm25, fused, vector)


def words_of(hit: Hit) -> frozenset[int]:
    """Its terms: a word is a number."""
    return terms(hit.payload["text"])


def terms(text: str) -> frozenset[int]:
    return frozenset(int.from_bytes(word.encode()) for word in text.split())
