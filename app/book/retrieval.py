"""From a question to passages: both legs of the search, fused."""

import time

import msgspec

from app.book.bm25 import TermEncoder
from app.book.embedding import Embedder
from app.book.vector_store import NO_FILTERS, Filters, Hit, IndexState, Legs, VectorStore
from app.errors import CollectionMissingError

LEG_LIMIT = 50
"""Candidates of each leg."""
RRF_K = 2
"""Measured best on books of these sizes."""


class Scores(msgspec.Struct, frozen=True):
    """How well a passage fits: null where a leg did not find it."""

    cosine: float | None
    bm25: float | None
    fused: float


class Passage(msgspec.Struct, frozen=True):
    """A chunk as found; start and end are character offsets in the source file."""

    chunk_id: str
    source: str
    title: str
    heading_path: list[str]
    url: str
    text: str
    start: int
    end: int
    scores: Scores


class Retriever:
    def __init__(self, embedder: Embedder, terms: TermEncoder, store: VectorStore, base_url: str = "") -> None:
        self._embedder = embedder
        self._terms = terms
        self._store = store
        self._base_url = base_url.rstrip("/")
        self._state: IndexState | None = None
        self._state_until = 0.0

    async def search(self, query: str, *, limit: int, filters: Filters = NO_FILTERS) -> list[Passage]:
        """Best first. Raises VectorStoreUnavailableError, CollectionMissingError or EmbeddingError."""
        dense = await self._embedder.embed_query(query)
        legs = await self._store.search(dense.tolist(), self._terms.query(query), limit=LEG_LIMIT, filters=filters)
        if not legs.dense and (await self._store.state()).chunks == 0:
            raise CollectionMissingError
        return [self._passage(hit, scores) for hit, scores in fuse(legs)[:limit]]

    async def index_version(self) -> str:
        """At most as old as the store allows."""
        if self._state is None or time.monotonic() >= self._state_until:
            self._state = await self._store.state()
            self._state_until = time.monotonic() + self._store.state_ttl_s
        return self._state.version

    def _passage(self, hit: Hit, scores: Scores) -> Passage:
        payload = hit.payload
        return Passage(
            chunk_id=hit.id,
            source=payload["source"],
            title=payload["title"],
            heading_path=list(payload["heading_path"]),
            url=self._base_url + payload["url"],
            text=payload["text"],
            start=payload["start"],
            end=payload["end"],
            scores=scores,
        )


def fuse(legs: Legs) -> list[tuple[Hit, Scores]]:
    """Reciprocal rank fusion (Cormack, Clarke and Buettcher 2009), ranks from 0; ties in the order of ids."""
    hits = {hit.id: hit for leg in legs for hit in leg}
    cosine = {hit.id: hit.score for hit in legs.dense}
    bm25 = {hit.id: hit.score for hit in legs.terms}
    fused: dict[str, float] = dict.fromkeys(hits, 0.0)
    for leg in legs:
        for rank, hit in enumerate(leg):
            fused[hit.id] += 1 / (RRF_K + rank)
    best_first = sorted(hits, key=lambda id_: (-fused[id_], id_))
    return [(hits[id_], Scores(cosine.get(id_), bm25.get(id_), fused[id_])) for id_ in best_first]
