"""Asks each dependency how it is."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import openai

from app.book.embedding import Embedder
from app.book.identity import check_readable, identity_of, outdated
from app.book.vector_store import VectorStore
from app.chat.model_errors import translate
from app.chat.prompts import PROMPTS, load_prompt, prompt_versions
from app.chat.providing import Models, ProvidedModel
from app.errors import BookAgentError, CollectionMissingError
from app.history.database import Database
from app.resources import PROMPT_NAME
from app.settings import Settings

PROBE_TIMEOUT_S = 5.0


class Probe(msgspec.Struct, frozen=True):
    name: str
    ok: bool
    latency_ms: float
    detail: str
    """What was found, or what is wrong and what to do."""


async def probe(name: str, ask: Callable[[], Awaitable[str]]) -> Probe:
    """`ask` says what it found, or raises one of our errors."""
    started = time.perf_counter()
    try:
        ok, detail = True, await ask()
    except BookAgentError as error:
        ok, detail = False, error.for_operator
    return Probe(name, ok, round((time.perf_counter() - started) * 1000, 1), detail)


async def ask_postgres(database: Database) -> str:
    async with database.connection() as connection:
        cursor = await connection.execute("select current_setting('server_version') as version")
        row = await cursor.fetchone()
    await database.check_migrations()
    return f"PostgreSQL {row['version'] if row else '?'}, migrations applied"


async def ask_vector_store(store: VectorStore, embedder: Embedder) -> str:
    version = await store.version()
    state = await store.state()
    ours = identity_of(embedder)
    check_readable(state.identity, ours)
    if state.chunks == 0:
        raise CollectionMissingError
    problem = outdated(state.identity, ours)
    return (
        f"{version}; {state.chunks} chunks, {state.identity.dimension} dimensions, {state.identity.distance}, "
        f"index {state.version}{'; ' * bool(problem)}{problem}"
    )


async def ask_embedder(embedder: Embedder) -> str:
    await embedder.embed([["a passage"]])  # a query might be remembered
    return f"{embedder.name}, {embedder.dimension} dimensions, {embedder.max_tokens} tokens"


async def ask_prompts(settings: Settings, folder: Path = PROMPTS) -> str:
    """All of them must load, not only the one in use."""
    used = load_prompt(PROMPT_NAME, settings.prompt_version, folder)
    versions = [load_prompt(PROMPT_NAME, version, folder).version for version in prompt_versions(PROMPT_NAME, folder)]
    return f"{used.name} {used.version} ({used.digest}) in use; versions {', '.join(versions)}"


async def ask_models(models: Models) -> str:
    """One that answers is enough. Raises what is wrong with the first, if none does."""
    found = await asyncio.gather(*map(ask_model, models.provided), return_exceptions=True)
    problems = [each for each in found if isinstance(each, BaseException)]
    if len(problems) == len(found):
        raise problems[0]
    return "; ".join(each.detail if isinstance(each, BookAgentError) else str(each) for each in found)


async def ask_model(provided: ProvidedModel) -> str:
    """Asks for the model's description: it costs no tokens."""
    if provided.client is None:
        return "offline: quotes the book, needs no provider"
    try:
        await provided.client.models.retrieve(provided.name, timeout=PROBE_TIMEOUT_S)
    except (openai.OpenAIError, ValueError) as error:  # ValueError: a reply that is no JSON
        raise translate(error) from error
    return f"{provided.provider}, {provided.name}"
