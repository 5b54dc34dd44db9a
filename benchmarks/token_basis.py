"""Computes app/book/minilm/token_basis.npy anew: the principal directions of the sample book's token vectors.

Run it as `uv run python benchmarks/token_basis.py`; the same model and book give the same file.
"""

import numpy as np
from building import SAMPLE_BOOK, chunks_of, cut_book

from app.book.embedding import load_embedder
from app.book.token_vectors import BASIS_FILES
from app.book.weights import PACKAGED_MODEL

DIMENSIONS = 128


def main() -> None:
    embedder = load_embedder(PACKAGED_MODEL, threads=1, rerank="full")
    chunks = chunks_of(cut_book(SAMPLE_BOOK, embedder))
    tokens = embedder.encode([[chunk.embedding_text] for chunk in chunks]).tokens or []
    vectors = np.concatenate(tokens).astype(np.float64)
    energies, directions = np.linalg.eigh(vectors.T @ vectors / len(vectors))
    basis = directions[:, ::-1][:, :DIMENSIONS]
    np.save(BASIS_FILES[PACKAGED_MODEL], basis.astype(np.float16))
    share = energies[::-1][:DIMENSIONS].sum() / energies.sum()
    print(f"{len(chunks)} chunks, {len(vectors)} tokens; {DIMENSIONS} of {len(energies)} directions hold {share:.1%}")


if __name__ == "__main__":
    main()
