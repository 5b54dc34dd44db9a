"""Building the index, and keeping it as the book is."""

import asyncio
import signal
import sys
from contextlib import closing
from pathlib import Path

import click
import msgspec

from app.book.chunking import DEFAULT_CHUNK_OVERLAP, DEFAULT_CHUNK_SIZE, MIN_CHUNK_SIZE
from app.book.documents import DEFAULT_INCLUDE
from app.book.embedding import load_embedder
from app.book.indexing import IndexOptions, IndexReport
from app.cli.index_targets import make_collection, roll_back, run_index
from app.cli.progress import SkippedOnly, summary
from app.cli.termination import exit_in_order
from app.cli.watching import watch
from app.logs import configure_logs
from app.settings import Settings, environment, load_settings

SOME_SKIPPED, INTERRUPTED = 1, 128 + signal.SIGINT
QDRANT = ("qdrant_cluster_endpoint", "qdrant_api_key")


@click.command()
@click.option("--source", type=click.Path(exists=True, path_type=Path), help="The book: a folder, or one file.")
@click.option("--batch-size", default=64, show_default=True, type=click.IntRange(1, 1000), help="Chunks per write.")
@click.option(
    "--chunk-size",
    default=DEFAULT_CHUNK_SIZE,
    show_default=True,
    type=click.IntRange(MIN_CHUNK_SIZE),
    help="Tokens, heading path too.",
)
@click.option(
    "--chunk-overlap",
    default=DEFAULT_CHUNK_OVERLAP,
    show_default=True,
    type=click.IntRange(0),
    help="Tokens, within a section.",
)
@click.option(
    "--include", multiple=True, metavar="GLOB", help=f"Files to index, again for more.  [{', '.join(DEFAULT_INCLUDE)}]"
)
@click.option(
    "--data-dir", type=click.Path(file_okay=False, path_type=Path), help="Write the embedded index of `dev` there."
)
@click.option("--rebuild", is_flag=True, help="Build a new index beside the old one, then let it take its place.")
@click.option("--rollback", is_flag=True, help="Let the index before the last one serve again.")
@click.option("--watch", "watching", is_flag=True, help="Go on, and index again whenever a file is saved.")
@click.option("--yes", is_flag=True, help="Delete more than half of the index, if that is what the book has become.")
@click.option("--wait", "wait_s", default=0, show_default=True, type=click.IntRange(0), help="Seconds, for the lock.")
@click.option("--dry-run", is_flag=True, help="Read and cut only; nothing is embedded or written.")
@click.option("--json", "as_json", is_flag=True, help="The summary as JSON on standard output.")
def index(
    source: Path | None,
    batch_size: int,
    chunk_size: int,
    chunk_overlap: int,
    include: tuple[str, ...],
    data_dir: Path | None,
    rebuild: bool,
    rollback: bool,
    watching: bool,
    yes: bool,
    wait_s: int,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Index a book: a folder of Markdown, MDX, HTML, EPUB, PDF and text, or one such file.

    Only what has changed is embedded. A file that cannot be read is named and skipped. Exit code: 0 all well, 1 some
    skipped, 2 could not run.
    """
    _check_options(chunk_size, chunk_overlap, source=source, rollback=rollback, alone=watching or rebuild or dry_run)
    signal.signal(signal.SIGTERM, exit_in_order)
    configure_logs("warning", console=True)
    needs_server = not dry_run and data_dir is None
    settings = load_settings(environment(Path.cwd()), required=QDRANT if needs_server else (), provider_key=False)
    if rollback or source is None:
        state = asyncio.run(roll_back(settings, source, data_dir, wait_s))
        if as_json:
            click.echo(msgspec.json.encode({"index_version": state.version, "chunks": state.chunks}).decode())
        else:
            click.echo(f"index {state.version} serves again: {state.chunks} chunks", err=True)
        return
    options = IndexOptions(
        source=source.resolve(),
        include=include or DEFAULT_INCLUDE,
        batch_size=batch_size,
        chunk_size=chunk_size,
        chunk_overlap=chunk_overlap,
        yes=yes,
    )
    try:
        run = _Run(settings, options, data_dir, wait_s, rebuild=rebuild, dry_run=dry_run, as_json=as_json)
    except KeyboardInterrupt:  # while the model is loaded
        sys.exit(INTERRUPTED)
    sys.exit(run.watch() if watching else run.once())


@click.command()
def init_collection() -> None:
    """Make the Qdrant collection, if it is not there. Exit code: 0 it is there and fits, 2 not."""
    configure_logs("warning", console=True)
    settings = load_settings(environment(Path.cwd()), required=QDRANT, provider_key=False)
    with closing(load_embedder(settings.embedding_model, settings.embedding_threads, settings.rerank)) as embedder:
        made = asyncio.run(make_collection(settings, embedder))
    click.echo(f"collection {settings.qdrant_collection} {'was made' if made else 'is there and fits'}")


def _check_options(chunk_size: int, chunk_overlap: int, *, source: Path | None, rollback: bool, alone: bool) -> None:
    if chunk_overlap * 2 >= chunk_size:
        raise click.BadParameter("must be less than half of --chunk-size", param_hint="--chunk-overlap")
    if source is None and not rollback:
        raise click.UsageError("Missing option '--source': the book to index.")
    if rollback and alone:
        raise click.UsageError("--rollback goes without --rebuild, --watch and --dry-run")


class _Run:
    """The command, once all is known; both ways of running it give its exit code."""

    def __init__(
        self,
        settings: Settings,
        options: IndexOptions,
        data_dir: Path | None,
        wait_s: float,
        *,
        rebuild: bool,
        dry_run: bool,
        as_json: bool,
    ) -> None:
        self._settings = settings
        self._options = options
        self._data_dir = data_dir
        self._wait_s = wait_s
        self._rebuild = rebuild
        self._dry_run = dry_run
        self._as_json = as_json
        self._embedder = load_embedder(settings.embedding_model, settings.embedding_threads, settings.rerank)

    def once(self) -> int:
        with closing(self._embedder):
            try:
                report = asyncio.run(self._index(again=False))
            except KeyboardInterrupt:
                click.echo("interrupted: the old index serves on, and the next run ends the work", err=True)
                return INTERRUPTED
        return SOME_SKIPPED if report.failed else 0

    def watch(self) -> int:
        """Until Ctrl-C, which is a good end."""
        ignored = self._data_dir.resolve() if self._data_dir else None
        with closing(self._embedder):
            try:
                asyncio.run(watch(self._indexed, self._options.source, ignored))
            except KeyboardInterrupt:
                return 0
        raise AssertionError("unreachable: it watches until it is stopped")

    async def _indexed(self, again: bool) -> None:
        await self._index(again=again)

    async def _index(self, *, again: bool) -> IndexReport:
        """Again: one file may shrink or go without `--yes`, and the index that is there now is kept up to date."""
        report = await run_index(
            self._settings,
            self._embedder,
            msgspec.structs.replace(self._options, may_lose=1, yes=False) if again else self._options,
            data_dir=self._data_dir,
            dry_run=self._dry_run,
            rebuild=self._rebuild,
            wait_s=self._wait_s,
            progress=SkippedOnly() if again else None,
        )
        self._rebuild = False  # it is done: from now on the new index is kept up to date
        click.echo(msgspec.json.encode(report).decode() if self._as_json else summary(report), err=not self._as_json)
        return report
