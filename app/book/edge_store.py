"""The embedded vector store of `book-agent dev`: Qdrant's engine in this process, one folder per generation.

A writer builds a new generation beside the current one and then moves the pointer file; a reader follows the pointer.
"""

from collections.abc import Collection, Hashable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any
from uuid import UUID

from app.book.arrays import Matrix, Vector
from app.book.bm25 import SparseVector
from app.book.edge_engine import call, load_shard, qe, records, where, where_any, where_id
from app.book.generations import SHARD, current_generation, read_state
from app.book.vector_store import (
    DENSE,
    NO_FILTERS,
    SPARSE,
    TOKENS,
    Filters,
    Hit,
    IndexState,
    Legs,
    best_by_point,
)
from app.errors import CollectionMissingError


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
        condition = where(filters)
        return Legs(
            self._leg([list(dense)], DENSE, limit, condition),
            self._leg(qe.SparseVector(*terms), SPARSE, limit, condition) if terms.indices else [],
        )

    async def best_matches(self, tokens: Matrix, ids: Sequence[str]) -> dict[str, Vector]:
        if not len(tokens) or not ids:
            return {}
        self._follow()
        condition = where_id(ids)
        requests = [
            qe.QueryRequest(limit=len(ids), filter=condition, query=qe.Query.Nearest([row], using=TOKENS))
            for row in tokens.tolist()
        ]
        found = call(self._shard.query_batch, qe.QueryBatchRequest(requests))
        numbers: dict[Hashable, str] = {UUID(id_).int: id_ for id_ in ids}
        return best_by_point(numbers, [[(point.id.int, point.score) for point in points] for points in found])

    async def sections(self, section_ids: Collection[str]) -> list[Hit]:
        if not section_ids:
            return []
        self._follow()
        found = records(self._shard, True, where_any("section_id", section_ids))
        return [Hit(str(record.id), 0.0, record.payload or {}) for record in found]

    async def close(self) -> None:
        if self._shard is not None:
            self._shard.close()
            self._shard = None

    def _leg(self, query: Any, using: str, limit: int, condition: Any) -> list[Hit]:
        request = qe.QueryRequest(
            limit=limit, filter=condition, query=qe.Query.Nearest(query, using=using), with_payload=True
        )
        found = call(self._shard.query, request)
        return [Hit(str(point.id), float(point.score), point.payload or {}) for point in found]

    def _follow(self) -> None:
        generation = current_generation(self._root)
        if generation is None:
            raise CollectionMissingError
        if generation != self._generation:
            opened = load_shard(self._root / generation / SHARD)
            old, self._shard, self._generation = self._shard, opened, generation
            if old is not None:
                old.close()
