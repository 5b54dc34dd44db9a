"""Everything on this machine: embedded PostgreSQL, embedded Qdrant, the offline model unless another is chosen."""

import asyncio
import contextlib
import fcntl
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
from rich.console import Console

from app.book.edge_store import EdgeStore
from app.book.embedding import Embedder, load_embedder
from app.book.identity import identity_of
from app.cli.embedded import DEFAULT_DATA_DIR, SAMPLE_BOOK, EmbeddedBook, dev_settings
from app.cli.index_targets import run_index
from app.cli.progress import summary
from app.cli.server import address_of, listening_socket, serve_until_stopped
from app.cli.termination import exit_in_order
from app.errors import ConfigurationError
from app.history.embedded_postgres import EmbeddedPostgres
from app.history.migrations import migrate
from app.logs import configure_logs
from app.resources import unknown_names
from app.settings import Secret, Settings

SERVER_FILE, LOCK_FILE = "server.json", "dev.lock"
console = Console(stderr=True, highlight=False)


@click.command()
@click.option(
    "--book",
    type=click.Path(exists=True, path_type=Path),
    help="A folder, or one file.  [the sample book]",
)
@click.option(
    "--data-dir", default=DEFAULT_DATA_DIR, show_default=True, type=click.Path(file_okay=False, path_type=Path)
)
@click.option("--host", help="Address to listen on.  [HOST, or 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on, 0 takes a free one.  [PORT, or 8000]")
def dev(book: Path | None, data_dir: Path, host: str | None, port: int | None) -> None:
    """Index a book and serve it from this machine alone: nothing to set up."""
    signal.signal(signal.SIGTERM, exit_in_order)
    settings = dev_settings(also=unknown_names)
    configure_logs(settings.log_level, console=sys.stderr.isatty())
    host, port = host or settings.host, settings.port if port is None else port
    postgres = EmbeddedPostgres(data_dir / "postgres")
    with _sole_use(data_dir), listening_socket(host, port) as listener, postgres as url:
        migrate(url)
        settings = msgspec.structs.replace(settings, database_url=Secret(url), database_direct_url=Secret(url))
        embedded = EmbeddedBook(data_dir, book or SAMPLE_BOOK)
        embedder = load_embedder(settings.embedding_model, settings.embedding_threads, settings.rerank)
        _bring_up_to_date(embedded, settings, embedder, data_dir)
        address = address_of(listener)
        question = "What is ROS 2?" if book is None else "your question"
        serving = serve_until_stopped(
            settings,
            listener,
            lambda: _announce(settings, address, data_dir, question),
            open_store=lambda _: EdgeStore(embedded.root),
            embedder=embedder,
            alone=True,
        )
        with postgres.watched():
            asyncio.run(serving)


def _bring_up_to_date(embedded: EmbeddedBook, settings: Settings, embedder: Embedder, data_dir: Path) -> None:
    """The index is only `dev`'s copy of the book: it is made anew where it has to be, and may shrink."""
    options = msgspec.structs.replace(embedded.options(), yes=True)
    identity = identity_of(embedder, options.chunk_size, options.chunk_overlap)
    if not embedded.is_current(identity):
        rebuild = not embedded.fits(identity)
        report = asyncio.run(run_index(settings, embedder, options, data_dir=data_dir, rebuild=rebuild))
        console.print(f"Indexed {summary(report)}", soft_wrap=True, markup=False)


@contextlib.contextmanager
def _sole_use(data_dir: Path) -> Iterator[None]:
    """Raises ConfigurationError when another `dev` has the data folder, or when it cannot be written."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        lock = (data_dir / LOCK_FILE).open("w")
    except OSError as error:
        raise ConfigurationError(f"cannot write to {data_dir}: {error.strerror}; choose another --data-dir") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigurationError(
                f"another `book-agent dev` runs on {data_dir}: end it, or choose another --data-dir"
            ) from error
        try:
            yield
        finally:
            (data_dir / SERVER_FILE).unlink(missing_ok=True)


def _announce(settings: Settings, address: str, data_dir: Path, question: str) -> None:
    (data_dir / SERVER_FILE).write_bytes(msgspec.json.encode({"address": address}))
    model = "offline: it quotes the book" if settings.model_provider == "offline" else settings.model
    body = msgspec.json.encode({"content": question}).decode()
    found_by_itself = data_dir.resolve() == DEFAULT_DATA_DIR.resolve()
    console.print(f"\nServing at [bold]{address}[/] (model {model}). Try:\n")
    console.print(
        f"  curl -s {address}/api/v1/chat -H 'content-type: application/json' -d '{body}'\n"
        f"  uv run book-agent ask '{question}'{'' if found_by_itself else f' --url {address}'}\n\n"
        f"The API is described at {address}/schema. Ctrl-C ends everything.\n",
        soft_wrap=True,
        markup=False,
    )
