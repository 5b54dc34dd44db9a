"""Is everything as it should be? And the migrations, which are the commonest answer when it isn't."""

import asyncio
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table

from app import probes
from app.book.bm25 import TermEncoder
from app.book.embedding import Embedder, load_embedder
from app.book.vector_store import VectorStore
from app.chat.models import open_models
from app.chat.providing import ProvidedModel
from app.errors import ConfigurationError, SettingsError
from app.history.database import Database
from app.history.embedded_postgres import EmbeddedPostgres
from app.history.migrations import migrate as apply_migrations
from app.logs import configure_logs
from app.metrics import Metrics
from app.probes import Probe, probe
from app.resources import OpenStore, open_server_store
from app.settings import Secret, Settings, describe, environment, load_settings

WRONG = 1
DATA_DIR_HELP = "Look at the embedded stores of `dev` there."


class CheckReport(msgspec.Struct):
    ok: bool
    settings: dict[str, str]
    """Secrets only as set or unset."""
    problems: list[str]
    dependencies: list[Probe]


@click.command()
@click.option("--data-dir", type=click.Path(file_okay=False, exists=True, path_type=Path), help=DATA_DIR_HELP)
@click.option("--book", type=click.Path(exists=True, path_type=Path), help="Which book of --data-dir.")
@click.option("--json", "as_json", is_flag=True, help="The report as JSON on standard output.")
def check(data_dir: Path | None, book: Path | None, as_json: bool) -> None:
    """Check the settings and everything the service depends on. Exit code: 0 all well, 1 not."""
    if book and not data_dir:
        raise click.UsageError("--book is a book of --data-dir")
    configure_logs("error", console=True)
    try:
        report = _checked_embedded(data_dir, book) if data_dir else _checked()
    except SettingsError as error:
        report = CheckReport(False, {}, error.problems, [])
    if as_json:
        click.echo(msgspec.json.encode(report).decode())
    else:
        _print(report)
    sys.exit(0 if report.ok else WRONG)


@click.command()
@click.option(
    "--data-dir", type=click.Path(file_okay=False, path_type=Path), help="The embedded database of `dev` there."
)
def migrate(data_dir: Path | None) -> None:
    """Bring the database's tables up to date; doing it again does nothing."""
    if data_dir:
        with EmbeddedPostgres(data_dir / "postgres") as url:
            applied = apply_migrations(url)
    else:
        settings = load_settings(environment(Path.cwd()), required=("database_url",), provider_key=False)
        applied = apply_migrations(settings.migrations_url)
    click.echo(f"applied {', '.join(applied)}" if applied else "nothing to apply")


def _checked() -> CheckReport:
    return asyncio.run(_report(load_settings(environment(Path.cwd())), open_server_store))


def _checked_embedded(data_dir: Path, book: Path | None) -> CheckReport:
    from app.book.edge_store import EdgeStore  # noqa: PLC0415 - an extra
    from app.cli.embedded import SAMPLE_BOOK, EmbeddedBook, dev_settings  # noqa: PLC0415

    settings = dev_settings()
    with EmbeddedPostgres(data_dir / "postgres") as url:
        settings = msgspec.structs.replace(settings, database_url=Secret(url))
        root = EmbeddedBook(data_dir, book or SAMPLE_BOOK).root
        return asyncio.run(_report(settings, lambda _: EdgeStore(root)))


async def _report(settings: Settings, open_store: OpenStore) -> CheckReport:
    try:
        embedder = load_embedder(settings.embedding_model, settings.embedding_threads, settings.rerank)
    except ConfigurationError as error:
        return CheckReport(
            False, _shown(settings), [], [Probe("embedding", ok=False, latency_ms=0.0, detail=error.detail)]
        )
    async with AsyncExitStack() as stack:
        stack.callback(embedder.close)
        store = open_store(settings)
        stack.push_async_callback(store.close)
        found = await _probed(settings, embedder, store, stack)
    return CheckReport(all(one.ok for one in found), _shown(settings), [], found)


async def _probed(settings: Settings, embedder: Embedder, store: VectorStore, stack: AsyncExitStack) -> list[Probe]:
    database = Database(settings)
    await database.open()
    stack.push_async_callback(database.close)
    models = open_models(settings, Metrics(), TermEncoder(), embedder)
    stack.push_async_callback(models.close)
    return [
        await probe("postgres", lambda: _ask_postgres(database)),
        await probe("qdrant", lambda: probes.ask_vector_store(store, embedder)),
        await probe("embedding", lambda: probes.ask_embedder(embedder)),
        await probe("prompts", lambda: probes.ask_prompts(settings)),
        *[await _probed_model(order, provided) for order, provided in enumerate(models.provided)],
    ]


async def _ask_postgres(database: Database) -> str:
    await database.dial()
    return await probes.ask_postgres(database)


async def _probed_model(order: int, provided: ProvidedModel) -> Probe:
    return await probe(f"fallback {order}" if order else "model", lambda: probes.ask_model(provided))


def _shown(settings: Settings) -> dict[str, str]:
    values = {name: getattr(settings, name.lower()) for name, _, _ in describe()}
    return {
        name: ("set" if value else "unset") if isinstance(value, Secret) else str(value)
        for name, value in values.items()
    }


def _print(report: CheckReport) -> None:
    console = Console(highlight=False)
    if report.settings:
        table = Table("setting", "value", title="Settings", title_justify="left")
        for name, value in report.settings.items():
            table.add_row(name, value)
        console.print(table)
    for problem in report.problems:
        console.print(f"✗ {problem}", style="red", markup=False)
    if report.dependencies:
        table = Table("", "dependency", "latency", "what was found", title="Dependencies", title_justify="left")
        for one in report.dependencies:
            mark = "[green]✓[/]" if one.ok else "[red]✗[/]"
            table.add_row(mark, one.name, f"{one.latency_ms:.0f} ms", one.detail)
        console.print(table)
    console.print("all well" if report.ok else "not well: see above", style="green" if report.ok else "red")
