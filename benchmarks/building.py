"""Cutting a book, and building an embedded index straight from its chunks."""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from pathlib import Path

from app.book.bm25 import TermEncoder
from app.book.chunking import Chunk, chunk_document
from app.book.cutting import CutDocument
from app.book.documents import find_sources, read_document
from app.book.edge_writer import EdgeWriter
from app.book.embedding import Embedder
from app.book.identity import identity_of
from app.book.revisions import payload_of
from app.book.vector_store import Point
from app.errors import DocumentError

SAMPLE_BOOK = Path(__file__).parents[1] / "app" / "sample_book"
TOGETHER = 256
"""Chunks that are embedded at once, as the indexer does it."""


def cut_book(book: Path, embedder: Embedder) -> list[CutDocument]:
    """Every document that can be read."""
    return list(_cut(book, embedder))


def chunks_of(documents: Iterable[CutDocument]) -> list[Chunk]:
    return [chunk for document in documents for chunk in document.chunks]


async def points_of(documents: Iterable[CutDocument], embedder: Embedder) -> AsyncIterator[list[Point]]:
    """Batch by batch, in order."""
    terms = TermEncoder()
    pairs = [(chunk, document) for document in documents for chunk in document.chunks]
    for first in range(0, len(pairs), TOGETHER):
        batch = pairs[first : first + TOGETHER]
        dense, tokens = await embedder.embed([chunk.excerpts for chunk, _ in batch])
        yield [
            Point(
                chunk.id,
                dense[index],
                None if tokens is None else tokens[index],
                terms.passage(chunk.embedding_text),
                payload_of(chunk, document),
            )
            for index, (chunk, document) in enumerate(batch)
        ]


async def build(documents: Sequence[CutDocument], embedder: Embedder, folder: Path) -> None:
    """An index of all chunks of the documents."""
    async with EdgeWriter(folder, identity_of(embedder)) as writer:
        async for points in points_of(documents, embedder):
            await writer.upsert(points)
        await writer.publish()


def _cut(book: Path, embedder: Embedder) -> Iterator[CutDocument]:
    for path in find_sources(book).paths:
        try:
            document = read_document(path, book)
        except DocumentError:
            continue
        yield CutDocument("", chunk_document(document, count_tokens=embedder.count_tokens))
