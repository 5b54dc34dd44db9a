"""What tests stand on: a real PostgreSQL, the real embedding model, a small book."""

import asyncio
import signal
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from app.book.bm25 import TermEncoder
from app.book.edge_store import EdgeStore
from app.book.edge_writer import EdgeWriter
from app.book.embedding import Embedder, load_embedder
from app.book.identity import identity_of
from app.book.indexing import Indexer, IndexOptions, Skipped
from app.book.retrieval import Retriever
from app.book.sparse_copy import copy_tree
from app.book.weights import PACKAGED_MODEL
from app.history.conversations import Conversations
from app.history.database import Database
from app.history.embedded_postgres import EmbeddedPostgres
from app.history.migrations import migrate
from app.settings import Secret, Settings, describe
from tests.fakes.loopback import HOST, bind, port_of
from tests.fakes.proxy import FaultProxy

SMALL_BOOK = Path(__file__).parent / "books" / "small"


def pytest_configure() -> None:
    """A shell lets what it runs in the background ignore Ctrl-C, and so would every process that a test starts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def scrubbed_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of this machine, and no `.env`, reaches a test."""
    for name, _, _ in describe():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A cluster for the session; its database is migrated, and is the template of each test's own.

    It listens on a port too, for the proxy.
    """
    with bind() as free:
        port = port_of(free)
    with EmbeddedPostgres(tmp_path_factory.mktemp("pg"), durable=False, port=port) as url:
        migrate(url)
        yield url


@contextmanager
def new_database(postgres: str) -> Iterator[str]:
    """A copy of the migrated one."""
    name = f"test_{uuid.uuid4().hex}"
    template = conninfo_to_dict(postgres)["dbname"]
    admin = make_conninfo(postgres, dbname="postgres")
    with psycopg.connect(admin, autocommit=True) as session:
        session.execute(f'create database {name} template "{template}"'.encode())
    yield make_conninfo(postgres, dbname=name)
    with psycopg.connect(admin, autocommit=True) as session:
        session.execute(f"drop database {name} with (force)".encode())


@pytest.fixture
def database_url(postgres: str) -> Iterator[str]:
    """A migrated database that is this test's alone."""
    with new_database(postgres) as url:
        yield url


@pytest.fixture
async def postgres_proxy(postgres: str) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(int(conninfo_to_dict(postgres)["port"] or 0)) as proxy:
        yield proxy


@pytest.fixture
def proxied_url(database_url: str, postgres_proxy: FaultProxy) -> str:
    """The test's own database, behind the proxy."""
    return make_conninfo(database_url, host=HOST, port=postgres_proxy.port)


@pytest.fixture
def make_settings(database_url: str) -> Callable[..., Settings]:
    def make(**changes: Any) -> Settings:
        defaults: dict[str, Any] = {
            "database_url": Secret(database_url),
            "model_provider": "offline",
            "rate_limit_per_minute": 0,
            "book_title": "A Small Book of Tides",
        }
        return Settings(**defaults | changes)

    return make


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    return make_settings()


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    database = Database(settings)
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def conversations(database: Database) -> Conversations:
    return Conversations(database)


@pytest.fixture(scope="session")
def embedder() -> Iterator[Embedder]:
    embedder = load_embedder(PACKAGED_MODEL, threads=1)
    yield embedder
    embedder.close()


@pytest.fixture(scope="session")
def terms() -> TermEncoder:
    return TermEncoder()


class SilentProgress:
    def begin(self, documents: int) -> None: ...
    def embed(self, source: str, done: int, chunks: int) -> None: ...
    def advance(self, source: str, chunks: int) -> None: ...
    def skip(self, skipped: Skipped) -> None: ...
    def miss(self, skipped: Skipped) -> None: ...


@pytest.fixture(scope="session")
def indexed_once(embedder: Embedder, terms: TermEncoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("indexed") / "index"
    indexer = Indexer(IndexOptions(source=SMALL_BOOK), embedder, terms, SilentProgress())
    asyncio.run(indexer.run(EdgeWriter(root, identity_of(embedder))))
    return root


@pytest.fixture
def small_index(indexed_once: Path, tmp_path: Path) -> Path:
    """The folder of an embedded index of the small book, of each test's own."""
    copy_tree(indexed_once, tmp_path / "index")
    return tmp_path / "index"


@pytest.fixture
async def small_store(small_index: Path) -> AsyncIterator[EdgeStore]:
    store = EdgeStore(small_index)
    yield store
    await store.close()


@pytest.fixture
def retriever(embedder: Embedder, terms: TermEncoder, small_store: EdgeStore) -> Retriever:
    return Retriever(embedder, terms, small_store, "https://tides.example")
