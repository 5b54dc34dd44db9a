"""The REST routes of Qdrant that we call, each answered by qdrant-client's in-memory engine.

A body is parsed, and a result is made, with qdrant-client's own models, so a request that the real server would not
understand is refused here too. Ranking is exact; search parameters such as `hnsw_ef` change nothing.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, TypeAdapter
from qdrant_client import AsyncQdrantClient, models

Model = TypeVar("Model", bound=BaseModel)


@dataclass
class Engine:
    db: AsyncQdrantClient = field(default_factory=lambda: AsyncQdrantClient(":memory:"))
    indexes: dict[str, dict[str, models.PayloadFieldSchema]] = field(default_factory=dict)
    """Collection -> payload field -> its index. The in-memory engine keeps none."""

    async def resolve(self, name: str) -> str:
        """The collection behind an alias."""
        aliases = (await self.db.get_aliases()).aliases
        return next((alias.collection_name for alias in aliases if alias.alias_name == name), name)


class Call(NamedTuple):
    engine: Engine
    name: str
    """The collection; empty where the route has none."""
    body: Any

    @property
    def db(self) -> AsyncQdrantClient:
        return self.engine.db

    def parse(self, model: type[Model]) -> Model:
        return model.model_validate(self.body)


Answer = Callable[[Call], Awaitable[object]]
Verb = Literal["GET", "PUT", "POST", "PATCH", "DELETE"]


async def collections(call: Call) -> object:
    return await call.db.get_collections()


async def aliases(call: Call) -> object:
    return await call.db.get_aliases()


async def collection_aliases(call: Call) -> object:
    return await call.db.get_collection_aliases(call.name)


async def change_aliases(call: Call) -> object:
    """All of them or none, as on the server; an alias that is there already is led elsewhere."""
    return await call.db.update_collection_aliases(call.parse(models.ChangeAliasesOperation).actions)


async def exists(call: Call) -> object:
    return {"exists": await call.db.collection_exists(call.name)}


async def info(call: Call) -> object:
    found = await call.db.get_collection(call.name)
    indexes = call.engine.indexes.get(await call.engine.resolve(call.name), {})
    found.payload_schema = {name: _index_info(schema, found.points_count or 0) for name, schema in indexes.items()}
    return found


def _index_info(schema: models.PayloadFieldSchema, points: int) -> models.PayloadIndexInfo:
    if isinstance(schema, models.PayloadSchemaType):
        return models.PayloadIndexInfo(data_type=schema, points=points)
    return models.PayloadIndexInfo(data_type=models.PayloadSchemaType(str(schema.type)), params=schema, points=points)


async def create(call: Call) -> object:
    wanted = call.parse(models.CreateCollection)
    if await call.engine.resolve(call.name) != call.name:
        raise ValueError(f"Can't create collection with name {call.name}. Alias with the same name already exists")
    return await call.db.create_collection(
        call.name,
        vectors_config=wanted.vectors,
        sparse_vectors_config=wanted.sparse_vectors,
        metadata=wanted.metadata,
    )


async def update(call: Call) -> object:
    wanted = call.parse(models.UpdateCollection)
    await call.db.update_collection(call.name, metadata=wanted.metadata)
    return True


async def drop(call: Call) -> object:
    """With the aliases that lead to it; False for an alias' name, which is no collection."""
    call.engine.indexes.pop(call.name, None)
    return await call.db.delete_collection(call.name)


async def create_index(call: Call) -> object:
    """Only noted: the engine has no payload indexes and would warn that it has none."""
    wanted = call.parse(models.CreateFieldIndex)
    await call.db.get_collection(call.name)
    indexes = call.engine.indexes.setdefault(await call.engine.resolve(call.name), {})
    indexes[wanted.field_name] = wanted.field_schema or models.PayloadSchemaType.KEYWORD
    return models.UpdateResult(operation_id=0, status=models.UpdateStatus.COMPLETED)


async def upsert(call: Call) -> object:
    return await call.db.upsert(call.name, call.parse(models.PointsList).points)


async def retrieve(call: Call) -> object:
    wanted = call.parse(models.PointRequest)
    payload = True if wanted.with_payload is None else wanted.with_payload
    return await call.db.retrieve(call.name, wanted.ids, payload, wanted.with_vector or False)


async def query(call: Call) -> object:
    return await _query(call, call.parse(models.QueryRequest))


async def query_batch(call: Call) -> object:
    return [await _query(call, search) for search in call.parse(models.QueryRequestBatch).searches]


async def _query(call: Call, wanted: models.QueryRequest) -> models.QueryResponse:
    return await call.db.query_points(
        call.name,
        query=wanted.query,
        using=wanted.using,
        prefetch=wanted.prefetch,
        query_filter=wanted.filter,
        limit=10 if wanted.limit is None else wanted.limit,
        offset=wanted.offset,
        score_threshold=wanted.score_threshold,
        with_payload=wanted.with_payload or False,
        with_vectors=wanted.with_vector or False,
    )


async def count(call: Call) -> object:
    return await call.db.count(call.name, call.parse(models.CountRequest).filter)


async def scroll(call: Call) -> object:
    wanted = call.parse(models.ScrollRequest)
    points, next_page = await call.db.scroll(
        call.name,
        scroll_filter=wanted.filter,
        limit=10 if wanted.limit is None else wanted.limit,
        order_by=wanted.order_by,
        offset=wanted.offset,
        with_payload=True if wanted.with_payload is None else wanted.with_payload,
        with_vectors=wanted.with_vector or False,
    )
    return {"points": points, "next_page_offset": next_page}


async def delete(call: Call) -> object:
    return await call.db.delete(call.name, _selector(call.body))


def _selector(body: dict[str, Any]) -> models.PointsSelector:
    """By ids or by a filter."""
    chosen = {key: body[key] for key in ("points", "filter") if key in body}
    selector: models.PointsSelector = TypeAdapter(models.PointsSelector).validate_python(chosen)
    return selector


async def set_payload(call: Call) -> object:
    wanted = call.parse(models.SetPayload)
    return await call.db.set_payload(call.name, wanted.payload, _selector(call.body), key=wanted.key)


async def batch(call: Call) -> object:
    return await call.db.batch_update_points(call.name, call.parse(models.UpdateOperations).operations)


async def facet(call: Call) -> object:
    wanted = call.parse(models.FacetRequest)
    return await call.db.facet(call.name, wanted.key, wanted.filter, 10 if wanted.limit is None else wanted.limit)


COLLECTION = "/collections/{name:str}"
ROUTES: tuple[tuple[Verb, str, Answer], ...] = (
    ("GET", "/collections", collections),
    ("GET", "/aliases", aliases),
    ("POST", "/collections/aliases", change_aliases),
    ("GET", COLLECTION, info),
    ("PUT", COLLECTION, create),
    ("PATCH", COLLECTION, update),
    ("DELETE", COLLECTION, drop),
    ("GET", f"{COLLECTION}/exists", exists),
    ("GET", f"{COLLECTION}/aliases", collection_aliases),
    ("PUT", f"{COLLECTION}/index", create_index),
    ("PUT", f"{COLLECTION}/points", upsert),
    ("POST", f"{COLLECTION}/points", retrieve),
    ("POST", f"{COLLECTION}/points/query", query),
    ("POST", f"{COLLECTION}/points/query/batch", query_batch),
    ("POST", f"{COLLECTION}/points/count", count),
    ("POST", f"{COLLECTION}/points/scroll", scroll),
    ("POST", f"{COLLECTION}/points/delete", delete),
    ("POST", f"{COLLECTION}/points/payload", set_payload),
    ("POST", f"{COLLECTION}/points/batch", batch),
    ("POST", f"{COLLECTION}/facet", facet),
)
