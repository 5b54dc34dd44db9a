"""From a folder of source files to an index."""

import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from app.book.bm25 import TermEncoder
from app.book.chunking import Chunk, chunk_document
from app.book.documents import DEFAULT_INCLUDE, find_sources, read_document
from app.book.embedding import Embedder
from app.book.vector_store import IndexWriter, Point
from app.errors import ConfigurationError, DocumentError, EmbeddingError


class IndexOptions(msgspec.Struct, frozen=True, kw_only=True):
    source: Path
    include: Sequence[str] = DEFAULT_INCLUDE
    batch_size: int = 64
    """Points per write."""
    chunk_size: int = 256
    """Tokens of the embedding model, the heading path included."""
    chunk_overlap: int = 32


class Skipped(msgspec.Struct, frozen=True):
    source: str
    reason: str


class IndexReport(msgspec.Struct, frozen=True):
    documents: int
    chunks: int
    failed: list[Skipped]
    seconds: float
    chunks_per_second: float
    index_version: str | None
    """None after a dry run."""


class Progress(Protocol):
    def begin(self, documents: int) -> None: ...
    def embed(self, source: str, done: int, chunks: int) -> None:
        """So many chunks of a document are embedded."""
        ...

    def advance(self, source: str, chunks: int) -> None:
        """A document is done."""
        ...

    def skip(self, skipped: Skipped) -> None: ...


class Indexer:
    """Reads, cuts, embeds and writes; without a writer it only reads and cuts."""

    def __init__(self, options: IndexOptions, embedder: Embedder, terms: TermEncoder, progress: Progress) -> None:
        if options.chunk_size > embedder.max_tokens:
            raise ConfigurationError(
                f"the chunk size is {options.chunk_size} tokens, but {embedder.name} reads only {embedder.max_tokens}: "
                "the rest of each chunk could not be found"
            )
        self._options = options
        self._embedder = embedder
        self._terms = terms
        self._progress = progress
        self._failed: list[Skipped] = []
        self._documents = 0
        self._chunks = 0

    async def run(self, writer: IndexWriter | None) -> IndexReport:
        """Raises VectorStoreUnavailableError when the store fails, and ConfigurationError for an empty folder."""
        started = time.perf_counter()
        version = None
        if writer is None:
            async for _ in self._chunked():
                pass
        else:
            async with writer:
                await self._write(writer)
                version = (await writer.publish()).version
        seconds = time.perf_counter() - started
        return IndexReport(
            self._documents, self._chunks, self._failed, round(seconds, 3), round(self._chunks / seconds, 1), version
        )

    async def _write(self, writer: IndexWriter) -> None:
        waiting: list[Point] = []
        async for chunks in self._chunked(embed=True):
            waiting += chunks
            while len(waiting) >= self._options.batch_size:
                await writer.upsert(waiting[: self._options.batch_size])
                waiting = waiting[self._options.batch_size :]
        if waiting:
            await writer.upsert(waiting)
        if not self._chunks:
            raise ConfigurationError(f"no file in {self._options.source} has text to index: the index is left as it is")

    async def _chunked(self, *, embed: bool = False) -> AsyncIterator[list[Point]]:
        """The points of one document after another; no points without `embed`."""
        root = self._options.source
        paths = find_sources(root, self._options.include)
        if not paths:
            raise ConfigurationError(f"there is no file like {' or '.join(self._options.include)} in {root}")
        self._progress.begin(len(paths))
        for path in paths:
            source = shown_name(path.relative_to(root))
            try:
                chunks = self._cut(path)
                points = await self._embedded(chunks) if embed else []
            except (DocumentError, EmbeddingError) as error:
                self._skip(Skipped(source, error.detail))
                continue
            self._documents += 1
            self._chunks += len(chunks)
            yield points
            self._progress.advance(source, len(chunks))

    def _cut(self, path: Path) -> list[Chunk]:
        relative = path.relative_to(self._options.source)
        if shown_name(relative) != relative.as_posix():
            raise DocumentError("its name is not UTF-8.")
        return chunk_document(
            read_document(path, self._options.source),
            count_tokens=self._embedder.count_tokens,
            chunk_size=self._options.chunk_size,
            chunk_overlap=self._options.chunk_overlap,
        )

    async def _embedded(self, chunks: list[Chunk]) -> list[Point]:
        """In slices, so that a long document can be interrupted."""
        points: list[Point] = []
        for first in range(0, len(chunks), self._options.batch_size):
            batch = chunks[first : first + self._options.batch_size]
            vectors = await self._embedder.embed([chunk.embedding_text for chunk in batch])
            points += [
                Point(chunk.id, vector, self._terms.passage(chunk.embedding_text), payload_of(chunk))
                for chunk, vector in zip(batch, vectors, strict=True)
            ]
            self._progress.embed(batch[0].source, len(points), len(chunks))
        return points

    def _skip(self, skipped: Skipped) -> None:
        self._failed.append(skipped)
        self._progress.skip(skipped)


def shown_name(path: Path) -> str:
    """With "/", and with escapes where the name is not UTF-8."""
    return path.as_posix().encode("utf-8", "backslashreplace").decode()


def payload_of(chunk: Chunk) -> dict[str, Any]:
    return {
        "source": chunk.source,
        "title": chunk.title,
        "heading_path": list(chunk.heading_path),
        "anchor": chunk.anchor,
        "url": f"{chunk.slug}#{chunk.anchor}" if chunk.anchor else chunk.slug,
        "position": chunk.position,
        "start": chunk.start,
        "end": chunk.end,
        "text": chunk.text,
        "content_hash": chunk.content_hash,
    }
