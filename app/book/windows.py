"""Embedding the chunks of many documents together, as far as memory allows."""

from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

from app.book.arrays import Matrix
from app.book.bm25 import TermEncoder
from app.book.embedding import Embedder
from app.book.revisions import Fresh, Revision
from app.book.vector_store import Point
from app.errors import EmbeddingError

FIRST_WINDOW, WINDOW = 32, 256
"""Chunks that are embedded at once, over the borders of documents: enough to sort them by length.

The first is small, so that there is something to embed soon, and each further one twice as large up to the last size.
"""


class Window(NamedTuple):
    fresh: list[Fresh]
    done: list[Revision]
    """Those whose last chunk is in here, or was in one before."""


class EmbeddedChunk(NamedTuple):
    fresh: Fresh
    dense: Matrix
    tokens: Matrix | None


class EmbeddedWindow(NamedTuple):
    chunks: list[EmbeddedChunk]
    done: list[Revision]
    broken: dict[str, str]
    """Source -> why it could not be embedded. It may have chunks in windows before."""


async def windows(revisions: AsyncIterable[Revision]) -> AsyncGenerator[Window]:
    fresh: list[Fresh] = []
    done: list[Revision] = []
    waiting, size = 0, FIRST_WINDOW
    async for revision in revisions:
        for one in revision.fresh:
            fresh.append(one)
            if len(fresh) == size:
                yield Window(fresh, done)
                fresh, done, waiting, size = [], [], 0, min(2 * size, WINDOW)
        done.append(revision)
        waiting += len(revision.updated)
        if waiting >= WINDOW:
            yield Window(fresh, done)
            fresh, done, waiting = [], [], 0
    if done:
        yield Window(fresh, done)


async def embedded(given: AsyncIterable[Window], embedder: Embedder) -> AsyncGenerator[EmbeddedWindow]:
    """A document that cannot be embedded breaks off alone."""
    broken: dict[str, str] = {}
    async for fresh, done in given:
        whole = [one for one in fresh if one.chunk.source not in broken]
        try:
            chunks = await _embed(embedder, whole)
        except EmbeddingError:
            chunks = await _one_by_one(embedder, whole, broken)
        yield EmbeddedWindow(chunks, done, dict(broken))


async def _one_by_one(embedder: Embedder, fresh: Iterable[Fresh], broken: dict[str, str]) -> list[EmbeddedChunk]:
    chunks: list[EmbeddedChunk] = []
    for source, group in groupby(fresh, key=lambda one: one.chunk.source):
        try:
            chunks += await _embed(embedder, list(group))
        except EmbeddingError as error:
            broken[source] = error.detail
    return chunks


async def _embed(embedder: Embedder, fresh: Sequence[Fresh]) -> list[EmbeddedChunk]:
    if not fresh:
        return []
    dense, tokens = await embedder.embed([one.chunk.excerpts for one in fresh])
    return [
        EmbeddedChunk(one, vector, tokens[index] if tokens is not None else None)
        for index, (one, vector) in enumerate(zip(fresh, dense, strict=True))
    ]


def point_of(chunk: EmbeddedChunk, terms: TermEncoder) -> Point:
    (cut, payload), dense, tokens = chunk
    return Point(cut.id, dense, tokens, terms.passage(cut.embedding_text), payload)
