"""The application on a real socket."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from httpx_sse import EventSource

from app.book.bm25 import TermEncoder
from app.book.edge_store import EdgeStore
from app.book.embedding import Embedder
from app.book.identity import identity_of
from app.book.indexing import Indexer, IndexOptions
from app.book.qdrant_store import open_client
from app.book.qdrant_writer import QdrantWriter
from app.book.sparse_copy import copy_tree
from app.main import create_app
from app.resources import OpenStore, open_resources, open_server_store
from app.settings import Secret, Settings
from tests.conftest import SMALL_BOOK, SilentProgress, new_database
from tests.fakes.completions import Flavour
from tests.fakes.loopback import ThreadServer, serve
from tests.fakes.provider import Script, ScriptedProvider
from tests.fakes.proxy import FaultProxy
from tests.fakes.qdrant import FakeQdrant
from tests.http.scripted import KEY, Scripted

QDRANT_KEY = "planted-qdrant-key"


class Borrowed:
    """The session's embedder, which the application must not close."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    def __getattr__(self, name: str) -> Any:
        return (lambda: None) if name == "close" else getattr(self._embedder, name)


@pytest.fixture
async def start(embedder: Embedder, small_index: Path, database_url: str) -> AsyncIterator[Callable[..., Any]]:
    """Serves the application with some settings until the test ends, and gives a client for it.

    The database is asked for so that it outlives the application.
    """
    async with AsyncExitStack() as stack:

        async def start(settings: Settings, open_store: OpenStore | None = None) -> httpx.AsyncClient:
            opener = partial(
                open_resources,
                open_store=open_store or (lambda _: EdgeStore(small_index)),
                embedder=Borrowed(embedder),
            )
            app = create_app(settings, open_resources=opener)
            url = await stack.enter_async_context(serve(app))
            client = await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=30))
            client.app = app  # type: ignore[attr-defined]
            return client

        yield start


@pytest.fixture
async def replica(
    start: Callable[..., Any], make_settings: Callable[..., Settings]
) -> AsyncIterator[Callable[..., Any]]:
    """Starts one of several servers over the test's database, each with a scripted model; gives a client for it."""
    async with AsyncExitStack() as stack:

        async def replica(script: Script, **changes: Any) -> httpx.AsyncClient:
            provider = ScriptedProvider(script)
            url = await stack.enter_async_context(serve(provider.app))
            given = {"openai_base_url": url + provider.prefix, "openai_api_key": Secret(KEY), "model_attempts": 1}
            client: httpx.AsyncClient = await start(make_settings(model_provider="openai", **given | changes))
            client.provider = provider  # type: ignore[attr-defined]
            return client

        yield replica


@pytest.fixture
def qdrant() -> FakeQdrant:
    return FakeQdrant(api_key=QDRANT_KEY)


@pytest.fixture
async def qdrant_proxy(qdrant: FakeQdrant) -> AsyncIterator[FaultProxy]:
    async with serve(qdrant.app) as url, FaultProxy(httpx.URL(url).port or 0) as proxy:
        yield proxy


@pytest.fixture
def qdrant_settings(make_settings: Callable[..., Settings], qdrant_proxy: FaultProxy) -> Callable[..., Settings]:
    """For the Qdrant behind the proxy; nobody waits for it more than two seconds."""
    key = Secret(QDRANT_KEY)
    defaults: dict[str, Any] = {"qdrant_api_key": key, "qdrant_timeout_s": 2.0}
    return lambda **changes: make_settings(qdrant_cluster_endpoint=qdrant_proxy.url, **defaults | changes)


@pytest.fixture
async def start_over_qdrant(
    start: Callable[..., Any], qdrant_settings: Callable[..., Settings], embedder: Embedder, terms: TermEncoder
) -> AsyncIterator[Callable[..., Any]]:
    """Indexes the small book there, and serves it with some settings."""
    async with AsyncExitStack() as stack:

        async def start_over_qdrant(**changes: Any) -> httpx.AsyncClient:
            settings = qdrant_settings(**changes)
            patient = qdrant_settings(qdrant_timeout_s=30.0)
            client = open_client(patient)
            stack.push_async_callback(client.close)
            writer = QdrantWriter(client, patient, identity_of(embedder))
            await Indexer(IndexOptions(source=SMALL_BOOK), embedder, terms, SilentProgress()).run(writer)
            return await start(settings, open_store=open_server_store)

        yield start_over_qdrant


@pytest.fixture
async def client(start: Callable[..., Any], settings: Settings) -> httpx.AsyncClient:
    """Of an application over the small book, with the offline model."""
    return await start(settings)


@pytest.fixture
def become_ready():
    async def become_ready(client: httpx.AsyncClient) -> None:
        """Asks for nothing but whether it is."""
        async with asyncio.timeout(20):
            while (await client.get("/health/ready")).status_code != 200:
                pass

    return become_ready


@pytest.fixture
def ask():
    async def ask(client: httpx.AsyncClient, content: str, **fields: Any) -> dict[str, Any]:
        response = await client.post("/api/v1/chat", json={"content": content, **fields})
        assert response.status_code == 200, response.text
        return response.json()

    return ask


@pytest.fixture
def stream():
    async def stream(client: httpx.AsyncClient, content: str, **fields: Any) -> list[dict[str, Any]]:
        """The events' data, in order."""
        body = {"content": content, **fields}
        async with client.stream("POST", "/api/v1/chat/stream", json=body) as response:
            assert response.status_code == 200, await response.aread()
            return [event.json() async for event in EventSource(response).aiter_sse()]

    return stream


@pytest.fixture(scope="module")
def scripted(
    embedder: Embedder, postgres: str, indexed_once: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Scripted]]:
    """Serves an index with some settings until the module ends, with a scripted model behind it."""
    with ExitStack() as stack:

        def scripted(index: Path = indexed_once, flavour: Flavour = "openai", **changes: Any) -> Scripted:
            folder = tmp_path_factory.mktemp("scripted") / "index"
            copy_tree(index, folder)
            provider = ScriptedProvider([], flavour=flavour)
            defaults: dict[str, Any] = {
                "database_url": Secret(stack.enter_context(new_database(postgres))),
                "model_provider": flavour,
                f"{flavour}_base_url": stack.enter_context(ThreadServer(provider.app)).url + provider.prefix,
                f"{flavour}_api_key": Secret(KEY),
                "model_attempts": 1,
                "rate_limit_per_minute": 0,
                "book_title": "A Small Book of Tides",
            }
            opener = partial(open_resources, open_store=lambda _: EdgeStore(folder), embedder=Borrowed(embedder))
            app = create_app(Settings(**defaults | changes), open_resources=opener)
            url = stack.enter_context(ThreadServer(app)).url
            return Scripted(stack.enter_context(httpx.Client(base_url=url, timeout=30)), provider)

        yield scripted
