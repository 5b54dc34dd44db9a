"""Vectors and token counts, from one model for queries and passages alike."""

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from fastembed.common.onnx_model import OnnxOutputContext
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from tokenizers import Encoding, Tokenizer

from app.book.arrays import Matrix, Vector
from app.book.query_cache import QueryCache
from app.book.token_vectors import TokenVectors
from app.book.weights import Weights, load_weights
from app.errors import ConfigurationError, EmbeddingError
from app.settings import Rerank

BATCH_TOKENS = 256
"""In one run of the model, padding included; more at once is slower on a CPU."""
SLACK = 2
"""Tokens by which the texts of one run may differ in length: padding takes as long as text."""
WORKERS = 2
TOKEN_AXES = 3

Ids = NDArray[np.int64]


class Embedded(NamedTuple):
    """Of the passages, in their order."""

    dense: list[Matrix]
    """A unit vector for each excerpt (excerpts, dimension)."""
    tokens: list[Matrix] | None
    """A unit vector for each token of the excerpts (tokens, token dimension); None without token vectors."""


class QueryVectors(NamedTuple):
    dense: Vector
    """Unit vector (dimension,)."""
    tokens: Matrix | None
    """Unit vectors (tokens, token dimension), of special tokens too."""
    words: list[str]
    """The tokens themselves."""
    special: list[bool]
    """Of each, whether it is the model's own and not of the text."""


class Embedder:
    """An embedding model held in memory."""

    def __init__(self, weights: Weights, rerank: Rerank) -> None:
        self.name = weights.name
        self.fingerprint = weights.fingerprint
        self.max_tokens = weights.max_tokens
        self._model = weights.model
        self._inputs = {node.name for node in self._model.model.get_inputs()}
        self._counter = _tokenizer(weights, limited=False)
        self._limited = _tokenizer(weights, limited=True)
        first = self._run(self._limited.encode_batch([weights.name]))
        self.dimension = int(first.vectors.shape[1])
        if rerank != "off" and first.outputs.ndim != TOKEN_AXES:
            raise ConfigurationError(f"{weights.name} gives no vectors for tokens; set RERANK=off")
        self._token_vectors = TokenVectors(rerank, weights.name, self.dimension)
        self.token_vectors = self._token_vectors.name
        self.token_dimension = self._token_vectors.dimension
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="embedding")
        self._queries = QueryCache(self._encode_queries, self._pool)

    @property
    def tokenizer_json(self) -> str:
        """Of a tokenizer that neither cuts nor pads."""
        return self._counter.to_str()

    def count_tokens(self, text: str) -> int:
        """Tokens of the model, its two special ones included."""
        return len(self._counter.encode(text).ids)

    def is_word(self, text: str) -> bool:
        """The model's vocabulary has it as a whole."""
        return self._counter.token_to_id(text) is not None

    def encode(self, passages: Sequence[Sequence[str]]) -> Embedded:
        """The vectors of passages, each given as its excerpts; blocks the thread.

        Raises EmbeddingError, also for a vector that is zero or not finite.
        """
        encoded = self._encode([excerpt for passage in passages for excerpt in passage])
        borders = np.cumsum([0, *(len(passage) for passage in passages)])
        dense = [np.asarray([one.dense for one in encoded[a:b]]) for a, b in pairwise(borders)]
        if not self.token_dimension:
            return Embedded(dense, None)
        return Embedded(dense, [np.concatenate([one.tokens for one in encoded[a:b]]) for a, b in pairwise(borders)])

    async def embed(self, passages: Sequence[Sequence[str]]) -> Embedded:
        """The same as `encode`, off the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self.encode, passages)

    async def embed_texts(self, texts: Sequence[str]) -> Matrix:
        """Unit vectors (texts, dimension). Raises as `encode`."""
        return np.concatenate((await self.embed([[text] for text in texts])).dense)

    async def embed_query(self, text: str) -> QueryVectors:
        """Of a question; one that was asked lately costs nothing, and those of one moment are embedded together."""
        return await self._queries.get(text)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _encode_queries(self, texts: Sequence[str]) -> list[QueryVectors]:
        return [
            QueryVectors(one.dense, one.tokens if self.token_dimension else None, one.words, one.special)
            for one in self._encode(texts)
        ]

    def _encode(self, texts: Sequence[str]) -> list["_Encoded"]:
        """Each once through the tokenizer, then through the model together with others of its length."""
        encodings = self._limited.encode_batch(list(texts))
        done: list[tuple[int, _Encoded]] = []
        for batch in _batches(encodings):
            run = self._run([encodings[index] for index in batch])
            done += zip(batch, self._encoded(run, [encodings[index] for index in batch]), strict=True)
        return [one for _, one in sorted(done, key=lambda pair: pair[0])]

    def _encoded(self, run: "_Run", encodings: Sequence[Encoding]) -> Iterator["_Encoded"]:
        for vector, output, encoding in zip(run.vectors, run.outputs, encodings, strict=True):
            length = len(encoding.ids)
            tokens = self._token_vectors.of(output[:length]) if self.token_dimension else np.empty((0, 0), np.float32)
            yield _Encoded(vector, tokens, encoding.tokens, [*map(bool, encoding.special_tokens_mask)])

    def _run(self, encodings: Sequence[Encoding]) -> "_Run":
        longest = max(len(encoding.ids) for encoding in encodings)
        ids = np.zeros((len(encodings), longest), np.int64)
        mask = np.zeros_like(ids)
        for row, encoding in enumerate(encodings):
            ids[row, : len(encoding.ids)] = encoding.ids
            mask[row, : len(encoding.ids)] = 1
        given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        try:
            outputs = self._model.model.run(None, {name: given[name] for name in self._inputs})[0]
            vectors = np.asarray(list(self._model._post_process_onnx_output(OnnxOutputContext(outputs, mask, ids))))  # noqa: SLF001 - each model's own pooling
        except Exception as error:
            raise EmbeddingError(f"the embedding model failed: {type(error).__name__}") from error
        return _Run(_checked(vectors.astype(np.float32)), outputs)


class _Run(NamedTuple):
    vectors: Matrix
    outputs: Matrix
    """(texts, tokens, dimension)"""


class _Encoded(NamedTuple):
    dense: Vector
    tokens: Matrix
    words: list[str]
    special: list[bool]


def load_embedder(name: str, threads: int, rerank: Rerank = "compact") -> Embedder:
    """Takes about a second. Raises ConfigurationError when there is no such model, or no way to get it."""
    threadpool_limits(1, "blas")  # its threads would spin between the small products here, and take the model's time
    return Embedder(load_weights(name, threads), rerank)


def _batches(encodings: Sequence[Encoding]) -> Iterator[list[int]]:
    """Indexes of texts of about the same length, longest first."""
    lengths = [len(encoding.ids) for encoding in encodings]
    waiting = sorted(range(len(encodings)), key=lambda index: lengths[index], reverse=True)
    while waiting:
        longest = lengths[waiting[0]]
        alike = [index for index in waiting[: max(1, BATCH_TOKENS // longest)] if longest - lengths[index] <= SLACK]
        yield alike
        waiting = waiting[len(alike) :]


def _tokenizer(weights: Weights, *, limited: bool) -> Tokenizer:
    """A copy of the model's, that does not pad."""
    copy: Tokenizer = Tokenizer.from_str(weights.model.tokenizer.to_str())
    copy.no_padding()
    if limited:
        copy.enable_truncation(max_length=weights.max_tokens)
    else:
        copy.no_truncation()
    return copy


def _checked(vectors: Matrix) -> Matrix:
    norms = np.linalg.norm(vectors, axis=1)
    if not np.isfinite(norms).all() or (norms == 0).any():
        raise EmbeddingError("the embedding model gave a vector that is zero or not finite")
    return vectors
