"""The vector store on a Qdrant server or Qdrant Cloud, and how any of us calls qdrant-client."""

import asyncio
import json
import math
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from typing import Any, TypeVar

import httpx
import numpy as np
import stamina
from qdrant_client import AsyncQdrantClient, models
from qdrant_client.common.client_exceptions import QdrantException, ResourceExhaustedResponse
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse

from app.book.arrays import Matrix, Vector
from app.book.bm25 import SparseVector
from app.book.vector_store import (
    DENSE,
    NO_FILTERS,
    NO_TOKENS,
    ONE_VECTOR,
    SPARSE,
    TOKENS,
    Filters,
    Hit,
    IndexIdentity,
    IndexState,
    Legs,
    best_by_point,
)
from app.errors import (
    LONGEST_RETRY_AFTER_S,
    BookAgentError,
    CollectionMissingError,
    VectorStoreRefusedError,
    VectorStoreUnauthorizedError,
    VectorStoreUnavailableError,
)
from app.settings import Settings

RETRIED_STATUSES = {429, 500, 502, 503, 504}
UNAUTHORIZED, FORBIDDEN, NOT_FOUND = 401, 403, 404
REFUSED_STATUSES = set(range(400, 500)) - {408, 429}
NO_QDRANT = "what answers (404) does not answer as a Qdrant server does"
CONNECTIONS = 50
SCROLL_SIZE = 1000

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
        loop = asyncio.get_running_loop()
        ends = loop.time() + self._timeout_s
        try:
            async with asyncio.timeout_at(ends):
                async for attempt in stamina.retry_context(
                    on=lambda error: retried(error, ends - loop.time()),
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
        return state_in(info)

    async def search(
        self, dense: Sequence[float], terms: SparseVector, *, limit: int, filters: Filters = NO_FILTERS
    ) -> Legs:
        queries: list[tuple[str, Any]] = [(DENSE, [list(dense)])]
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

    async def best_matches(self, tokens: Matrix, ids: Sequence[str]) -> dict[str, Vector]:
        if not len(tokens) or not ids:
            return {}
        requests = [
            models.QueryRequest(
                query=models.NearestQuery(nearest=[row]),
                using=TOKENS,
                filter=models.Filter(must=[models.HasIdCondition(has_id=list(ids))]),
                limit=len(ids),
                with_payload=False,
            )
            for row in rounded(tokens)
        ]
        found = await self._retrying(lambda: self._client.query_batch_points(self._collection, requests))
        points = [[(str(point.id), point.score) for point in response.points] for response in found]
        return best_by_point({id_: id_ for id_ in ids}, points)

    async def sections(self, section_ids: Collection[str]) -> list[Hit]:
        if not section_ids:
            return []
        wanted = models.FieldCondition(key="section_id", match=models.MatchAny(any=list(section_ids)))
        found = records(self._client, self._retrying, self._collection, True, models.Filter(must=[wanted]))
        return [Hit(str(record.id), 0.0, record.payload or {}) async for record in found]

    async def version(self) -> str:
        info = await self._retrying(self._client.info)
        return f"Qdrant {info.version}"

    async def close(self) -> None:
        await self._client.close()


async def records(
    client: AsyncQdrantClient,
    retrying: Retrying,
    collection: str,
    payload: bool | list[str],
    condition: models.Filter | None = None,
) -> AsyncIterator[models.Record]:
    """Every point that fits, with its payload or so much of it as is asked for."""
    offset: Any = None
    while True:
        found, offset = await retrying(
            lambda offset=offset: client.scroll(  # type: ignore[misc]
                collection, scroll_filter=condition, limit=SCROLL_SIZE, offset=offset, with_payload=payload
            )
        )
        for record in found:
            yield record
        if offset is None:
            return


def rounded(tokens: Matrix) -> list[list[float]]:
    """As many digits as the half precision has in which they are stored: less to send."""
    numbers: list[list[float]] = np.round(tokens.astype(np.float64), 4).tolist()
    return numbers


def retried(error: Exception, left_s: float) -> bool | float:
    """Whether to try again; or, where the server says when, in how many seconds, unless that is too late."""
    if isinstance(error, ResourceExhaustedResponse):
        return error.retry_after_s < left_s and float(error.retry_after_s)
    if isinstance(error, UnexpectedResponse):
        return error.status_code in RETRIED_STATUSES
    return isinstance(error, ResponseHandlingException) and isinstance(error.source, httpx.TransportError)


def translate(error: Exception) -> BookAgentError:
    """Our error for what qdrant-client raises."""
    if isinstance(error, ResourceExhaustedResponse):
        asked_s = min(max(1, error.retry_after_s), LONGEST_RETRY_AFTER_S)
        return VectorStoreUnavailableError("Qdrant has too many requests.", retry_after_s=asked_s)
    status = getattr(error, "status_code", None)
    if status in {UNAUTHORIZED, FORBIDDEN}:
        return VectorStoreUnauthorizedError()
    if status == NOT_FOUND:
        return CollectionMissingError() if _is_qdrants(error) else VectorStoreUnavailableError(reason=NO_QDRANT)
    if status in REFUSED_STATUSES:
        return VectorStoreRefusedError()
    return VectorStoreUnavailableError()


def _is_qdrants(error: Exception) -> bool:
    """Its 404 says what is missing; a proxy's, or another server's, says nothing of the kind."""
    try:
        said = json.loads(getattr(error, "content", b""))
    except ValueError:
        return False
    return isinstance(said, dict) and isinstance(said.get("status"), dict) and "error" in said["status"]


def state_in(info: models.CollectionInfo) -> IndexState:
    """Raises CollectionMissingError for a collection that was made for something else."""
    vectors = info.config.params.vectors
    dense = vectors.get(DENSE) if isinstance(vectors, dict) else None
    if not isinstance(vectors, dict) or dense is None or SPARSE not in (info.config.params.sparse_vectors or {}):
        raise CollectionMissingError(
            f"The collection has no vectors named {DENSE} and {SPARSE}: set QDRANT_COLLECTION to another name."
        )
    metadata = info.config.metadata or {}
    tokens = vectors.get(TOKENS)
    identity = IndexIdentity(
        metadata.get("embedding"),
        dense.size,
        dense.distance.value if dense.multivector_config else f"{dense.distance.value} {ONE_VECTOR}",
        metadata.get("token_vectors") if tokens else NO_TOKENS,
        tokens.size if tokens else 0,
        metadata.get("chunker"),
    )
    return IndexState(identity, str(metadata.get("index_version", "unknown")), info.points_count or 0)


def _filter(filters: Filters) -> models.Filter | None:
    conditions: list[Any] = [
        models.FieldCondition(key=key, match=models.MatchValue(value=value)) for key, value in filters.fields().items()
    ]
    return models.Filter(must=conditions) if conditions else None
