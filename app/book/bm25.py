"""Sparse vectors for BM25; the inverse document frequency is the vector store's part (modifier IDF)."""

import os
import tempfile
from pathlib import Path
from typing import NamedTuple

from fastembed.sparse.bm25 import Bm25

STOP_WORDS = frozenset((Path(__file__).parent / "stop_words.txt").read_text().split())


class SparseVector(NamedTuple):
    indices: list[int]
    values: list[float]


class TermEncoder:
    """Turns text into term weights: stems, without stop words (Snowball, English)."""

    def __init__(self) -> None:
        with tempfile.TemporaryDirectory(prefix="book-agent-bm25-") as folder:  # the model has no weights
            self._bm25 = Bm25("Qdrant/bm25", specific_model_path=os.fspath(Path(folder)), stopwords=set(STOP_WORDS))

    def passage(self, text: str) -> SparseVector:
        return _sparse(next(iter(self._bm25.embed(text))))

    def query(self, text: str) -> SparseVector:
        """Empty when the question has stop words only."""
        return _sparse(next(iter(self._bm25.query_embed(text))))

    def stems(self, text: str) -> list[str]:
        """The terms of a text, in order, repetitions kept."""
        words = self._bm25.tokenizer.tokenize(text)
        stems: list[str] = self._bm25._stem(words)  # noqa: SLF001 - the very stems that the index holds
        return stems


def _sparse(embedding: object) -> SparseVector:
    return SparseVector(embedding.indices.tolist(), embedding.values.tolist())  # type: ignore[attr-defined]
