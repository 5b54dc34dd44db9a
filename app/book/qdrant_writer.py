"""Writing an index on a Qdrant server: into the collection that serves, or into a new one that then takes its place."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, Self

from qdrant_client import AsyncQdrantClient, models

from app.book.identity import check_identity, differences
from app.book.qdrant_collections import Collections, Physical, new_version
from app.book.qdrant_lease import Lease
from app.book.qdrant_store import Retrying, records, rounded
from app.book.vector_store import (
    DENSE,
    SPARSE,
    TOKENS,
    IndexIdentity,
    IndexState,
    Point,
    Stored,
    slices,
    stored_of,
)
from app.errors import ConfigurationError
from app.settings import Settings

MOST_POINTS, MOST_FLOATS = 1000, 500_000
"""In one request, of at most some megabytes."""


class QdrantWriter:
    """Changes the collection that serves in place, or fills a new one; the next writer goes on with what it leaves.

    In place works because ids are stable and new points come before old ones go.
    """

    def __init__(
        self,
        client: AsyncQdrantClient,
        settings: Settings,
        identity: IndexIdentity,
        *,
        rebuild: bool = False,
        wait_s: float = 0.0,
    ) -> None:
        """`wait_s`: how long to wait for another writer to end."""
        self._client = client
        self._collections = Collections(client, settings)
        self._lease = Lease(client, settings, wait_s)
        self._retrying = Retrying(settings)
        self._identity = identity
        self._rebuild = rebuild
        self._serving: Physical | None = None
        self._others: list[Physical] = []
        self._target = ""
        self._touched = False
        self._held = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._lease)
            self._serving = await self._collections.serving()
            self._others = await self._collections.others(self._serving)
            if self._serving is not None:
                self._check(self._serving)
            if self._serving is not None and not self._rebuild:
                self._target, self._touched = self._serving.name, self._serving.unfinished
            else:
                self._target = await self._adopted()
            self._held = stack.pop_all()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._held.aclose()

    async def stored(self) -> Mapping[str, Stored]:
        if not self._target:
            return {}
        said = records(self._client, self._retrying, self._target, list(Stored._fields))
        return {str(record.id): stored_of(record.payload or {}) async for record in said}

    async def replaces(self) -> int | None:
        if self._serving is None:
            return 0
        return self._serving.state.chunks if self._rebuild else None

    async def upsert(self, points: Sequence[Point]) -> None:
        name = await self._open()
        for batch in slices(points, MOST_POINTS, MOST_FLOATS):
            structs = [_struct(point) for point in batch]
            await self._retrying(lambda structs=structs: self._client.upsert(name, structs, wait=True))  # type: ignore[misc]

    async def set_payloads(self, payloads: Mapping[str, dict[str, Any]]) -> None:
        changes = [
            models.OverwritePayloadOperation(overwrite_payload=models.SetPayload(payload=payload, points=[id_]))
            for id_, payload in payloads.items()
        ]
        for first in range(0, len(changes), MOST_POINTS):
            name, batch = await self._open(), changes[first : first + MOST_POINTS]
            await self._retrying(
                lambda name=name, batch=batch: self._client.batch_update_points(name, batch, wait=True)  # type: ignore[misc]
            )

    async def delete(self, ids: Collection[str]) -> None:
        if ids:
            name, gone = await self._open(), models.PointIdsList(points=list(ids))
            await self._retrying(lambda: self._client.delete(name, gone, wait=True))

    async def publish(self) -> IndexState:
        if self._serving is not None and self._target == self._serving.name:
            if not self._touched:
                return self._serving.state
            self._lease.check()
            await self._collections.note(self._target, index_version=new_version(), published=True, unfinished=False)
        else:
            name = await self._open()
            await self._collections.switch(name)
            await self._drop_others(name)
        return (await self._collections.described(self._target)).state

    async def ensure_collection(self) -> bool:
        """True if an empty one was made, False if it was there and fits."""
        async with self:
            if self._serving is not None:
                return False
            await self.publish()
            return True

    def _check(self, serving: Physical) -> None:
        """Raises IndexMismatchError, or ConfigurationError where a rebuild would not mend it."""
        is_plain = serving.name == self._collections.alias
        if is_plain and (self._rebuild or differences(serving.state.identity, self._identity, strictly=True)):
            raise ConfigurationError(
                f"{serving.name} is a collection that was not made by this version: it cannot be replaced while it "
                "serves. Set QDRANT_COLLECTION to a new name, run `book-agent index`, and restart the service with it"
            )
        if not self._rebuild:
            check_identity(serving.state.identity, self._identity, strictly=True)

    async def _adopted(self) -> str:
        """An unpublished collection that was made like ours, if there is one; the others of its kind are dropped."""
        if self._serving is not None and not self._serving.published:
            await self._collections.note(self._serving.name, published=True)
        name = ""
        for other in [one for one in self._others if not one.published]:
            if not name and other.state.identity == self._identity:
                name = other.name
                await self._collections.complete(name)
            else:
                await self._collections.drop(other.name)
        return name

    async def _open(self) -> str:
        """The collection to write to, made now if it is not there yet."""
        self._lease.check()
        if not self._target:
            self._target = await self._collections.create(self._identity)
        elif not self._touched and self._serving is not None and self._target == self._serving.name:
            await self._collections.complete(self._target)
            await self._collections.note(self._target, index_version=new_version(), unfinished=True)
        self._touched = True
        return self._target

    async def _drop_others(self, new: str) -> None:
        """All but the one that served until now."""
        keep = {new, self._serving.name if self._serving else ""}
        for name in [one.name for one in self._others if one.name not in keep]:
            await self._collections.drop(name)


async def roll_back(client: AsyncQdrantClient, settings: Settings, wait_s: float = 0.0) -> IndexState:
    """Let the collection before the last rebuild serve again. Raises ConfigurationError if there is none."""
    collections = Collections(client, settings)
    async with Lease(client, settings, wait_s):
        serving = await collections.serving()
        previous = next((one for one in await collections.others(serving) if one.published), None)
        if serving is None or previous is None:
            raise ConfigurationError(f"there is no previous index of {collections.alias} to go back to")
        await collections.switch(previous.name)
        if not serving.published:
            await collections.note(serving.name, published=True)
        return previous.state


def _struct(point: Point) -> models.PointStruct:
    vector: dict[str, Any] = {
        DENSE: point.dense.tolist(),
        SPARSE: models.SparseVector(indices=point.terms.indices, values=point.terms.values),
    }
    if point.tokens is not None:
        vector[TOKENS] = rounded(point.tokens)
    return models.PointStruct(id=point.id, payload=point.payload, vector=vector)
