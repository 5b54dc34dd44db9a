"""Writing the embedded index: a changed copy of the current generation, or a new one, which is then published."""

import os
import shutil
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from app.book import generations
from app.book.disk_space import GOING_ON_B, NEW_GENERATION_B, check_room, disk_usage_of
from app.book.edge_engine import call, create_shard, edge_point, load_shard, qe, records
from app.book.generations import SHARD, Beginning
from app.book.identity import check_identity
from app.book.sparse_copy import copy_tree
from app.book.vector_store import (
    IndexIdentity,
    IndexState,
    Point,
    Stored,
    slices,
    stored_of,
)
from app.errors import ConfigurationError, VectorStoreUnavailableError

MOST_POINTS, MOST_FLOATS = 100, 1_000_000
"""In one call: the engine holds the interpreter's lock meanwhile, so calls are kept below 50 ms."""


class EdgeWriter:
    """Touches nothing before the first change; what it leaves unpublished, the next writer goes on with."""

    def __init__(self, root: Path, identity: IndexIdentity, *, rebuild: bool = False, wait_s: float = 0.0) -> None:
        """`wait_s`: how long to wait for another writer to end."""
        self._root = root
        self._identity = identity
        self._rebuild = rebuild
        self._wait_s = wait_s
        self._base: Path | None = None
        self._folder: Path | None = None
        self._shard: Any = None
        self._stored: dict[str, Stored] | None = None
        self._lock = -1

    async def __aenter__(self) -> Self:
        self._lock = await generations.hold(self._root, self._wait_s)
        with ExitStack() as on_failure:
            on_failure.callback(self._leave)
            current = generations.read_state(self._root)
            if current is not None and not self._rebuild:
                check_identity(current.identity, self._identity, strictly=True)
                self._base = self._root / (generations.current_generation(self._root) or "")
            self._adopt(generations.begun(self._root, self._beginning()))
            generations.remove_others(self._root, spared=self._folder)
            on_failure.pop_all()
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._leave()

    async def stored(self) -> Mapping[str, Stored]:
        return dict(self._known())

    async def replaces(self) -> int | None:
        if self._base is not None:
            return None
        current = generations.read_state(self._root)
        return current.chunks if current is not None else 0

    async def upsert(self, points: Sequence[Point]) -> None:
        shard, stored = self._open(), self._known()
        for batch in slices(points, MOST_POINTS, MOST_FLOATS):
            check_room(self._root, GOING_ON_B)
            call(shard.update, qe.UpdateOperation.upsert_points([edge_point(point) for point in batch]))
            stored.update((point.id, stored_of(point.payload)) for point in batch)

    async def set_payloads(self, payloads: Mapping[str, dict[str, Any]]) -> None:
        if payloads:
            shard, stored = self._open(), self._known()
            for id_, payload in payloads.items():
                call(shard.update, qe.UpdateOperation.overwrite_payload([id_], payload))
                stored[id_] = stored_of(payload)

    async def delete(self, ids: Collection[str]) -> None:
        if ids:
            shard, stored = self._open(), self._known()
            call(shard.update, qe.UpdateOperation.delete_points(list(ids)))
            for id_ in ids:
                stored.pop(id_, None)

    async def publish(self) -> IndexState:
        served = generations.read_state(self._root)
        if self._folder is None and self._base is not None and served is not None:
            return served
        shard = self._open()
        check_room(self._root, GOING_ON_B)
        for finish in (shard.optimize, shard.flush):
            call(finish)
        chunks = int(call(shard.count, qe.CountRequest()))
        self._close()
        folder = self._written()
        state = IndexState(self._identity, folder.name, chunks)
        generations.publish(folder, state, self._known())
        return state

    def _beginning(self) -> Beginning:
        return Beginning(self._identity, from_nothing=self._base is None)

    def _adopt(self, left: Path | None) -> None:
        if left is None:
            return
        check_room(self._root, GOING_ON_B)
        try:
            self._shard = load_shard(left / SHARD)
            self._stored = {str(record.id): stored_of(record.payload or {}) for record in _says(self._shard)}
        except VectorStoreUnavailableError:  # it was broken by what ended the other writer
            self._close()
            shutil.rmtree(left, ignore_errors=True)
        else:
            self._folder = left

    def _known(self) -> dict[str, Stored]:
        if self._stored is None:
            said = generations.stored_in(self._base) if self._base else {}
            if said is None:
                said = {str(record.id): stored_of(record.payload or {}) for record in _says(self._open())}
            self._stored = said
        return self._stored

    def _open(self) -> Any:
        """The shard to write to, made or copied now if it is not there yet."""
        if self._shard is None:
            check_room(self._root, NEW_GENERATION_B + (disk_usage_of(self._base / SHARD) if self._base else 0))
            folder = generations.new_generation(self._root)
            folder.mkdir()
            self._folder = folder
            if self._base is None:
                self._shard = create_shard(folder / SHARD, self._identity)
            else:
                copy_tree(self._base / SHARD, folder / SHARD)
                self._shard = load_shard(folder / SHARD)
            generations.begin(folder, self._beginning())
        return self._shard

    def _written(self) -> Path:
        if self._folder is None:
            raise AssertionError("nothing was opened")
        return self._folder

    def _close(self) -> None:
        if self._shard is not None:
            self._shard.close()
            self._shard = None

    def _leave(self) -> None:
        self._close()
        os.close(self._lock)


async def roll_back(root: Path, wait_s: float = 0.0) -> IndexState:
    """Let the previous generation serve again. Raises ConfigurationError if there is none."""
    lock = await generations.hold(root, wait_s)
    try:
        state = generations.roll_back(root)
    finally:
        os.close(lock)
    if state is None:
        raise ConfigurationError(f"there is no previous index in {root} to go back to")
    return state


def _says(shard: Any) -> Any:
    return records(shard, list(Stored._fields))
