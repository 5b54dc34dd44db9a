"""The first search of a turn: what is searched, what is shown of it, and what is recorded."""

import pytest

from app.chat.events import Search
from app.chat.searching import FROM_SECOND, first_queries, first_search, searches_of
from app.errors import VectorStoreUnavailableError
from tests.fakes.sources import BookInMemory, HistoryInMemory, passage, turn_context
from tools.context import ToolCall, TurnContext
from tools.search_book import LONGEST_QUERY, told

BEFORE = "What is a spring tide?"
FIRST = [passage(f"Tide {number}.") for number in range(5)]
SECOND = [passage(f"Gauge {number}.") for number in range(5)]


@pytest.mark.parametrize(
    ("question", "earlier", "queries"),
    [
        pytest.param("When is it?", None, ["When is it?"], id="the first of a conversation"),
        pytest.param("When is it?", BEFORE, [f"{BEFORE} When is it?", "When is it?"], id="leans on the one before"),
        pytest.param("What is a neap tide at sea?", BEFORE, ["What is a neap tide at sea?"], id="stands alone"),
        pytest.param(
            "I sail a boat. What is high water?",
            None,
            ["I sail a boat. What is high water?", "What is high water?"],
            id="core",
        ),
        pytest.param(
            "What is a tide? And a gauge?",
            None,
            ["What is a tide? And a gauge?", "What is a tide?", "And a gauge?"],
            id="two",
        ),
        pytest.param("Hello! Thanks. Explain neap tides.", None, ["Explain neap tides."], id="courtesies"),
    ],
)
def test_what_is_searched(question, earlier, queries):
    assert first_queries(question, earlier) == queries


def test_of_a_long_question_before_the_end_is_searched():
    query, _ = first_queries("When is it?", "x" * LONGEST_QUERY)
    assert len(query) == LONGEST_QUERY
    assert query.endswith("x When is it?")


async def test_its_passages_are_numbered_and_told_as_the_tool_tells_them():
    context = turn_context(FIRST)
    assert await first_search(context, ["tides"]) == told(list(enumerate(FIRST, 1)), 1.0)
    assert context.shown == FIRST
    assert context.book.searches == [("tides", None)]


async def test_a_second_query_adds_some_passages_after_the_first_s():
    context = turn_context(FIRST, [FIRST[0], *SECOND])
    await first_search(context, ["tides", "gauges"])
    assert context.shown == [*FIRST, *SECOND[: FROM_SECOND - 1]]


async def test_each_query_is_recorded_as_a_search_by_code():
    context = TurnContext(BookInMemory(FIRST, SECOND[:2], evidence=0.4, cosine=0.6), HistoryInMemory())
    await first_search(context, ["tides", "gauges"])
    assert searches_of(context) == [Search("tides", "code", 5, 0.4), Search("gauges", "code", 2, 0.4)]
    assert (context.evidence(), context.cosine()) == (0.4, 0.6)
    assert [call.seconds > 0 for call in context.calls.values()] == [True, False]


async def test_weak_evidence_is_told():
    context = TurnContext(BookInMemory(FIRST, evidence=0.1), HistoryInMemory())
    assert await first_search(context, ["tides"]) == told(list(enumerate(FIRST, 1)), 0.1)


async def test_a_search_that_fails_is_raised_and_not_recorded():
    context = TurnContext(BookInMemory(error=VectorStoreUnavailableError()), HistoryInMemory())
    with pytest.raises(VectorStoreUnavailableError):
        await first_search(context, ["tides"])
    assert (context.calls, context.shown) == ({}, [])


def test_the_searches_of_a_turn_are_those_of_the_book_in_order():
    context = turn_context()
    context.calls["a"] = ToolCall("search_book", 2, 0.1, "tides", 0.5, 0.5)
    context.calls["b"] = ToolCall("lookup_history", 2, 0.1)
    context.calls["c"] = ToolCall("search_book", 0, 0.1, "moon", 0.1, 0.5, "code")
    assert searches_of(context) == [Search("tides", "model", 2, 0.5), Search("moon", "code", 0, 0.1)]
