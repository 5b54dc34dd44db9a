"""Where an index is: in the data folder of `dev`, or on the Qdrant server of the settings."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from app.book.bm25 import TermEncoder
from app.book.embedding import Embedder
from app.book.identity import identity_of
from app.book.indexing import Indexer, IndexOptions, IndexReport, Progress
from app.book.vector_store import IndexState
from app.cli.progress import IndexProgress
from app.settings import Settings

if TYPE_CHECKING:
    from qdrant_client import AsyncQdrantClient

OpenProgress = Callable[[], AbstractContextManager[Progress]]


async def run_index(
    settings: Settings,
    embedder: Embedder,
    options: IndexOptions,
    *,
    data_dir: Path | None = None,
    dry_run: bool = False,
    rebuild: bool = False,
    wait_s: float = 0.0,
    progress: Progress | None = None,
) -> IndexReport:
    """Into the embedded index of a data folder, or the Qdrant server of the settings."""
    identity = identity_of(embedder, options.chunk_size, options.chunk_overlap)
    with nullcontext(progress) if progress is not None else IndexProgress() as shown:
        indexer = Indexer(options, embedder, TermEncoder(), shown)
        if dry_run:
            return await indexer.run(None)
        if data_dir is not None:
            from app.cli.embedded import EmbeddedBook  # noqa: PLC0415 - an extra

            book = EmbeddedBook(data_dir, options.source)
            return await book.index(indexer, options, identity, rebuild=rebuild, wait_s=wait_s)
        from app.book.qdrant_writer import QdrantWriter  # noqa: PLC0415 - takes seconds to import

        async with _client(settings) as client:
            return await indexer.run(QdrantWriter(client, settings, identity, rebuild=rebuild, wait_s=wait_s))


async def roll_back(settings: Settings, source: Path | None, data_dir: Path | None, wait_s: float) -> IndexState:
    """Raises ConfigurationError when there is nothing to go back to."""
    if data_dir is not None:
        from app.cli.embedded import EmbeddedBook, only_book  # noqa: PLC0415 - an extra

        book = EmbeddedBook(data_dir, source) if source is not None else only_book(data_dir)
        return await book.roll_back(wait_s)
    from app.book import qdrant_writer  # noqa: PLC0415 - takes seconds to import

    async with _client(settings) as client:
        return await qdrant_writer.roll_back(client, settings, wait_s)


async def make_collection(settings: Settings, embedder: Embedder) -> bool:
    """True if an empty one was made, False if it was there and fits."""
    from app.book.qdrant_writer import QdrantWriter  # noqa: PLC0415 - takes seconds to import

    async with _client(settings) as client:
        return await QdrantWriter(client, settings, identity_of(embedder)).ensure_collection()


@asynccontextmanager
async def _client(settings: Settings) -> AsyncIterator["AsyncQdrantClient"]:
    from app.book import qdrant_store  # noqa: PLC0415 - takes seconds to import

    client = qdrant_store.open_client(settings)
    try:
        yield client
    finally:
        await client.close()
