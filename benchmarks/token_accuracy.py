"""Accuracy of a variant of token vectors: the service's own ranking, on candidates whose vectors are kept otherwise."""

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import msgspec
from building import points_of
from token_variants import Variant, Words

from app.book.arrays import Matrix
from app.book.bm25 import TermEncoder
from app.book.cutting import CutDocument
from app.book.edge_store import EdgeStore
from app.book.edge_writer import EdgeWriter
from app.book.embedding import Embedder
from app.book.evaluation import DEPTH
from app.book.identity import identity_of
from app.book.ranking import POOL, Candidate, coverage, fuse, rerank
from app.book.retrieval import LEG_LIMIT, limited
from app.book.token_vectors import unit_rows
from app.book.vector_store import NO_TOKENS, Hit

IsAnswer = Callable[[Hit], bool]


class Kept(NamedTuple):
    """Of one chunk."""

    vectors: Matrix
    """Full ones (tokens, model's dimension)."""
    words: list[str]


class Query(NamedTuple):
    text: str
    group: str
    is_answer: IsAnswer
    by_source: bool
    """A source counts once, at its first hit."""


class Asked(NamedTuple):
    query: Query
    tokens: Matrix
    """Full ones."""
    candidates: list[Candidate]
    """As fused, without matches."""
    coverage: float


class Library(NamedTuple):
    kept: dict[str, Kept]
    asked: list[Asked]


async def make_library(
    documents: Sequence[CutDocument], queries: Iterable[Query], embedder: Embedder, folder: Path
) -> Library:
    """`embedder` has full token vectors; the candidates come from an index without any."""
    words = Words(embedder)
    excerpts = {chunk.id: chunk.excerpts for document in documents for chunk in document.chunks}
    identity = msgspec.structs.replace(identity_of(embedder), token_vectors=NO_TOKENS, token_dimension=0)
    kept = {}
    async with EdgeWriter(folder, identity) as writer:
        async for points in points_of(documents, embedder):
            kept |= {point.id: Kept(point.tokens, words.of(excerpts[point.id])) for point in points}
            await writer.upsert([point._replace(tokens=None) for point in points])
        await writer.publish()
    store = EdgeStore(folder)
    search = _Search(embedder, store)
    asked = [await search.candidates(query) for query in queries]
    await store.close()
    return Library(kept, asked)


def ranks(library: Library, variant: Variant | None, basis: Matrix) -> dict[str, list[int | None]]:
    """Of the first answer, from 1, by group; without a variant by fusion alone."""
    stored = {}
    if variant is not None:
        stored = {
            id_: variant.stored(unit_rows(one.vectors[variant.kept(one.words)]), basis)
            for id_, one in library.kept.items()
        }
    found: dict[str, list[int | None]] = {}
    for asked in library.asked:
        tokens = variant.projected(asked.tokens, basis) if variant is not None else asked.tokens
        looked_at = [
            one._replace(matches=(stored[one.hit.id] @ tokens.T).max(axis=0)) if one.hit.id in stored else one
            for one in asked.candidates[:POOL]
        ]
        ranked = rerank([*looked_at, *asked.candidates[POOL:]], asked.coverage)
        found.setdefault(asked.query.group, []).append(_rank([one.hit for one in ranked], asked.query))
    return found


class _Search:
    def __init__(self, embedder: Embedder, store: EdgeStore) -> None:
        self._embedder = embedder
        self._store = store
        self._terms = TermEncoder()
        self._terms_of: dict[str, frozenset[int]] = {}

    async def candidates(self, query: Query) -> Asked:
        vectors, terms = limited(await self._embedder.embed_query(query.text)), self._terms.query(query.text)
        legs = await self._store.search(vectors.dense.tolist(), terms, limit=LEG_LIMIT)
        covered = coverage(terms.indices, legs.terms, self._terms_in)
        return Asked(query, vectors.tokens, fuse(legs), covered)

    def _terms_in(self, hit: Hit) -> frozenset[int]:
        if hit.id not in self._terms_of:
            text = "\n".join((*hit.payload["heading_path"], hit.payload["text"]))
            self._terms_of[hit.id] = frozenset(self._terms.passage(text).indices)
        return self._terms_of[hit.id]


def _rank(hits: Sequence[Hit], query: Query) -> int | None:
    shown: dict[str, Hit] = {}
    for hit in hits:
        shown.setdefault(hit.payload["source"] if query.by_source else hit.id, hit)
    return next((rank for rank, hit in enumerate(islice(shown.values(), DEPTH), 1) if query.is_answer(hit)), None)
