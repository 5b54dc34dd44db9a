"""A vector store behind a circuit breaker: while it keeps failing, nobody waits for it."""

from collections.abc import Collection, Sequence

from app.book.arrays import Matrix, Vector
from app.book.bm25 import SparseVector
from app.book.vector_store import NO_FILTERS, Filters, Hit, IndexState, Legs, VectorStore, is_unavailable
from app.breaker import Breaker
from app.errors import VectorStoreUnavailableError


class GuardedStore:
    """Its methods also raise VectorStoreUnavailableError at once, without a call, while the store rests."""

    def __init__(self, store: VectorStore) -> None:
        self.breaker = Breaker("qdrant", _resting, is_unavailable)
        self.state_ttl_s = store.state_ttl_s
        self._store = store

    async def state(self) -> IndexState:
        with self.breaker.guarding():
            return await self._store.state()

    async def version(self) -> str:
        with self.breaker.guarding():
            return await self._store.version()

    async def search(
        self, dense: Sequence[float], terms: SparseVector, *, limit: int, filters: Filters = NO_FILTERS
    ) -> Legs:
        with self.breaker.guarding():
            return await self._store.search(dense, terms, limit=limit, filters=filters)

    async def best_matches(self, tokens: Matrix, ids: Sequence[str]) -> dict[str, Vector]:
        with self.breaker.guarding():
            return await self._store.best_matches(tokens, ids)

    async def sections(self, section_ids: Collection[str]) -> list[Hit]:
        with self.breaker.guarding():
            return await self._store.sections(section_ids)

    async def close(self) -> None:
        await self._store.close()


def _resting(left_s: int) -> VectorStoreUnavailableError:
    return VectorStoreUnavailableError(
        f"The book search is resting after failures; it is tried again in {left_s} s.", retry_after_s=left_s
    )
