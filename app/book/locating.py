"""Where in the book the text is that a reader has selected on a page."""

import re
from collections.abc import Sequence
from itertools import chain, islice, zip_longest
from typing import NamedTuple
from urllib.parse import unquote

from app.book.passages import Passage
from app.book.places import Place, Reading, exact_place, likest, reading_around, readings, similar_place
from app.book.ranking import Candidate
from app.book.retrieval import Retriever
from app.book.stretches import section_id, sections_around
from app.book.vector_store import NO_FILTERS, Filters, Hit, VectorStore
from app.book.visible_text import selected_texts

MOST_SECTIONS = 12
"""That are read, best first."""
MOST_COMPARED = 4
"""Sections that are compared letter by letter, and around which then others are read."""
SLIPS, SLIPS_ACROSS = 0.05, 0.1
"""Share of the letters that may differ within a section, and over the border of sections."""
WORDS = 50
"""At both ends of a selection by which it is searched; a shorter one is searched as a whole."""
LETTERS_OF_SECTION = 150
"""One section more is read, in both directions, for each so many letters of the selection."""
MOST_NEIGHBOURS = 12
"""Chunks beside the selected ones."""
_NO_WORDS = re.compile(r"^\w+://[^/]*|[\W_]+")


class Located(NamedTuple):
    passages: list[Passage]
    """The selected chunks in order, then the others of their sections, nearest first."""
    source: str
    start: int
    end: int
    """Offsets in the source file; of the longest part where the selection goes over headings."""
    text: str
    """The source's between them."""


class Locator:
    def __init__(self, retriever: Retriever, store: VectorStore) -> None:
        self._retriever = retriever
        self._store = store

    async def locate(self, selected: str, page: str | None = None) -> Located | None:
        """On the page rather than elsewhere; None for what is not in the book. Raises as `Retriever.search` does."""
        forms = selected_texts(selected)
        if not forms:
            return None
        queries = _queries(selected)
        source = await self._source_of(page, queries[0]) if page else None
        if source:
            located = await self._located(forms, await self._candidates(queries, Filters(source=source)))
            if located:
                return located
        return await self._located(forms, await self._candidates(queries, NO_FILTERS))

    async def _source_of(self, page: str, query: str) -> str | None:
        """The file of a page of which something is found, by the query or by the words of the page's address."""
        if await self._retriever.candidates(query, Filters(source=page)):
            return page
        for each in (query, _NO_WORDS.sub(" ", unquote(page))):
            candidates = await self._retriever.candidates(each)
            on_page = self._retriever.on_page(candidates, page)
            if on_page:
                return next(str(one.hit.payload["source"]) for one in candidates if one.hit.id in on_page)
        return None

    async def _candidates(self, queries: Sequence[str], filters: Filters) -> list[Candidate]:
        """The best of each query by turns."""
        ranked = [await self._retriever.candidates(query, filters) for query in queries]
        by_turns = (one for one in chain.from_iterable(zip_longest(*ranked)) if one is not None)
        return list({one.hit.id: one for one in by_turns}.values())

    async def _located(self, forms: Sequence[str], candidates: Sequence[Candidate]) -> Located | None:
        reach = 2 * max(map(len, forms)) + 1000
        hits = [one.hit for one in candidates]
        near = await self._near(hits, reach)
        compared = likest(forms, near, MOST_COMPARED)
        others = (reading_around(hit, [hit], 0) for hit in hits if len(hit.payload["text"]) >= min(map(len, forms)))
        place = exact_place(forms, chain(near, others)) or similar_place(forms, compared, SLIPS)
        if place is None:
            across = await self._around(compared, reach)
            place = exact_place(forms, across) or similar_place(forms, across, SLIPS_ACROSS)
        return place and self._shown(place, candidates)

    async def _near(self, hits: Sequence[Hit], reach: int) -> list[Reading]:
        """The sections of the hits, as far as they are near to one."""
        best = list(dict.fromkeys(map(section_id, hits)))[:MOST_SECTIONS]
        chunks = await self._store.sections([id_ for id_ in best if id_])
        inside = (hit for hit in hits if section_id(hit) in best)
        return list(islice(readings(inside, chunks, reach, across=False), MOST_SECTIONS))

    async def _around(self, compared: Sequence[Reading], reach: int) -> list[Reading]:
        distance = 1 + reach // LETTERS_OF_SECTION
        hits = [one.hit for one in compared]
        chunks = await self._store.sections({id_ for hit in hits for id_ in sections_around(hit, distance)})
        return list(readings(hits, chunks, reach, across=True))

    def _shown(self, place: Place, candidates: Sequence[Candidate]) -> Located:
        stretch, start, end = place.span()
        hits = place.selected()
        beside = [hit for hit in place.reading.chunks if hit not in hits]
        beside.sort(key=lambda hit: abs(int(hit.payload["start"]) - start))
        found = {one.hit.id: one for one in candidates}
        passages = [
            self._retriever.passage(found.get(hit.id) or Candidate(hit, None, None, 0.0))
            for hit in (*hits, *beside[:MOST_NEIGHBOURS])
        ]
        text = stretch.text[start - stretch.start : end - stretch.start]
        return Located(passages, passages[0].source, start, end, text)


def _queries(selected: str) -> list[str]:
    words = selected.split()
    return [selected] if len(words) <= 2 * WORDS else [" ".join(words[:WORDS]), " ".join(words[-WORDS:])]
