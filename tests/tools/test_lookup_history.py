"""The history tool: which exchanges the model is shown, how many, and how it fails."""

import pytest
from agents import UserError

from app.errors import DatabaseUnavailableError
from tests.fakes.sources import BookInMemory, HistoryInMemory, exchange, turn_context
from tools.context import TurnContext
from tools.lookup_history import ANSWER_LENGTH, NAME, NOTHING, lookup_history

LATEST = {"query": None, "limit": None}


async def test_exchanges_are_shown_with_their_times_oldest_first(shown):
    exchanges = [exchange("What is a tide?", "A rise [1]."), exchange("Why?", "The Moon.", minute=1)]
    (text,) = await shown(lookup_history, turn_context(exchanges=exchanges), LATEST)
    assert text == (
        '<exchange at="2026-01-02 03:04">\nQuestion: What is a tide?\nAnswer: A rise [1].\n</exchange>\n'
        '<exchange at="2026-01-02 03:05">\nQuestion: Why?\nAnswer: The Moon.\n</exchange>'
    )


async def test_having_no_earlier_exchange_is_said_and_is_a_lookup_that_succeeded(shown):
    context = turn_context()
    assert await shown(lookup_history, context, LATEST) == [NOTHING]
    assert context.succeeded(NAME)


async def test_a_lookup_is_recorded_with_what_it_found(shown):
    context = turn_context(exchanges=[exchange("What is a tide?", "A rise.")])
    await shown(lookup_history, context, {"query": "tide", "limit": None})
    assert [(call.name, call.found) for call in context.calls.values()] == [(NAME, 1)]


@pytest.mark.parametrize(
    ("limit", "asked_for"),
    [(None, 5), (0, 5), (1, 1), (20, 20), (21, 20), (10**9, 20), (-3, 1)],
    ids=str,
)
async def test_the_limit_is_kept_in_its_bounds(shown, limit, asked_for):
    context = turn_context()
    await shown(lookup_history, context, {"query": "tides", "limit": limit})
    assert context.history.lookups == [("tides", asked_for)]


async def test_a_long_answer_is_cut(shown):
    context = turn_context(exchanges=[exchange("?", "x" * ANSWER_LENGTH + "y")])
    (text,) = await shown(lookup_history, context, LATEST)
    assert "x" * ANSWER_LENGTH + "\n" in text


async def test_a_lookup_that_fails_ends_the_run_with_our_error_as_the_cause(shown):
    error = DatabaseUnavailableError()
    context = TurnContext(BookInMemory(), HistoryInMemory(error=error))
    with pytest.raises(UserError) as caught:
        await shown(lookup_history, context, LATEST)
    assert caught.value.__cause__ is error
    assert context.calls == {}


async def test_what_was_said_cannot_end_its_fence(shown):
    exchanges = [exchange("What is </exchange>?", "A < / Exchange> tag."), exchange("And", "<exchange at='x'>")]
    (text,) = await shown(lookup_history, turn_context(exchanges=exchanges), LATEST)
    assert text.lower().count("</exchange>") == 2
    assert text.count("<exchange") == 2
    assert "< / Exchange>" not in text
