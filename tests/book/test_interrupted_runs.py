"""A run that is killed, or loses its server, at any point: the old index serves on, and the next run ends the work."""

import asyncio
import math
import os
import shutil
import signal
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from app.book import edge_writer, generations, qdrant_lease
from app.book.bm25 import SparseVector, TermEncoder
from app.book.edge_store import EdgeStore
from app.book.edge_writer import EdgeWriter
from app.book.identity import identity_of
from app.book.indexing import Indexer, IndexOptions, IndexReport
from app.book.qdrant_store import QdrantStore, Retrying, open_client
from app.book.qdrant_writer import QdrantWriter
from app.book.sparse_copy import copy_tree
from app.errors import VectorStoreUnavailableError
from app.settings import Settings
from tests.book.engines import Contents, EmbeddedEngine, ServerEngine
from tests.conftest import SilentProgress
from tests.fakes.cutter import CutterInProcess
from tests.fakes.embedder import DIMENSION, HashEmbedder
from tests.fakes.loopback import ThreadServer
from tests.fakes.qdrant import FakeQdrant, Fault

TERMS = TermEncoder()
LONG = "\n\n".join(f"## Part {number}\n\nThe tide rises {number} times." for number in range(12))
UNTOUCHED = "kept.md"
STRIDE = 3
"""Odd, so that it is before a call as often as after one; with 1 it takes two minutes."""


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("app.book.indexing.Cutter", CutterInProcess)
    monkeypatch.setattr(qdrant_lease, "TAKEOVER_PAUSE", 0.0)


@pytest.fixture
def book(tmp_path) -> Path:
    book = tmp_path / "book"
    book.mkdir()
    for name in ("a.md", "b.md", "c.md", UNTOUCHED):
        (book / name).write_text(f"# Chapter {name}\n\nThe tide of {name} rises.\n\n{LONG}\n")
    return book


def edit(book: Path) -> None:
    """Something to embed, something to move, something to delete."""
    (book / "a.md").write_text((book / "a.md").read_text().replace("rises 3 times", "falls"))
    (book / "b.md").write_text("\n" + (book / "b.md").read_text())
    (book / "c.md").unlink()
    (book / "d.md").write_text("# Chapter d\n\nNew words.\n")


async def run(book: Path, writer: Any) -> IndexReport:
    options = IndexOptions(source=book, batch_size=4)
    return await Indexer(options, HashEmbedder(), TERMS, SilentProgress()).run(writer)


def killed_at(point: int, watched: list[tuple[Any, str]], work: Callable[[], Coroutine[Any, Any, Any]]) -> bool:
    """Run in a process that is killed before or after its n-th call of what is watched; False if it came to its end."""
    child = os.fork()
    if child == 0:
        try:
            steps = iter(range(1, 10_000))
            for owner, name in watched:
                setattr(owner, name, _mortal(getattr(owner, name), steps, point))
            asyncio.run(work())
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def _mortal(call: Callable[..., Any], steps: Iterator[int], point: int) -> Callable[..., Any]:
    def step() -> None:
        if next(steps) == point:
            os.kill(os.getpid(), signal.SIGKILL)

    if asyncio.iscoroutinefunction(call):

        async def mortal_coroutine(*args: Any, **options: Any) -> Any:
            step()
            result = await call(*args, **options)
            step()
            return result

        return mortal_coroutine

    def mortal(*args: Any, **options: Any) -> Any:
        step()
        result = call(*args, **options)
        step()
        return result

    return mortal


async def sources(store: Any) -> set[str]:
    legs = await store.search([1.0] * DIMENSION, SparseVector([], []), limit=1000)
    return {hit.payload["source"] for hit in legs.dense}


EDGE_CALLS = [
    (edge_writer, "call"),
    (edge_writer, "create_shard"),
    (edge_writer, "load_shard"),
    (edge_writer, "copy_tree"),
    (generations, "write_durably"),
    (generations.shutil, "rmtree"),
]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("rebuild", [False, True], ids=["update", "rebuild"])
def test_an_embedded_index_survives_a_kill_at_any_point(book, tmp_path, rebuild):
    identity = identity_of(HashEmbedder())
    base = tmp_path / "base"
    asyncio.run(run(book, EdgeWriter(base, identity)))
    old = asyncio.run(EmbeddedEngine(base).contents())
    edit(book)
    fresh = tmp_path / "fresh"
    asyncio.run(run(book, EdgeWriter(fresh, identity)))
    wanted = asyncio.run(EmbeddedEngine(fresh).contents())
    assert wanted != old

    async def serving(root: Path) -> Contents:
        store = EdgeStore(root)
        assert UNTOUCHED in await sources(store)
        await store.close()
        return await EmbeddedEngine(root).contents()

    for point in range(1, 10_000, STRIDE):
        root = tmp_path / f"killed-{point}"
        copy_tree(base, root)
        if not killed_at(point, EDGE_CALLS, partial(run, book, EdgeWriter(root, identity, rebuild=rebuild))):
            break
        assert asyncio.run(serving(root)) in (old, wanted)
        asyncio.run(run(book, EdgeWriter(root, identity)))
        assert asyncio.run(serving(root)) == wanted
        assert len(list(root.glob("generation-*"))) <= 2
        for leftover in tmp_path.glob(f"killed-{point}*"):
            shutil.rmtree(leftover)
    assert point > 20, "it was hardly killed at all"


class Server:
    """A fake that outlives the processes that index into it."""

    def __init__(self, url: str, qdrant: FakeQdrant) -> None:
        self.qdrant = qdrant
        self.settings = Settings(qdrant_cluster_endpoint=url, qdrant_attempts=1)

    async def index(self, book: Path, *, rebuild: bool = False) -> IndexReport:
        client = open_client(self.settings)
        try:
            identity = identity_of(HashEmbedder())
            return await run(book, QdrantWriter(client, self.settings, identity, rebuild=rebuild))
        finally:
            await client.close()

    async def serving(self) -> Contents:
        client = open_client(self.settings)
        assert UNTOUCHED in await sources(QdrantStore(client, self.settings))
        contents = await ServerEngine(self.qdrant, client, self.settings).contents()
        await client.close()
        return contents


@pytest.fixture
def servers() -> Iterator[Callable[[], Server]]:
    running: list[ThreadServer] = []

    def start() -> Server:
        for one in running:
            one.__exit__()
        qdrant = FakeQdrant()
        running[:] = [ThreadServer(qdrant.app).__enter__()]
        return Server(running[0].url, qdrant)

    yield start
    for one in running:
        one.__exit__()


def of(contents: Contents, source: str) -> Contents:
    return {id_: point for id_, point in contents.items() if point[0]["source"] == source}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("rebuild", [False, True], ids=["update", "rebuild"])
@pytest.mark.parametrize("how", ["kill", "fault"])
def test_an_index_on_a_server_survives_the_end_of_a_run_at_any_point(book, tmp_path, servers, rebuild, how):
    """In place it is half old and half new afterwards, and every document that was left alone is whole."""
    original = tmp_path / "original"
    shutil.copytree(book, original)
    edit(book)
    server = servers()
    asyncio.run(server.index(book))
    wanted = asyncio.run(server.serving())
    for point in range(1, 10_000, STRIDE):
        server = servers()
        asyncio.run(server.index(original))
        old = asyncio.run(server.serving())
        if how == "kill":
            ended = killed_at(point, [(Retrying, "__call__")], partial(server.index, book, rebuild=rebuild))
        else:
            server.qdrant.faults += [Fault(times=point - 1), Fault(times=math.inf, status=503)]
            ended = fails(partial(server.index, book, rebuild=rebuild))
            server.qdrant.faults.clear()
        if not ended:
            break
        between = asyncio.run(server.serving())
        assert of(between, UNTOUCHED) == of(old, UNTOUCHED)
        if rebuild:
            assert between in (old, wanted)
        else:
            assert set(between) <= set(old) | set(wanted)
            assert set(between) >= set(old) & set(wanted)
        asyncio.run(server.index(book, rebuild=rebuild and between == old))
        assert asyncio.run(server.serving()) == wanted
    assert point > 15, "it hardly ended early at all"


def fails(work: Callable[[], Coroutine[Any, Any, Any]]) -> bool:
    try:
        asyncio.run(work())
    except VectorStoreUnavailableError:
        return True
    return False
