"""Qdrant's engine in this process: our points and filters in its words, its failures in ours."""

import uuid
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

from app.book.vector_store import DENSE, FILTERED_FIELDS, SPARSE, TOKENS, Filters, IndexIdentity, Point
from app.errors import EmbeddedStoreError, EmbeddedStoreHeldError, MissingExtraError

try:
    import qdrant_edge as qe
except ImportError as error:
    raise MissingExtraError(
        "the embedded vector store needs the `embedded` extra: pip install '.[embedded]'"
    ) from error

__all__ = ["call", "create_shard", "edge_point", "load_shard", "qe", "records", "where", "where_any", "where_id"]

SCROLL_SIZE = 1000


def call(operation: Callable[..., Any], *args: Any) -> Any:
    try:
        return operation(*args)
    except Exception as error:  # the engine raises nothing more exact
        if "WouldBlock" in str(error):
            raise EmbeddedStoreHeldError from error
        raise EmbeddedStoreError from error


def load_shard(folder: Path) -> Any:
    return call(qe.EdgeShard.load, str(folder))


def create_shard(folder: Path, identity: IndexIdentity) -> Any:
    vectors = {DENSE: _dense_vectors(identity.dimension)}
    if identity.token_dimension:
        vectors[TOKENS] = _token_vectors(identity.token_dimension)
    config = qe.EdgeConfig(
        vectors=vectors, sparse_vectors={SPARSE: qe.EdgeSparseVectorParams(modifier=qe.Modifier.Idf)}
    )
    shard = call(qe.EdgeShard.create, str(folder), config)
    for field in FILTERED_FIELDS:
        call(shard.update, qe.UpdateOperation.create_field_index(field, qe.PayloadSchemaType.Keyword))
    return shard


def _dense_vectors(dimension: int) -> Any:
    """A point is as near to a query as the nearest of its excerpts."""
    return qe.EdgeVectorParams(
        size=dimension,
        distance=qe.Distance.Cosine,
        multivector_config=qe.MultiVectorConfig(qe.MultiVectorComparator.MaxSim),
    )


def _token_vectors(dimension: int) -> Any:
    """Without a graph (m=0): they are only looked at for points that are known, and a graph takes minutes to build."""
    return qe.EdgeVectorParams(
        size=dimension,
        distance=qe.Distance.Cosine,
        multivector_config=qe.MultiVectorConfig(qe.MultiVectorComparator.MaxSim),
        datatype=qe.VectorStorageDatatype.Float16,
        hnsw_config=qe.HnswIndexConfig(m=0, ef_construct=16, full_scan_threshold=10),
        memory=qe.Memory.Cold,
    )


def edge_point(point: Point) -> Any:
    vectors: dict[str, Any] = {DENSE: point.dense.tolist(), SPARSE: qe.SparseVector(*point.terms)}
    if point.tokens is not None:
        vectors[TOKENS] = point.tokens.tolist()
    return qe.Point(point.id, vectors, point.payload)


def where(filters: Filters) -> Any:
    conditions: list[Any] = [
        qe.FieldCondition(key=key, match=qe.MatchValue(value)) for key, value in filters.fields().items()
    ]
    return qe.Filter(must=conditions) if conditions else None


def where_any(field: str, values: Collection[str]) -> Any:
    return qe.Filter(must=[qe.FieldCondition(key=field, match=qe.MatchAny(list(values)))])


def where_id(ids: Collection[str]) -> Any:
    return qe.Filter(must=[qe.HasIdCondition({uuid.UUID(id_) for id_ in ids})])


def records(shard: Any, payload: Any, condition: Any = None) -> Iterator[Any]:
    """Every point that fits, with its payload or so much of it as is asked for."""
    offset = None
    while True:
        request = qe.ScrollRequest(offset=offset, limit=SCROLL_SIZE, filter=condition, with_payload=payload)
        found, offset = call(shard.scroll, request)
        yield from found
        if offset is None:
            return
