"""An embedder whose vectors follow from the text alone and take no time, for tests where their meaning is no matter."""

import asyncio
import hashlib
from collections.abc import Sequence

import numpy as np

from app.book.arrays import Matrix
from app.book.embedding import Embedded
from app.book.weights import MINILM_FILES

DIMENSION, TOKEN_DIMENSION = 8, 4


class HashEmbedder:
    name = "hash"
    fingerprint = "hash@1"
    max_tokens = 256
    dimension, token_dimension = DIMENSION, TOKEN_DIMENSION
    token_vectors = "hash-4@1"

    def __init__(self) -> None:
        self.tokenizer_json = (MINILM_FILES / "tokenizer.json").read_text()
        self.passages = 0
        """How many it has embedded."""

    async def embed(self, passages: Sequence[Sequence[str]]) -> Embedded:
        await asyncio.sleep(0)
        return self.encode(passages)

    def encode(self, passages: Sequence[Sequence[str]]) -> Embedded:
        self.passages += len(passages)
        dense = [np.concatenate([_unit(excerpt, 1, DIMENSION) for excerpt in passage]) for passage in passages]
        tokens = [np.concatenate([_unit(excerpt, 3, TOKEN_DIMENSION) for excerpt in passage]) for passage in passages]
        return Embedded(dense, tokens)

    def close(self) -> None: ...


def _unit(text: str, rows: int, columns: int) -> Matrix:
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    vectors = np.random.default_rng(seed).standard_normal((rows, columns)).astype(np.float32)
    unit: Matrix = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit
