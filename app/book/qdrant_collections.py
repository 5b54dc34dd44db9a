"""The physical collections of an index on a Qdrant server: QDRANT_COLLECTION is an alias that leads to one of them."""

import re
import secrets
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
from qdrant_client import AsyncQdrantClient, models

from app.book.qdrant_store import Retrying, state_in
from app.book.vector_store import DENSE, FILTERED_FIELDS, SPARSE, TOKENS, IndexIdentity, IndexState
from app.errors import CollectionMissingError, ConfigurationError, VectorStoreUnavailableError
from app.settings import Settings

CONFLICT = 409
LONGEST_NAME = 220
"""A collection's is 255 at the most, and the physical ones add to it."""


class Physical(NamedTuple):
    name: str
    state: IndexState
    published: bool
    """It serves, or has served."""
    unfinished: bool
    """A writer changed it and did not end its work."""


class Collections:
    def __init__(self, client: AsyncQdrantClient, settings: Settings) -> None:
        self.alias = settings.qdrant_collection
        self._client = client
        self._retrying = Retrying(settings)
        self._name = re.compile(re.escape(self.alias) + r"--\d{8}T\d{6}-[0-9a-f]{8}")
        if len(self.alias) > LONGEST_NAME:
            raise ConfigurationError(f"QDRANT_COLLECTION: an index needs a name of at most {LONGEST_NAME} characters")

    async def serving(self) -> Physical | None:
        """What QDRANT_COLLECTION leads to: behind the alias, or a collection of that very name."""
        found = await self._retrying(self._client.get_aliases)
        behind = {alias.alias_name: alias.collection_name for alias in found.aliases}
        try:
            return await self.described(behind.get(self.alias, self.alias))
        except CollectionMissingError as error:
            if error.detail != CollectionMissingError().detail:  # it is there, but made for something else
                raise
            return None

    async def others(self, serving: Physical | None) -> list[Physical]:
        """The physical collections that don't serve, newest first."""
        found = await self._retrying(self._client.get_collections)
        names = sorted(one.name for one in found.collections if self._name.fullmatch(one.name))
        return [await self.described(name) for name in reversed(names) if serving is None or name != serving.name]

    async def described(self, name: str) -> Physical:
        info = await self._retrying(lambda: self._client.get_collection(name))
        metadata = info.config.metadata or {}
        return Physical(name, state_in(info), metadata.get("published", False), metadata.get("unfinished", False))

    async def create(self, identity: IndexIdentity) -> str:
        name = f"{self.alias}--{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
        try:
            await self._retrying(
                lambda: self._client.create_collection(
                    name,
                    vectors_config=_vectors(identity),
                    sparse_vectors_config={SPARSE: models.SparseVectorParams(modifier=models.Modifier.IDF)},
                    metadata=_metadata(identity) | {"index_version": new_version(), "published": False},
                )
            )
        except VectorStoreUnavailableError as error:
            if not is_conflict(error):  # else it was we: the server's answer was lost
                raise
        await self.complete(name)
        return name

    async def complete(self, name: str) -> None:
        """Make the payload indexes that it lacks."""
        info = await self._retrying(lambda: self._client.get_collection(name))
        for field in sorted(set(FILTERED_FIELDS) - set(info.payload_schema)):
            await self._retrying(
                lambda field=field: self._client.create_payload_index(  # type: ignore[misc]
                    name, field, models.PayloadSchemaType.KEYWORD, wait=True
                )
            )

    async def note(self, name: str, **metadata: Any) -> None:
        """Change some of its metadata."""
        await self._retrying(lambda: self._client.update_collection(name, metadata=metadata))

    async def switch(self, name: str) -> None:
        """Let the alias lead to a physical collection, in one step."""
        away = models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=self.alias))
        there = models.CreateAliasOperation(
            create_alias=models.CreateAlias(alias_name=self.alias, collection_name=name)
        )
        await self._retrying(lambda: self._client.update_collection_aliases([away, there]))
        await self.note(name, published=True)

    async def drop(self, name: str) -> None:
        await self._retrying(lambda: self._client.delete_collection(name))


def new_version() -> str:
    return uuid.uuid4().hex[:12]


def is_conflict(error: BaseException) -> bool:
    """Somebody has made it already."""
    return getattr(error.__cause__, "status_code", None) == CONFLICT


def _vectors(identity: IndexIdentity) -> Mapping[str, models.VectorParams]:
    """Token vectors have no graph (m=0): they are only looked at for points that are known."""
    nearest = models.MultiVectorConfig(comparator=models.MultiVectorComparator.MAX_SIM)
    vectors = {
        DENSE: models.VectorParams(size=identity.dimension, distance=models.Distance.COSINE, multivector_config=nearest)
    }
    if identity.token_dimension:
        vectors[TOKENS] = models.VectorParams(
            size=identity.token_dimension,
            distance=models.Distance.COSINE,
            multivector_config=nearest,
            datatype=models.Datatype.FLOAT16,
            hnsw_config=models.HnswConfigDiff(m=0),
            on_disk=True,
        )
    return vectors


def _metadata(identity: IndexIdentity) -> dict[str, Any]:
    said: dict[str, Any] = msgspec.to_builtins(identity)
    return {field: value for field, value in said.items() if value is not None}
