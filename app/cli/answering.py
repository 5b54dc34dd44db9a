"""Asking the questions of many cases, each as a turn of the service on this machine."""

import asyncio
import contextlib
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from app.book.documents import Document, find_sources, read_document
from app.book.edge_store import EdgeStore
from app.book.embedding import load_embedder
from app.book.indexing import IndexOptions
from app.chat.answer_evaluation import Case, Outcome, check_places, judge
from app.chat.asking import Asked
from app.chat.event_log import decoded
from app.chat.events import Answer, fold
from app.chat.opening import open_turn
from app.chat.turn_parts import TurnParts
from app.cli.embedded import EmbeddedBook
from app.cli.index_targets import run_index
from app.cli.termination import TERMINATED, exit_in_order
from app.errors import DocumentError
from app.history.embedded_postgres import EmbeddedPostgres
from app.history.migrations import migrate
from app.resources import open_resources
from app.settings import Secret, Settings

OWNER = "eval"


def ask_cases(settings: Settings, options: IndexOptions, cases: Sequence[Case], concurrency: int) -> list[Outcome]:
    """In the order of the cases. The book is indexed anew; nothing of it all is left behind.

    Raises ConfigurationError for a case that expects a section which the book does not have.
    """
    documents = list(_documents(options))
    check_places(cases, {f"{one.source} > {section.heading_path[-1]}" for one in documents for section in one.sections})
    with (
        _ended_in_order(),
        tempfile.TemporaryDirectory(prefix="book-agent-eval-") as folder,
        EmbeddedPostgres(Path(folder) / "postgres", durable=False) as url,
    ):
        migrate(url)
        settings = msgspec.structs.replace(settings, database_url=Secret(url), database_direct_url=Secret(url))
        answers = asyncio.run(_answers(settings, options, Path(folder), cases, concurrency))
    texts = {one.source: one.text for one in documents}
    return [judge(case, answer, texts) for case, answer in zip(cases, answers, strict=True)]


def _documents(options: IndexOptions) -> Iterator[Document]:
    for path in find_sources(options.source, options.include).paths:
        with contextlib.suppress(DocumentError):  # the index leaves it out, too
            yield read_document(path, options.source)


@contextlib.contextmanager
def _ended_in_order() -> Iterator[None]:
    """So that PostgreSQL and the temporary folder go when the command is told to."""
    before = signal.signal(signal.SIGTERM, exit_in_order)
    try:
        yield
    except asyncio.CancelledError:
        sys.exit(TERMINATED)
    finally:
        signal.signal(signal.SIGTERM, before)


async def _answers(
    settings: Settings, options: IndexOptions, folder: Path, cases: Sequence[Case], concurrency: int
) -> list[Answer]:
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, _cancel, asyncio.current_task())
    embedder = load_embedder(settings.embedding_model, settings.embedding_threads, settings.rerank)
    await run_index(settings, embedder, options, data_dir=folder)
    root = EmbeddedBook(folder, options.source).root
    async with open_resources(settings, open_store=lambda _: EdgeStore(root), embedder=embedder) as resources:
        with _progress_bar(len(cases)) as advance:
            return await _ask_all(resources.turn_parts, cases, concurrency, advance)


def _cancel(task: asyncio.Task[Any] | None) -> None:
    if task is not None:
        task.cancel()


@contextlib.contextmanager
def _progress_bar(total: int) -> Iterator[Callable[[], None]]:
    """On a terminal only."""
    console = Console(stderr=True)
    columns = (TextColumn("Asking"), BarColumn(), MofNCompleteColumn(), TextColumn("cases"))
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("ask", total=total)
        yield lambda: bar.advance(task)


async def _ask_all(
    parts: TurnParts, cases: Sequence[Case], concurrency: int, advance: Callable[[], None]
) -> list[Answer]:
    limit = asyncio.Semaphore(concurrency)

    async def ask(case: Case) -> Answer:
        async with limit:
            answer = await _ask(parts, case)
        advance()
        return answer

    asking = [asyncio.create_task(ask(case)) for case in cases]
    try:
        return await asyncio.gather(*asking)
    finally:
        for one in asking:
            one.cancel()
        await asyncio.wait(asking)


async def _ask(parts: TurnParts, case: Case) -> Answer:
    conversation_id = None
    for earlier in case.history:
        turn = await open_turn(parts, OWNER, Asked(earlier), conversation_id)
        conversation_id = (await fold(decoded(turn.read()))).conversation_id
    turn = await open_turn(parts, OWNER, Asked(case.question, case.selected_text, case.page), conversation_id)
    return await fold(decoded(turn.read()))
