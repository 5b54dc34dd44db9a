"""The vectors of single tokens, for the rerank by late interaction: which are kept, and how small."""

import hashlib
from pathlib import Path

import numpy as np

from app.book.arrays import Matrix
from app.book.weights import MINILM_FILES, PACKAGED_MODEL, STOCK_MODEL
from app.errors import ConfigurationError
from app.settings import Rerank

BASIS_FILES = dict.fromkeys((PACKAGED_MODEL, STOCK_MODEL), MINILM_FILES / "token_basis.npy")
"""Of each model that has one: its token vectors' principal directions, as columns (384, 128), most variance first."""


class TokenVectors:
    """Makes unit vectors (tokens, dimension) of a model's output; full ones, or projected on a basis."""

    def __init__(self, rerank: Rerank, model: str, dimension: int) -> None:
        """Raises ConfigurationError when the model has no basis."""
        self._basis = _basis(model) if rerank == "compact" else None
        self.dimension = {"off": 0, "full": dimension}.get(rerank, 0)
        self.name: str = rerank
        """Tells these vectors from others."""
        if self._basis is not None:
            self.dimension = self._basis.shape[1]
            self.name = f"compact-{self.dimension}@{hashlib.sha256(self._basis.tobytes()).hexdigest()[:8]}"

    def of(self, output: Matrix) -> Matrix:
        """Of the model's output for one text (tokens, dimension of the model)."""
        vectors = output if self._basis is None else output @ self._basis
        return unit_rows(vectors)


def unit_rows(vectors: Matrix) -> Matrix:
    """Rows of length 1; one that is zero stays so."""
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: Matrix = (vectors / np.where(norms == 0, 1, norms)).astype(np.float32)
    return scaled


def _basis(model: str) -> Matrix:
    file: Path | None = BASIS_FILES.get(model)
    if file is None:
        raise ConfigurationError(f"RERANK=compact is for {' and '.join(BASIS_FILES)}; set RERANK=full or RERANK=off")
    basis: Matrix = np.load(file).astype(np.float32)
    return basis
