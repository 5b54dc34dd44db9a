"""What only the embedded engine has: generations, and processes that share a folder."""

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from app.book.bm25 import SparseVector
from app.book.edge_store import EdgeStore
from app.book.edge_writer import EdgeWriter
from app.book.generations import POINTER, SHARD, STATE, STORED, current_generation, read_state
from app.book.sparse_copy import copy_tree
from app.book.vector_store import IndexIdentity
from app.errors import (
    CollectionMissingError,
    ConfigurationError,
    IndexLockedError,
    IndexMismatchError,
    VectorStoreUnavailableError,
)
from tests.book.points import IDENTITY, point, write

REPOSITORY = Path(__file__).parents[2]

WRITER = """
import asyncio, signal, sys
from pathlib import Path
from app.book.edge_writer import EdgeWriter
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
        for number in range(1, 4):
            await write(EdgeWriter(root, IDENTITY), [point(number)])
        assert len(generations(root)) == 2
        assert await count(store) == 4

    async def test_is_told_that_another_process_has_the_index_open_until_that_one_ends(self, root, store):
        with process(READER, root), pytest.raises(VectorStoreUnavailableError, match="Another process has"):
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
    async def test_that_fails_midway_leaves_the_index(self, root, store):
        too_long = point(150)._replace(dense=np.ones((1, 3), np.float32))
        with pytest.raises(VectorStoreUnavailableError):
            await write(EdgeWriter(root, IDENTITY), [*(point(number) for number in range(150)), too_long])
        assert await count(store) == 1

    async def test_that_cannot_begin_leaves_no_lock(self, root):
        with pytest.raises(VectorStoreUnavailableError):
            await write(EdgeWriter(root, IndexIdentity("model@1", dimension=0), rebuild=True), [point(1)])
        assert (await write(EdgeWriter(root, IDENTITY), [point(1)])).chunks == 2
        assert len(generations(root)) == 2

    async def test_that_changes_nothing_copies_and_opens_nothing(self, root):
        before = sorted(root.rglob("*"))
        await write(EdgeWriter(root, IDENTITY), [])
        async with EdgeWriter(root, IDENTITY) as writer:
            assert len(await writer.stored()) == 1
        assert sorted(root.rglob("*")) == before

    async def test_changes_a_copy_while_another_process_serves_the_original(self, root):
        with process(READER, root):
            assert (await write(EdgeWriter(root, IDENTITY), [point(1)])).chunks == 2

    async def test_without_the_list_of_what_is_stored_reads_it_from_the_index(self, root):
        (root / current_generation(root) / STORED).unlink()
        async with EdgeWriter(root, IDENTITY) as writer:
            assert set(await writer.stored()) == {point(0).id}

    async def test_is_told_who_is_writing_already(self, root):
        with process(WRITER, root) as other:
            with pytest.raises(IndexLockedError, match=rf"another indexer \(process {other.pid}\) is at work in"):
                await write(EdgeWriter(root, IDENTITY), [])
            assert len(generations(root)) == 2, "the other's generation was removed"

    async def test_that_is_killed_leaves_the_index_and_the_next_goes_on(self, root, store):
        old = generations(root)
        with process(WRITER, root):
            pass
        assert len(generations(root)) == 2
        assert (current_generation(root), await count(store)) == (old[0], 1)
        async with EdgeWriter(root, IDENTITY) as writer:
            assert len(await writer.stored()) == 200
            await writer.publish()
        assert (await store.state()).chunks == 200

    @pytest.mark.parametrize("lost", ["beginning.json", f"{SHARD}/edge_config.json"])
    async def test_starts_again_from_the_index_where_a_killed_one_left_something_broken(self, root, lost):
        with process(WRITER, root):
            pass
        [left] = set(generations(root)) - {current_generation(root)}
        (root / left / lost).write_text("{")
        async with EdgeWriter(root, IDENTITY) as writer:
            assert set(await writer.stored()) == {point(0).id}
        assert generations(root) == [current_generation(root)]


class TestFullDisk:
    """What the engine maps must find its blocks: where it does not, the process is gone without a word."""

    @pytest.fixture
    def free(self, monkeypatch):
        def free(megabytes: float) -> None:
            usage = shutil.disk_usage("/")._replace(free=int(megabytes * 1e6))
            monkeypatch.setattr("app.book.disk_space.shutil.disk_usage", lambda _: usage)

        return free

    async def test_is_told_before_anything_is_written(self, tmp_path, free):
        free(199)
        with pytest.raises(ConfigurationError) as refused:
            await write(EdgeWriter(tmp_path, IDENTITY), [point(0)])
        assert f"200 MB are needed in {tmp_path}, and 199 MB are free" in refused.value.detail
        assert generations(tmp_path) == []

    async def test_must_have_room_for_a_copy_too(self, root, free):
        free(200)
        with pytest.raises(ConfigurationError, match="MB are needed"):
            await write(EdgeWriter(root, IDENTITY), [point(1)])
        assert generations(root) == [current_generation(root)]

    async def test_of_a_while_is_gone_on_from(self, tmp_path, free):
        async with EdgeWriter(tmp_path, IDENTITY) as writer:
            await writer.upsert([point(0)])
            free(63)
            for go_on in (writer.upsert([point(1)]), writer.publish()):
                with pytest.raises(ConfigurationError, match="64 MB are needed"):
                    await go_on
        with pytest.raises(ConfigurationError, match="64 MB are needed"):
            await EdgeWriter(tmp_path, IDENTITY).__aenter__()
        free(1000)
        assert (await write(EdgeWriter(tmp_path, IDENTITY), [point(1)])).chunks == 2


class TestPointer:
    async def test_of_an_older_version_is_followed_and_its_index_told_apart(self, root, store):
        generation = current_generation(root)
        (root / POINTER).write_text(generation)
        (root / generation / STATE).write_text(
            f'{{"identity":{{"embedding":"model@1","dimension":2,"distance":"Cosine"}},"version":"{generation}","chunks":1}}'
        )
        assert (await store.state()).identity.token_vectors == "off"
        with pytest.raises(
            IndexMismatchError, match=r"distance is Cosine to one vector a chunk .* chunker is not recorded"
        ):
            await write(EdgeWriter(root, IDENTITY), [point(1)])
        assert (await write(EdgeWriter(root, IDENTITY, rebuild=True), [point(1)])).chunks == 1

    async def test_that_is_missing_is_no_index(self, root, store):
        (root / POINTER).unlink()
        with pytest.raises(CollectionMissingError):
            await store.sections(["intro.md#0"])
        with pytest.raises(CollectionMissingError):
            await store.state()


def test_a_copy_has_the_same_bytes_and_no_more_blocks(tmp_path):
    (tmp_path / "tree" / "deep").mkdir(parents=True)
    with (tmp_path / "tree" / "deep" / "sparse").open("wb") as file:
        file.write(b"begin")
        file.seek(20_000_000)
        file.write(b"middle")
        file.truncate(40_000_000)
    (tmp_path / "tree" / "empty").touch()
    (tmp_path / "tree" / "dense").write_bytes(bytes(range(256)) * 20_000)
    copy_tree(tmp_path / "tree", tmp_path / "copy")
    for name in ("deep/sparse", "empty", "dense"):
        original, copy = tmp_path / "tree" / name, tmp_path / "copy" / name
        assert copy.read_bytes() == original.read_bytes()
        assert copy.stat().st_blocks <= original.stat().st_blocks + 16
