"""Building the index."""

import asyncio
import sys
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from app.book.bm25 import TermEncoder
from app.book.documents import DEFAULT_INCLUDE
from app.book.embedding import Embedder, load_embedder
from app.book.indexing import Indexer, IndexOptions, IndexReport
from app.cli.progress import IndexProgress, summary
from app.logs import configure_logs
from app.resources import identity_of
from app.settings import Settings, environment, load_settings

if TYPE_CHECKING:
    from app.book.qdrant_store import QdrantWriter

SOME_SKIPPED = 1
QDRANT = ("qdrant_cluster_endpoint", "qdrant_api_key")


@click.command()
@click.option(
    "--source", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path), help="The book."
)
@click.option("--batch-size", default=64, show_default=True, type=click.IntRange(1, 1000), help="Chunks per write.")
@click.option("--chunk-size", default=256, show_default=True, type=click.IntRange(32), help="Tokens, heading path too.")
@click.option(
    "--chunk-overlap", default=32, show_default=True, type=click.IntRange(0), help="Tokens, within a section."
)
@click.option(
    "--include", multiple=True, metavar="GLOB", help=f"Files to index, again for more.  [{', '.join(DEFAULT_INCLUDE)}]"
)
@click.option(
    "--data-dir", type=click.Path(file_okay=False, path_type=Path), help="Write the embedded index of `dev` there."
)
@click.option("--dry-run", is_flag=True, help="Read and cut only; nothing is embedded or written.")
@click.option("--json", "as_json", is_flag=True, help="The summary as JSON on standard output.")
def index(
    source: Path,
    batch_size: int,
    chunk_size: int,
    chunk_overlap: int,
    include: tuple[str, ...],
    data_dir: Path | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Index a folder of Markdown and MDX.

    A file that cannot be read is named and skipped. Exit code: 0 all well, 1 some skipped, 2 could not run.
    """
    if chunk_overlap * 2 >= chunk_size:
        raise click.BadParameter("must be less than half of --chunk-size", param_hint="--chunk-overlap")
    configure_logs("warning", console=True)
    needs_server = not dry_run and data_dir is None
    settings = load_settings(environment(Path.cwd()), required=QDRANT if needs_server else (), provider_key=False)
    options = IndexOptions(
        source=source.resolve(),
        include=include or DEFAULT_INCLUDE,
        batch_size=batch_size,
        chunk_size=chunk_size,
        chunk_overlap=chunk_overlap,
    )
    with closing(load_embedder(settings.embedding_model, settings.embedding_threads)) as embedder:
        report = asyncio.run(run_index(settings, embedder, options, data_dir=data_dir, dry_run=dry_run))
    click.echo(msgspec.json.encode(report).decode() if as_json else summary(report), err=not as_json)
    sys.exit(SOME_SKIPPED if report.failed else 0)


@click.command()
def init_collection() -> None:
    """Make the Qdrant collection, if it is not there. Exit code: 0 it is there and fits, 2 not."""
    configure_logs("warning", console=True)
    settings = load_settings(environment(Path.cwd()), required=QDRANT, provider_key=False)
    made = asyncio.run(_init_collection(settings))
    click.echo(f"collection {settings.qdrant_collection} {'was made' if made else 'is there and fits'}")


async def run_index(
    settings: Settings,
    embedder: Embedder,
    options: IndexOptions,
    *,
    data_dir: Path | None = None,
    dry_run: bool = False,
) -> IndexReport:
    """Into the embedded index of a data folder, or the Qdrant server of the settings."""
    async with AsyncExitStack() as stack:
        progress = stack.enter_context(IndexProgress())
        indexer = Indexer(options, embedder, TermEncoder(), progress)
        if dry_run:
            return await indexer.run(None)
        if data_dir is not None:
            from app.cli.embedded import EmbeddedBook  # noqa: PLC0415 - an extra

            return await EmbeddedBook(data_dir, options.source).index(indexer, options, identity_of(embedder))
        return await indexer.run(await _server_writer(stack, settings, embedder))


async def _server_writer(stack: AsyncExitStack, settings: Settings, embedder: Embedder) -> "QdrantWriter":
    from app.book import qdrant_store  # noqa: PLC0415 - takes seconds to import

    client = qdrant_store.open_client(settings)
    stack.push_async_callback(client.close)
    return qdrant_store.QdrantWriter(client, settings, identity_of(embedder))


async def _init_collection(settings: Settings) -> bool:
    embedder = load_embedder(settings.embedding_model, settings.embedding_threads)
    async with AsyncExitStack() as stack:
        stack.callback(embedder.close)
        return await (await _server_writer(stack, settings, embedder)).ensure_collection()
