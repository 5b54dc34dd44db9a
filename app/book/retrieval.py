"""From a question to passages: both legs of the search, fused, reranked, and without repetition."""

import time
from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from urllib.parse import unquote, urlsplit

import msgspec
from cachetools import LRUCache

from app.book.answerability import judge
from app.book.bm25 import STOP_WORDS, SparseVector, TermEncoder
from app.book.earlier_searches import EarlierSearches, SearchKey
from app.book.embedding import Embedder, QueryVectors
from app.book.passages import Found, Passage, Scores
from app.book.ranking import POOL, Candidate, coverage, fuse, rerank
from app.book.selection import distinct, is_in_small_section, joined
from app.book.spelling import corrected
from app.book.vector_store import NO_FILTERS, Filters, Hit, IndexState, Legs, VectorStore, is_unavailable
from app.errors import CollectionMissingError, VectorStoreUnavailableError

__all__ = ["Found", "Passage", "Retriever", "Scores"]

LEG_LIMIT = 30
"""Candidates of each leg."""
MOST_TOKENS = 48
"""Of a question, in the rerank."""
KNOWN_CHUNKS = 8192
"""Whose terms are remembered; about 2 KB each."""

Terms = frozenset[int]


class Retriever:
    def __init__(
        self,
        embedder: Embedder,
        terms: TermEncoder,
        store: VectorStore,
        base_url: str = "",
        earlier: EarlierSearches | None = None,
    ) -> None:
        """`earlier`: for when the store does not answer; without it that is an error."""
        self._embedder = embedder
        self._terms = terms
        self._store = store
        self._base_url = base_url.rstrip("/")
        self._earlier = earlier or EarlierSearches(0.0)
        self._state: IndexState | None = None
        self._state_until = 0.0
        self._terms_of: LRUCache[str, Terms] = LRUCache(KNOWN_CHUNKS)

    async def search(
        self, query: str, *, limit: int, filters: Filters = NO_FILTERS, whole_sections: bool = False
    ) -> Found:
        """Passages best first; with `whole_sections`, a passage from a small section is all of it.

        Misspelt words are put right by the words of what they find. When the store does not answer, not even to one of
        the search's requests, it is what the same search found earlier.

        Raises VectorStoreUnavailableError, CollectionMissingError or EmbeddingError.
        """
        asked = SearchKey(query, limit, filters, whole_sections)
        try:
            found = await self._found(asked)
        except VectorStoreUnavailableError as error:
            earlier = self._earlier.find(asked) if is_unavailable(error) else None
            if earlier is None:
                raise
            return earlier
        self._earlier.keep(asked, found)
        return found

    async def _found(self, search: SearchKey) -> Found:
        query, limit, filters, whole_sections = search
        asked, vectors, legs = await self._legs(query, filters)
        spelt = corrected(query, self._embedder.is_word, (_text(hit) for leg in legs for hit in leg))
        if spelt != query and set(self._terms.query(spelt).indices) != set(asked.indices):
            asked, vectors, legs = await self._legs(spelt, filters)
        fused = fuse(legs)
        covered = coverage(asked.indices, legs.terms, self._terms_in)
        ranked = rerank(await self._matched(fused, vectors), covered, self.on_page(fused, filters.page))
        hits = islice(distinct(ranked, self._terms_in, whole=whole_sections), limit)
        found = {one.hit.id: one for one in ranked}
        passages = [self.passage(found[hit.id]) for hit in hits]
        if whole_sections:
            passages = await self._widened(passages, {one.hit.id: one.hit for one in ranked})
        return Found(passages, judge(ranked, vectors.words, asked.indices, covered, legs.terms, self._terms_in))

    async def candidates(self, query: str, filters: Filters = NO_FILTERS) -> list[Candidate]:
        """Chunks best first as both legs rank them, not reranked. Raises as `search` does."""
        _, _, legs = await self._legs(query, filters)
        return fuse(legs)

    async def index_version(self) -> str:
        """At most as old as the store allows, or the last one known when the store does not answer."""
        if self._state is not None and time.monotonic() < self._state_until:
            return self._state.version
        try:
            self._state = await self._store.state()
            self._state_until = time.monotonic() + self._store.state_ttl_s
        except VectorStoreUnavailableError as error:
            if self._state is None or not is_unavailable(error):
                raise
        return self._state.version

    def passage(self, candidate: Candidate) -> Passage:
        payload = candidate.hit.payload
        return Passage(
            chunk_id=candidate.hit.id,
            source=payload["source"],
            title=payload["title"],
            heading_path=list(payload["heading_path"]),
            url=self._base_url + payload["url"],
            text=payload["text"],
            start=payload["start"],
            end=payload["end"],
            scores=_scores(candidate),
        )

    def on_page(self, candidates: Sequence[Candidate], page: str | None) -> Collection[str]:
        """Ids of those that are on the page of this address, path or source file."""
        if not page:
            return ()
        path = _path(page)
        paths = {path, path.removeprefix(_path(self._base_url)) or "/"}
        return {
            one.hit.id
            for one in candidates
            if one.hit.payload["source"] == page or _path(one.hit.payload["url"]) in paths
        }

    async def _legs(self, query: str, filters: Filters) -> tuple[SparseVector, QueryVectors, Legs]:
        asked = self._terms.query(query)
        vectors = limited(await self._embedder.embed_query(query))
        legs = await self._store.search(vectors.dense.tolist(), asked, limit=LEG_LIMIT, filters=filters)
        if not legs.dense and (await self._store.state()).chunks == 0:
            raise CollectionMissingError
        return asked, vectors, legs

    async def _matched(self, fused: Sequence[Candidate], vectors: QueryVectors) -> list[Candidate]:
        if vectors.tokens is None:
            return list(fused)
        matches = await self._store.best_matches(vectors.tokens, [one.hit.id for one in fused[:POOL]])
        return [one._replace(matches=matches.get(one.hit.id)) for one in fused]

    async def _widened(self, passages: Sequence[Passage], hits: Mapping[str, Hit]) -> list[Passage]:
        small = {
            passage.chunk_id: hits[passage.chunk_id].payload["section_id"]
            for passage in passages
            if is_in_small_section(hits[passage.chunk_id])
        }
        chunks: dict[str, list[Hit]] = {section_id: [] for section_id in small.values()}
        for hit in await self._store.sections(chunks):
            chunks[hit.payload["section_id"]].append(hit)
        return [_whole(passage, chunks.get(small.get(passage.chunk_id, ""), ())) for passage in passages]

    def _terms_in(self, hit: Hit) -> Terms:
        known = self._terms_of.get(hit.id)
        if known is None:
            known = self._terms_of[hit.id] = frozenset(self._terms.passage(_text(hit)).indices)
        return known


def _text(hit: Hit) -> str:
    return "\n".join((*hit.payload["heading_path"], hit.payload["text"]))


def _scores(candidate: Candidate) -> Scores:
    maxsim = None if candidate.matches is None else candidate.maxsim
    return Scores(candidate.cosine, candidate.bm25, candidate.fused, maxsim)


def _whole(passage: Passage, chunks: Sequence[Hit]) -> Passage:
    own = any(chunk.id == passage.chunk_id for chunk in chunks)  # or the index has changed since the search
    section = joined(chunks) if own else None
    if section is None:
        return passage
    first = min(chunks, key=lambda chunk: int(chunk.payload["start"]))
    text, start, end = section
    return msgspec.structs.replace(passage, chunk_id=first.id, text=text, start=start, end=end)


def limited(vectors: QueryVectors) -> QueryVectors:
    """With the tokens that take part in the rerank."""
    chosen = _chosen(vectors.words, vectors.special)
    tokens = None if vectors.tokens is None else vectors.tokens[chosen]
    return QueryVectors(vectors.dense, tokens, [vectors.words[index] for index in chosen], [False] * len(chosen))


def _chosen(words: Sequence[str], special: Sequence[bool]) -> list[int]:
    """Indexes of the tokens of a question's words, or of some of them: no stop words first, then evenly spread.

    The model's special tokens and punctuation only cost time: the rerank is no less accurate without them. Where there
    is nothing but punctuation, that is what is left.
    """
    own = [index for index, is_special in enumerate(special) if not is_special]
    chosen = [index for index in own if any(char.isalnum() for char in words[index])] or own
    if len(chosen) > MOST_TOKENS:
        chosen = [i for i in chosen if words[i] not in STOP_WORDS]
    if len(chosen) <= MOST_TOKENS:
        return chosen
    return [chosen[i * (len(chosen) - 1) // (MOST_TOKENS - 1)] for i in range(MOST_TOKENS)]


def _path(page: str) -> str:
    try:
        return unquote(urlsplit(page).path).rstrip("/") or "/"
    except ValueError:
        return page
