"""What a turn's search of the book finds, on the small book."""

import pytest

from app.book.edge_store import EdgeStore
from app.book.edge_writer import EdgeWriter
from app.book.identity import identity_of
from app.book.indexing import Indexer, IndexOptions
from app.book.retrieval import Retriever
from app.chat.sources import BookOfTurn
from app.metrics import Metrics
from tests.conftest import SMALL_BOOK, SilentProgress

QUESTION = "How often do spring tides come in a month?"
NOWHERE = {"section": None, "source": None, "page": None}
INTRO = {"intro.md"}


@pytest.fixture
def book(retriever) -> BookOfTurn:
    return BookOfTurn(retriever, 3, Metrics())


async def sources(book: BookOfTurn, **where: str) -> set[str]:
    return {passage.source for passage in (await book.search(QUESTION, **NOWHERE | where)).passages}


async def test_it_finds_as_many_passages_as_are_wanted_and_how_probable_an_answer_is(book):
    found = await book.search(QUESTION, **NOWHERE)
    assert len(found.passages) == 3
    assert found.passages[0].heading_path[-1] == "Spring tides"
    assert found.evidence > 0.8
    assert (await book.search("Who won the world cup?", **NOWHERE)).evidence < 0.2


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"section": "stilling wells"}, {"guide/measuring.md"}),
        ({"source": "guide/notes.mdx"}, {"guide/notes.mdx"}),
        ({"section": "Stilling wells", "source": "guide/measuring.md"}, {"guide/measuring.md"}),
    ],
    ids=["section", "source", "both"],
)
async def test_it_stays_where_it_is_told_to_search(book, where, expected):
    assert await sources(book, **where) == expected


@pytest.mark.parametrize(
    "where",
    [
        {"section": "No such heading"},
        {"source": "no.md"},
        {"section": "Stilling wells", "source": "intro.md"},
        {"section": "", "source": ""},
    ],
    ids=["section", "source", "both, but not together", "empty"],
)
async def test_it_searches_the_whole_book_where_nothing_is_found(book, where):
    everywhere = await book.search(QUESTION, **NOWHERE)
    assert await book.search(QUESTION, **NOWHERE | where) == everywhere


async def test_the_page_is_preferred_then_too(book):
    query = "the sea and its height"
    preferring = await book.search(query, **NOWHERE | {"page": "/guide/notes"})
    assert await book.search(query, section="No such heading", source=None, page="/guide/notes") == preferring
    assert preferring != await book.search(query, **NOWHERE)


async def test_searching_twice_is_timed_as_one_search(book):
    await sources(book, section="No such heading")
    assert "book_agent_search_seconds_count 1.0" in book.metrics.exposition().decode()


async def test_a_small_section_is_found_whole(embedder, terms, tmp_path):
    options = IndexOptions(source=SMALL_BOOK, chunk_size=32, chunk_overlap=0)
    await Indexer(options, embedder, terms, SilentProgress()).run(EdgeWriter(tmp_path, identity_of(embedder)))
    store = EdgeStore(tmp_path)
    book = BookOfTurn(Retriever(embedder, terms, store), 1, Metrics())
    (passage,) = (await book.search("What is a stilling well?", **NOWHERE)).passages
    await store.close()
    assert passage.text == (
        "A stilling well is a vertical pipe with a small opening that filters out waves. "
        "Its float follows the mean level."
    )
