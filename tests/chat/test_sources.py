"""What a turn's search of the book finds, on the small book, and what it recalls."""

from dataclasses import replace

import pytest

from app.book.edge_store import EdgeStore
from app.book.edge_writer import EdgeWriter
from app.book.identity import identity_of
from app.book.indexing import Indexer, IndexOptions
from app.book.retrieval import Retriever
from app.chat.sources import BookOfTurn, HistoryOfTurn
from app.metrics import Metrics
from tests.conftest import SilentProgress
from tests.history.conftest import OWNER, answer_record

QUESTION = "How often do spring tides come in a month?"
NOWHERE = {"section": None, "source": None, "page": None}


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
    for section in (None, "No such heading"):
        found = await book.search("tide", section=section, source=None, page="/guide/notes")
        assert found.passages[0].source == "guide/notes.mdx"
    assert (await book.search("tide", **NOWHERE)).passages[0].source == "guide/measuring.md"


async def test_searching_twice_is_timed_as_one_search(book):
    await sources(book, section="No such heading")
    assert "book_agent_search_seconds_count 1.0" in book.metrics.exposition().decode()


async def test_a_small_section_is_found_whole(embedder, terms, tmp_path):
    text = (
        "A stilling well is a vertical pipe with a small opening. " * 2 + "Its float follows the mean level of it. " * 2
    )
    (tmp_path / "wells.md").write_text(f"# Stilling wells\n\n{text}")
    options = IndexOptions(source=tmp_path, chunk_size=32, chunk_overlap=0)
    writer = EdgeWriter(tmp_path / "index", identity_of(embedder))
    report = await Indexer(options, embedder, terms, SilentProgress()).run(writer)
    store = EdgeStore(tmp_path / "index")
    found = await BookOfTurn(Retriever(embedder, terms, store), 5, Metrics()).search("What is a well?", **NOWHERE)
    await store.close()
    assert report.chunks == 2
    assert [passage.text for passage in found.passages] == [text.strip()]


class TestHistory:
    @pytest.fixture
    async def history(self, conversations) -> HistoryOfTurn:
        """Of the second of two conversations, one exchange each."""
        for question in ("What is a neap tide?", "What is a spring tide?"):
            turn = await conversations.store_question(OWNER, None, question)
            await conversations.store_answer(OWNER, turn.message_id, answer_record("A tide [1, 2]."))
        return HistoryOfTurn(conversations, OWNER, turn.conversation_id)

    @pytest.mark.parametrize(
        ("query", "by_words"),
        [("spring", True), ("robots", False), ("what did I ask?", False), ("潮汐", False), ("", False), (None, False)],
        ids=["its words", "other words", "stop words", "another language", "empty", "none"],
    )
    async def test_it_is_the_latest_where_no_words_are_found(self, history, query, by_words):
        recollection = await history.look_up(query, 5, everywhere=False)
        assert [(one.question, one.answer) for one in recollection.exchanges] == [("What is a spring tide?", "A tide.")]
        assert recollection.by_words == by_words

    async def test_it_is_what_has_the_words_and_not_what_is_newer(self, history):
        recollection = await replace(history, personal=True).look_up("neap", 5, everywhere=True)
        assert [one.question for one in recollection.exchanges] == ["What is a neap tide?"]

    @pytest.mark.parametrize("query", ["tide", None])
    @pytest.mark.parametrize(("personal", "everywhere"), [(True, True), (True, False), (False, True)])
    async def test_other_conversations_are_recalled_when_asked_for_and_one_person_s(
        self, history, query, personal, everywhere
    ):
        recollection = await replace(history, personal=personal).look_up(query, 5, everywhere=everywhere)
        titles = [one.conversation for one in recollection.exchanges]
        assert titles == ([None, "What is a neap tide?"] if personal and everywhere else [None])
        assert recollection.everywhere == (personal and everywhere)
