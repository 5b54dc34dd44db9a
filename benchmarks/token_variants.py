"""Ways to keep token vectors: which tokens, how many dimensions, how many bytes a number."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from app.book.arrays import Matrix
from app.book.bm25 import STOP_WORDS
from app.book.embedding import Embedder
from app.book.token_vectors import unit_rows

BYTES = {"fp16": 2, "int8": 1}
STEPS = 127


class Variant(NamedTuple):
    name: str
    dimension: int | None
    """Of the basis's first columns; None for all of the model's own."""
    number: str
    sparing: bool = False
    """Without stop words and punctuation."""

    def kept(self, words: Sequence[str]) -> NDArray[np.bool_]:
        return np.array([not self.sparing or _counts(word) for word in words])

    def projected(self, vectors: Matrix, basis: Matrix) -> Matrix:
        return vectors if self.dimension is None else unit_rows(vectors @ basis[:, : self.dimension])

    def stored(self, vectors: Matrix, basis: Matrix) -> Matrix:
        """What is read back of the vectors (tokens, model's dimension)."""
        small = self.projected(vectors, basis)
        if self.number == "fp16":
            return small.astype(np.float16).astype(np.float32)
        scale = np.abs(small).max(axis=1, keepdims=True) / STEPS
        return (np.round(small / scale) * scale).astype(np.float32)

    def bytes_of(self, words: Sequence[str], model_dimension: int) -> int:
        """The vectors alone; int8 has a scale of two bytes beside each."""
        scale = 2 if self.number == "int8" else 0
        return int(self.kept(words).sum()) * ((self.dimension or model_dimension) * BYTES[self.number] + scale)


DEFAULT = "PCA-128 fp16 (compact)"
VARIANTS = (
    Variant("384 fp16 (full)", None, "fp16"),
    Variant("384 int8", None, "int8"),
    Variant(DEFAULT, 128, "fp16"),
    Variant("PCA-128 int8", 128, "int8"),
    Variant("PCA-64 int8", 64, "int8"),
    Variant("384 fp16, sparing", None, "fp16", sparing=True),
    Variant("PCA-128 fp16, sparing", 128, "fp16", sparing=True),
)


class Words:
    """The tokens that an embedder makes of a passage, in the order of their vectors."""

    def __init__(self, embedder: Embedder) -> None:
        self._tokenizer = Tokenizer.from_str(embedder.tokenizer_json)
        self._tokenizer.enable_truncation(max_length=embedder.max_tokens)

    def of(self, excerpts: Sequence[str]) -> list[str]:
        return [word for one in self._tokenizer.encode_batch(list(excerpts)) for word in one.tokens]


def _counts(word: str) -> bool:
    return word not in STOP_WORDS and any(char.isalnum() for char in word)
