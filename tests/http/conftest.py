"""The application on a real socket."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from httpx_sse import EventSource
from psycopg.conninfo import make_conninfo

from app.book.edge_store import EdgeStore
from app.book.embedding import Embedder
from app.book.sparse_copy import copy_tree
from app.history.embedded_postgres import EmbeddedPostgres
from app.history.migrations import migrate
from app.main import create_app
from app.resources import OpenStore, open_resources
from app.settings import Secret, Settings
from tests.conftest import new_database
from tests.fakes.loopback import HOST, ThreadServer, bind, port_of, serve
from tests.fakes.provider import Script, ScriptedProvider
from tests.fakes.proxy import FaultProxy
from tests.http.scripted import KEY, Scripted


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
async def postgres_proxy(tmp_path: Path) -> AsyncIterator[FaultProxy]:
    """Before a server of the test's own."""
    with bind() as reserved:
        port = port_of(reserved)
    with EmbeddedPostgres(tmp_path / "pg", durable=False, port=port) as url:
        migrate(url)
        async with FaultProxy(port) as proxy:
            proxy.url_of_database = make_conninfo(url, host=HOST, port=proxy.port)  # type: ignore[attr-defined]
            yield proxy


@pytest.fixture
async def client(start: Callable[..., Any], settings: Settings) -> httpx.AsyncClient:
    """Of an application over the small book, with the offline model."""
    return await start(settings)


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

        def scripted(index: Path = indexed_once, **changes: Any) -> Scripted:
            folder = tmp_path_factory.mktemp("scripted") / "index"
            copy_tree(index, folder)
            provider = ScriptedProvider([])
            defaults: dict[str, Any] = {
                "database_url": Secret(stack.enter_context(new_database(postgres))),
                "model_provider": "openai",
                "openai_base_url": stack.enter_context(ThreadServer(provider.app)).url + provider.prefix,
                "openai_api_key": Secret(KEY),
                "model_attempts": 1,
                "rate_limit_per_minute": 0,
                "book_title": "A Small Book of Tides",
            }
            opener = partial(open_resources, open_store=lambda _: EdgeStore(folder), embedder=Borrowed(embedder))
            app = create_app(Settings(**defaults | changes), open_resources=opener)
            url = stack.enter_context(ThreadServer(app)).url
            return Scripted(stack.enter_context(httpx.Client(base_url=url, timeout=30)), provider)

        yield scripted
