"""Everything the service holds open, as one `async with`; closed in the reverse order."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import structlog

from app.book.bm25 import TermEncoder
from app.book.earlier_searches import EarlierSearches
from app.book.embedding import Embedder, load_embedder
from app.book.guarded_store import GuardedStore
from app.book.identity import check_readable, identity_of, outdated
from app.book.locating import Locator
from app.book.retrieval import Retriever
from app.book.vector_store import IndexIdentity, VectorStore
from app.book.weights import PACKAGED_MODEL, is_known
from app.breaker import Breaker
from app.chat.following import Followed
from app.chat.journal import Journal
from app.chat.memory import TokenCounter
from app.chat.models import configure_tracing, make_agent, open_models
from app.chat.presence import Presence
from app.chat.prompts import load_prompt
from app.chat.providing import Models
from app.chat.running import RunningTurns
from app.chat.turn_parts import TurnParts
from app.errors import (
    CollectionMissingError,
    ConfigurationError,
    DatabaseUnavailableError,
    PromptError,
    VectorStoreUnauthorizedError,
    VectorStoreUnavailableError,
)
from app.grounding.support import Judge
from app.history.conversations import Conversations
from app.history.database import Database
from app.history.processes import Processes
from app.history.turns import Turns
from app.metrics import Metrics
from app.settings import Settings

PROMPT_NAME = "book_agent"
log = structlog.get_logger(__name__)

OpenStore = Callable[[Settings], VectorStore]


@dataclass(frozen=True, slots=True)
class Resources:
    settings: Settings
    metrics: Metrics
    embedder: Embedder
    store: VectorStore
    retriever: Retriever
    database: Database
    conversations: Conversations
    models: Models
    """With a breaker of each provider."""
    turn_parts: TurnParts
    breakers: tuple[Breaker, ...]


def unknown_names(settings: Settings) -> Iterator[tuple[str, str]]:
    """Of a prompt that cannot be used, or a model that is unknown: the setting, and what is wrong. Loads no model."""
    try:
        load_prompt(PROMPT_NAME, settings.prompt_version)
    except PromptError as error:
        yield "prompt_version", error.detail
    if not is_known(settings.embedding_model):
        yield "embedding_model", f"is neither {PACKAGED_MODEL} nor a name that fastembed knows"


def open_server_store(settings: Settings) -> VectorStore:
    from app.book import qdrant_store  # noqa: PLC0415 - takes seconds to import

    return qdrant_store.QdrantStore(qdrant_store.open_client(settings), settings)


@asynccontextmanager
async def open_resources(
    settings: Settings,
    *,
    open_store: OpenStore = open_server_store,
    embedder: Embedder | None = None,
    alone: bool = False,
) -> AsyncIterator[Resources]:
    """Raises ConfigurationError for what will not mend itself; a dependency that is down may come later.

    An embedder that is given is closed here too. `alone`: no other process serves from this database.
    """
    async with AsyncExitStack() as stack:
        prompt = load_prompt(PROMPT_NAME, settings.prompt_version)
        configure_tracing(settings)
        embedder = embedder or load_embedder(settings.embedding_model, settings.embedding_threads, settings.rerank)
        stack.callback(embedder.close)
        store = GuardedStore(open_store(settings))
        stack.push_async_callback(store.close)
        await check_store(store, identity_of(embedder))
        database = Database(settings)
        await database.open()
        stack.push_async_callback(database.close)
        await check_database(database)
        metrics, terms, conversations = Metrics(), TermEncoder(), Conversations(database)
        earlier = EarlierSearches(settings.search_cache_s)
        retriever = Retriever(embedder, terms, store, settings.book_base_url, earlier)
        models = open_models(settings, metrics, terms, embedder)
        stack.push_async_callback(models.close)
        processes, turns, running = Processes(database), Turns(database), RunningTurns()
        journal, followed = Journal(turns), Followed(turns)
        presence = Presence(settings, processes, turns, conversations, running, followed)
        await presence.begin(alone=alone)
        stack.push_async_callback(presence.leave)
        for work in (journal.run(), presence.run(), presence.watch_cancels()):
            await stack.enter_async_context(in_background(work))
        stack.push_async_callback(journal.close)
        stack.push_async_callback(running.close)
        stack.callback(followed.close)
        parts = TurnParts(
            settings,
            conversations,
            retriever,
            Locator(retriever, store),
            Judge(embedder, terms),
            TokenCounter(embedder.tokenizer_json),
            prompt,
            make_agent(prompt, settings),
            models,
            metrics,
            running,
            presence,
            turns,
            journal,
            followed,
        )
        breakers = (store.breaker, database.breaker, *models.breakers)
        for breaker in breakers:
            metrics.watch(breaker)
        yield Resources(settings, metrics, embedder, store, retriever, database, conversations, models, parts, breakers)


@asynccontextmanager
async def in_background(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def check_database(database: Database) -> None:
    """Raises MigrationError; one that is down may come back."""
    try:
        await database.check_migrations()
    except DatabaseUnavailableError as error:
        log.warning("postgres.unavailable", cause=type(error.__cause__).__name__, reason=error.reason)


async def check_store(store: VectorStore, ours: IndexIdentity) -> None:
    """Raises ConfigurationError for a refused key or an index that is not ours to read."""
    try:
        stored = (await store.state()).identity
        check_readable(stored, ours)
        if problem := outdated(stored, ours):
            log.warning("index.outdated", problem=problem)
    except VectorStoreUnauthorizedError as error:
        raise ConfigurationError(error.for_operator) from error
    except CollectionMissingError:
        log.warning("index.missing", hint="run `book-agent index`")
    except VectorStoreUnavailableError as error:
        log.warning("qdrant.unavailable", cause=type(error.__cause__).__name__, reason=error.reason)
