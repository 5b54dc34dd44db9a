"""The vector store on a Qdrant server or Qdrant Cloud: the one place that knows qdrant-client."""

import asyncio
import math
import uuid
import warnings
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Self, TypeVar

import httpx
import stamina
from qdrant_client import AsyncQdrantClient, models
from qdrant_client.common.client_exceptions import QdrantException, ResourceExhaustedResponse
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse

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
    check_identity,
)
from app.errors import (
    BookAgentError,
    CollectionMissingError,
    VectorStoreUnauthorizedError,
    VectorStoreUnavailableError,
)
from app.settings import Settings

RETRIED_STATUSES = {429, 500, 502, 503, 504}
UNAUTHORIZED, FORBIDDEN, NOT_FOUND, CONFLICT = 401, 403, 404, 409
CONNECTIONS = 50

T = TypeVar("T")


def open_client(settings: Settings) -> AsyncQdrantClient:
    """Connects on first use. An endpoint without a port gets Qdrant's own, 6333."""
    endpoint = settings.qdrant_cluster_endpoint
    with warnings.catch_warnings():  # a key over plain http gets here only for loopback
        warnings.filterwarnings("ignore", message="Api key is used with an insecure connection")
        return AsyncQdrantClient(
            url=endpoint,
            api_key=settings.qdrant_api_key.reveal() or None,
            timeout=math.ceil(settings.qdrant_timeout_s),
            check_compatibility=False,
            limits=httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS),
        )


class Retrying:
    """Calls Qdrant: some attempts within one deadline, every failure translated."""

    def __init__(self, settings: Settings) -> None:
        self._attempts = settings.qdrant_attempts
        self._timeout_s = settings.qdrant_timeout_s

    async def __call__(self, call: Callable[[], Awaitable[T]]) -> T:
        try:
            async with asyncio.timeout(self._timeout_s):
                async for attempt in stamina.retry_context(
                    on=is_retryable,
                    attempts=self._attempts,
                    timeout=None,
                    wait_initial=0.1,
                    wait_jitter=0.1,
                    wait_max=2.0,
                ):
                    with attempt:
                        return await call()
        except (ApiException, QdrantException, ValueError, TimeoutError) as error:
            raise translate(error) from error
        raise AssertionError("unreachable: the last attempt returns or raises")


class QdrantStore:
    state_ttl_s = 30.0

    def __init__(self, client: AsyncQdrantClient, settings: Settings) -> None:
        self._client = client
        self._collection = settings.qdrant_collection
        self._retrying = Retrying(settings)

    async def state(self) -> IndexState:
        info = await self._retrying(lambda: self._client.get_collection(self._collection))
        return _state(info)

    async def search(
        self, dense: Sequence[float], terms: SparseVector, *, limit: int, filters: Filters = NO_FILTERS
    ) -> Legs:
        queries: list[tuple[str, Any]] = [(DENSE, list(dense))]
        if terms.indices:
            queries.append((SPARSE, models.SparseVector(indices=terms.indices, values=terms.values)))
        requests = [
            models.QueryRequest(
                query=models.NearestQuery(nearest=query),
                using=using,
                limit=limit,
                filter=_filter(filters),
                with_payload=True,
            )
            for using, query in queries
        ]
        found = await self._retrying(lambda: self._client.query_batch_points(self._collection, requests))
        legs = [[Hit(str(p.id), p.score, p.payload or {}) for p in response.points] for response in found]
        return Legs(legs[0], legs[1] if len(legs) > 1 else [])

    async def version(self) -> str:
        info = await self._retrying(self._client.info)
        return f"Qdrant {info.version}"

    async def close(self) -> None:
        await self._client.close()


class QdrantWriter:
    """Writes into the collection in place: ids are stable, so writing a chunk again replaces it."""

    def __init__(self, client: AsyncQdrantClient, settings: Settings, identity: IndexIdentity) -> None:
        self._client = client
        self._collection = settings.qdrant_collection
        self._identity = identity
        self._retrying = Retrying(settings)

    async def __aenter__(self) -> Self:
        await self.ensure_collection()
        return self

    async def __aexit__(self, *exc: object) -> None:
        return None

    async def ensure_collection(self) -> bool:
        """True if it was made, False if it was there and fits. Raises IndexMismatchError if it doesn't fit."""
        if await self._retrying(lambda: self._client.collection_exists(self._collection)):
            info = await self._retrying(lambda: self._client.get_collection(self._collection))
            check_identity(_state(info).identity, self._identity)
            made = False
        else:
            made = await self._create()
        for field in FILTERED_FIELDS:
            await self._retrying(
                lambda field=field: self._client.create_payload_index(  # type: ignore[misc]
                    self._collection, field, models.PayloadSchemaType.KEYWORD, wait=True
                )
            )
        return made

    async def upsert(self, points: Sequence[Point]) -> None:
        batch = [
            models.PointStruct(
                id=point.id,
                payload=point.payload,
                vector={
                    DENSE: point.dense.tolist(),
                    SPARSE: models.SparseVector(indices=point.terms.indices, values=point.terms.values),
                },
            )
            for point in points
        ]
        await self._retrying(lambda: self._client.upsert(self._collection, batch, wait=True))

    async def publish(self) -> IndexState:
        await self._retrying(
            lambda: self._client.update_collection(self._collection, metadata=_metadata(self._identity))
        )
        return _state(await self._retrying(lambda: self._client.get_collection(self._collection)))

    async def _create(self) -> bool:
        try:
            await self._retrying(
                lambda: self._client.create_collection(
                    self._collection,
                    vectors_config={
                        DENSE: models.VectorParams(size=self._identity.dimension, distance=models.Distance.COSINE)
                    },
                    sparse_vectors_config={SPARSE: models.SparseVectorParams(modifier=models.Modifier.IDF)},
                    metadata=_metadata(self._identity),
                )
            )
        except VectorStoreUnavailableError as error:
            if getattr(error.__cause__, "status_code", None) == CONFLICT:  # somebody made it just now
                return False
            raise
        return True


def is_retryable(error: Exception) -> bool:
    if isinstance(error, ResourceExhaustedResponse):
        return True
    if isinstance(error, UnexpectedResponse):
        return error.status_code in RETRIED_STATUSES
    return isinstance(error, ResponseHandlingException) and isinstance(error.source, httpx.TransportError)


def translate(error: Exception) -> BookAgentError:
    """Our error for what qdrant-client raises."""
    if isinstance(error, ResourceExhaustedResponse):
        return VectorStoreUnavailableError("Qdrant has too many requests.", retry_after_s=error.retry_after_s)
    status = getattr(error, "status_code", None)
    if status in {UNAUTHORIZED, FORBIDDEN}:
        return VectorStoreUnauthorizedError()
    if status == NOT_FOUND:
        return CollectionMissingError()
    return VectorStoreUnavailableError()


def _metadata(identity: IndexIdentity) -> dict[str, Any]:
    return {"embedding": identity.embedding, "index_version": uuid.uuid4().hex[:12]}


def _state(info: models.CollectionInfo) -> IndexState:
    """Raises CollectionMissingError for a collection that was made for something else."""
    vectors = info.config.params.vectors
    dense = vectors.get(DENSE) if isinstance(vectors, dict) else None
    if dense is None or SPARSE not in (info.config.params.sparse_vectors or {}):
        raise CollectionMissingError(
            f"The collection has no vectors named {DENSE} and {SPARSE}: set QDRANT_COLLECTION to another name."
        )
    metadata = info.config.metadata or {}
    return IndexState(
        IndexIdentity(metadata.get("embedding"), dense.size, dense.distance.value),
        str(metadata.get("index_version", "unknown")),
        info.points_count or 0,
    )


def _filter(filters: Filters) -> models.Filter | None:
    conditions: list[Any] = [
        models.FieldCondition(key=key, match=models.MatchValue(value=value)) for key, value in filters.fields().items()
    ]
    return models.Filter(must=conditions) if conditions else None
