"""Everything the service holds open, as one `async with`; closed in the reverse order."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import structlog

from app.book.bm25 import TermEncoder
from app.book.embedding import Embedder, load_embedder
from app.book.identity import check_readable, identity_of, outdated
from app.book.locating import Locator
from app.book.retrieval import Retriever
from app.book.vector_store import IndexIdentity, VectorStore
from app.chat.memory import TokenCounter
from app.chat.models import configure_tracing, make_agent, open_models
from app.chat.prompts import load_prompt
from app.chat.providing import Models
from app.chat.running import RunningTurns
from app.chat.turn import TurnParts
from app.errors import (
    BookAgentError,
    CollectionMissingError,
    ConfigurationError,
    VectorStoreUnauthorizedError,
    VectorStoreUnavailableError,
)
from app.grounding.support import Judge
from app.history.conversations import Conversations
from app.history.database import Database
from app.metrics import Metrics
from app.settings import Settings

PROMPT_NAME = "book_agent"
SWEEP_EVERY_S = 60.0
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


def open_server_store(settings: Settings) -> VectorStore:
    from app.book import qdrant_store  # noqa: PLC0415 - takes seconds to import

    return qdrant_store.QdrantStore(qdrant_store.open_client(settings), settings)


@asynccontextmanager
async def open_resources(
    settings: Settings, *, open_store: OpenStore = open_server_store, embedder: Embedder | None = None
) -> AsyncIterator[Resources]:
    """Raises ConfigurationError for what will not mend itself; a dependency that is down may come later.

    An embedder that is given is closed here too.
    """
    async with AsyncExitStack() as stack:
        prompt = load_prompt(PROMPT_NAME, settings.prompt_version)
        configure_tracing(settings)
        embedder = embedder or load_embedder(settings.embedding_model, settings.embedding_threads, settings.rerank)
        stack.callback(embedder.close)
        store = open_store(settings)
        stack.push_async_callback(store.close)
        await check_store(store, identity_of(embedder))
        database = Database(settings)
        await database.open()
        stack.push_async_callback(database.close)
        await database.check_migrations()
        metrics, terms, conversations = Metrics(), TermEncoder(), Conversations(database)
        retriever = Retriever(embedder, terms, store, settings.book_base_url)
        models = open_models(settings, metrics, terms, embedder)
        stack.push_async_callback(models.close)
        running = RunningTurns()
        stack.push_async_callback(running.close)
        sweeping = asyncio.create_task(_sweep(conversations, settings.turn_timeout_s + SWEEP_EVERY_S))
        stack.callback(sweeping.cancel)
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
        )
        yield Resources(settings, metrics, embedder, store, retriever, database, conversations, models, parts)


async def _sweep(conversations: Conversations, older_than_s: float) -> None:
    """Answers that a killed process left running, here or in another replica, are failed ones."""
    while True:
        with contextlib.suppress(BookAgentError):
            await conversations.fail_unfinished(older_than_s)
        await asyncio.sleep(SWEEP_EVERY_S)


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
        log.warning("qdrant.unavailable", cause=type(error.__cause__).__name__)
