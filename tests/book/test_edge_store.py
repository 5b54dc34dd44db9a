"""What only the embedded engine has: generations, and processes that share a folder."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from app.book.bm25 import SparseVector
from app.book.edge_store import EdgeStore, EdgeWriter, current_generation, read_state
from app.book.vector_store import IndexIdentity
from app.errors import ConfigurationError, VectorStoreUnavailableError
from tests.book.points import IDENTITY, point, write

REPOSITORY = Path(__file__).parents[2]

WRITER = """
import asyncio, signal, sys
from pathlib import Path
from app.book.edge_store import EdgeWriter
from tests.book.points import IDENTITY, point

async def run():
    async with EdgeWriter(Path(sys.argv[1]), IDENTITY) as writer:
        await writer.upsert([point(number) for number in range(200)])
        print("ready", flush=True)
        signal.pause()

asyncio.run(run())
"""
READER = """
import asyncio, signal, sys
from pathlib import Path
from app.book.bm25 import SparseVector
from app.book.edge_store import EdgeStore

async def run():
    store = EdgeStore(Path(sys.argv[1]))
    await store.search([1.0, 0.0], SparseVector([], []), limit=1)
    print("ready", flush=True)
    signal.pause()

asyncio.run(run())
"""


@pytest.fixture
async def root(tmp_path) -> Path:
    """With one generation of one point."""
    await write(EdgeWriter(tmp_path, IDENTITY), [point(0)])
    return tmp_path


@pytest.fixture
async def store(root):
    store = EdgeStore(root)
    yield store
    await store.close()


@contextlib.contextmanager
def process(script: str, root: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process at work on the folder, until it is killed."""
    command = [sys.executable, "-c", script, str(root)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout.readline() == "ready\n"
            yield running
        finally:
            running.kill()


async def count(store: EdgeStore) -> int:
    return len((await store.search([1.0, 0.0], SparseVector([], []), limit=100)).dense)


def generations(root: Path) -> Sequence[str]:
    return sorted(folder.name for folder in root.glob("generation-*"))


class TestReader:
    async def test_follows_a_new_generation_without_a_failed_search(self, root, store):
        found = [await count(store)]
        async with EdgeWriter(root, IDENTITY) as writer:
            for number in range(5):
                await writer.upsert([point(number)])
                found.append(await count(store))
            await writer.publish()
            found.append(await count(store))
        assert found == [1, 1, 1, 1, 1, 1, 5]
        assert (await store.state()).chunks == 5

    async def test_goes_on_while_a_writer_removes_the_generation_it_has_open(self, root, store):
        await count(store)
        await write(EdgeWriter(root, IDENTITY), [point(0), point(1)])
        async with EdgeWriter(root, IDENTITY):
            assert len(generations(root)) == 2
            assert await count(store) == 2

    async def test_is_told_that_another_process_has_the_index_open_until_that_one_ends(self, root, store):
        with process(READER, root), pytest.raises(VectorStoreUnavailableError, match="another process has"):
            await count(store)
        assert await count(store) == 1

    async def test_knows_its_state_while_another_process_has_the_index_open(self, root, store):
        with process(READER, root):
            assert (await store.state()).chunks == 1

    async def test_read_state_needs_no_opening(self, root, store):
        await count(store)
        assert read_state(root) == await store.state()

    def test_read_state_of_an_empty_folder_is_none(self, tmp_path):
        assert read_state(tmp_path) is None


class TestWriter:
    async def test_that_fails_midway_leaves_the_index_and_no_folder(self, root, store):
        before = generations(root)
        too_long = point(150)._replace(dense=np.ones(3, np.float32))
        with pytest.raises(VectorStoreUnavailableError):
            await write(EdgeWriter(root, IDENTITY), [*(point(number) for number in range(150)), too_long])
        assert (generations(root), await count(store)) == (before, 1)

    async def test_that_cannot_begin_leaves_neither_folder_nor_lock(self, root):
        before = generations(root)
        with pytest.raises(VectorStoreUnavailableError):
            await write(EdgeWriter(root, IndexIdentity("model@1", dimension=0)), [])
        assert generations(root) == before
        assert (await write(EdgeWriter(root, IDENTITY), [point(0)])).chunks == 1

    async def test_without_publishing_leaves_the_index(self, root, store):
        async with EdgeWriter(root, IDENTITY) as writer:
            await writer.upsert([point(0), point(1)])
        assert (len(generations(root)), await count(store)) == (1, 1)

    async def test_is_told_who_is_writing_already(self, root):
        with process(WRITER, root) as other:
            with pytest.raises(ConfigurationError, match=rf"another indexer \(process {other.pid}\) is at work in"):
                await write(EdgeWriter(root, IDENTITY), [])
            assert len(generations(root)) == 2, "the other's generation was removed"

    async def test_in_the_same_process_is_told_so_too(self, root):
        async with EdgeWriter(root, IDENTITY):
            with pytest.raises(ConfigurationError, match=rf"another indexer \(process {os.getpid()}\)"):
                await write(EdgeWriter(root, IDENTITY), [])

    async def test_that_is_killed_leaves_the_index_and_the_next_cleans_up(self, root, store):
        old = generations(root)
        with process(WRITER, root):
            pass
        assert len(generations(root)) == 2
        assert (current_generation(root), await count(store)) == (old[0], 1)
        async with EdgeWriter(root, IDENTITY) as writer:
            await writer.upsert([point(0), point(1)])
            assert len(generations(root)) == 2, "the killed one's is still there"
            await writer.publish()
        assert await count(store) == 2

    async def test_of_another_model_replaces_the_index(self, root, store):
        await write(EdgeWriter(root, IndexIdentity("other@2", 2)), [point(0)])
        assert (await store.state()).identity.embedding == "other@2"
