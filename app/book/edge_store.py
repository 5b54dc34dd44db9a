"""The embedded vector store of `book-agent dev`: Qdrant's engine in this process, one folder per generation.

A writer builds a new generation beside the current one and then moves the pointer file; a reader follows the pointer.
"""

import fcntl
import os
import shutil
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from importlib import metadata
from pathlib import Path
from typing import Any, Self

import msgspec

from app.book.bm25 import SparseVector
from app.book.vector_store import (
    DENSE,
    FILTERED_FIELDS,
    NO_FILTERS,
    SPARSE,
    Filters,
    Hit,
    IndexIdentity,
    IndexState,
    Legs,
    Point,
)
from app.errors import CollectionMissingError, ConfigurationError, MissingExtraError, VectorStoreUnavailableError

try:
    import qdrant_edge as qe
except ImportError as error:
    raise MissingExtraError(
        "the embedded vector store needs the `embedded` extra: pip install '.[embedded]'"
    ) from error

POINTER = "current"
STATE = "state.json"
LOCK = "writer.lock"
UPSERT_SIZE = 100
"""The engine holds the interpreter's lock during a call, so calls are kept short."""


class EdgeStore:
    """Reads the current generation. One process at a time can hold a generation open."""

    state_ttl_s = 0.0

    def __init__(self, root: Path) -> None:
        self._root = root
        self._shard: Any = None
        self._generation = ""

    async def state(self) -> IndexState:
        """Does not open the index, so it can be asked while another process serves."""
        state = read_state(self._root)
        if state is None:
            raise CollectionMissingError
        return state

    async def version(self) -> str:
        return f"qdrant-edge {metadata.version('qdrant-edge-py')}"

    async def search(
        self, dense: Sequence[float], terms: SparseVector, *, limit: int, filters: Filters = NO_FILTERS
    ) -> Legs:
        self._follow()
        where = _filter(filters)
        return Legs(
            self._leg(list(dense), DENSE, limit, where),
            self._leg(qe.SparseVector(*terms), SPARSE, limit, where) if terms.indices else [],
        )

    async def close(self) -> None:
        if self._shard is not None:
            self._shard.close()
            self._shard = None

    def _leg(self, query: Any, using: str, limit: int, where: Any) -> list[Hit]:
        request = qe.QueryRequest(
            limit=limit, filter=where, query=qe.Query.Nearest(query, using=using), with_payload=True
        )
        found = _call(self._shard.query, request)
        return [Hit(str(point.id), float(point.score), point.payload or {}) for point in found]

    def _follow(self) -> None:
        generation = current_generation(self._root)
        if generation is None:
            raise CollectionMissingError
        if generation != self._generation:
            opened = _call(qe.EdgeShard.load, str(self._root / generation / "shard"))
            old, self._shard, self._generation = self._shard, opened, generation
            if old is not None:
                old.close()


class EdgeWriter:
    """Builds a generation from nothing; without `publish` it leaves no trace."""

    def __init__(self, root: Path, identity: IndexIdentity) -> None:
        self._root = root
        self._identity = identity
        self._generation = f"generation-{uuid.uuid4().hex[:12]}"
        self._folder = root / self._generation
        self._shard: Any = None
        self._lock = -1

    async def __aenter__(self) -> Self:
        self._root.mkdir(parents=True, exist_ok=True)
        self._lock = _hold(self._root / LOCK)
        with ExitStack() as on_failure:
            on_failure.callback(self._leave)
            self._remove_others()
            (self._folder / "shard").mkdir(parents=True)
            self._shard = _create(self._folder / "shard", self._identity.dimension)
            on_failure.pop_all()
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._leave()

    def _leave(self) -> None:
        if self._shard is not None:
            self._shard.close()
        if current_generation(self._root) != self._generation:
            shutil.rmtree(self._folder, ignore_errors=True)
        os.close(self._lock)

    async def upsert(self, points: Sequence[Point]) -> None:
        for first in range(0, len(points), UPSERT_SIZE):
            batch = [
                qe.Point(point.id, {DENSE: point.dense.tolist(), SPARSE: qe.SparseVector(*point.terms)}, point.payload)
                for point in points[first : first + UPSERT_SIZE]
            ]
            _call(self._shard.update, qe.UpdateOperation.upsert_points(batch))

    async def publish(self) -> IndexState:
        _call(self._shard.optimize)
        _call(self._shard.flush)
        chunks = int(_call(self._shard.count, qe.CountRequest()))
        self._shard.close()
        self._shard = None
        state = IndexState(self._identity, self._generation, chunks)
        _write_durably(self._folder / STATE, msgspec.json.encode(state))
        _write_durably(self._root / POINTER, self._generation.encode())
        return state

    def _remove_others(self) -> None:
        current = current_generation(self._root)
        for folder in self._root.glob("generation-*"):
            if folder.name != current:
                shutil.rmtree(folder, ignore_errors=True)


def current_generation(root: Path) -> str | None:
    try:
        return (root / POINTER).read_text()
    except FileNotFoundError:
        return None


def read_state(root: Path) -> IndexState | None:
    """What the current generation is, without opening it."""
    try:
        return msgspec.json.decode((root / (current_generation(root) or "") / STATE).read_bytes(), type=IndexState)
    except (OSError, msgspec.DecodeError):
        return None


def _create(folder: Path, dimension: int) -> Any:
    config = qe.EdgeConfig(
        vectors={DENSE: qe.EdgeVectorParams(size=dimension, distance=qe.Distance.Cosine)},
        sparse_vectors={SPARSE: qe.EdgeSparseVectorParams(modifier=qe.Modifier.Idf)},
    )
    shard = _call(qe.EdgeShard.create, str(folder), config)
    for field in FILTERED_FIELDS:
        _call(shard.update, qe.UpdateOperation.create_field_index(field, qe.PayloadSchemaType.Keyword))
    return shard


def _filter(filters: Filters) -> Any:
    conditions: list[Any] = [
        qe.FieldCondition(key=key, match=qe.MatchValue(value)) for key, value in filters.fields().items()
    ]
    return qe.Filter(must=conditions) if conditions else None


def _call(operation: Callable[..., Any], *args: Any) -> Any:
    try:
        return operation(*args)
    except Exception as error:  # the engine raises nothing more exact
        if "WouldBlock" in str(error):
            raise VectorStoreUnavailableError(
                "another process has this book's embedded index open: end the other `book-agent dev` first"
            ) from error
        raise VectorStoreUnavailableError("the embedded vector store failed") from error


def _hold(lock: Path) -> int:
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(descriptor, 20, 0).decode() or "unknown"
        os.close(descriptor)
        raise ConfigurationError(f"another indexer (process {holder}) is at work in {lock.parent}") from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor


def _write_durably(path: Path, content: bytes) -> None:
    """All of it or nothing, and still there after a power cut."""
    beside = path.with_suffix(".new")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
