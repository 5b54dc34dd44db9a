"""The history tool: which exchanges the model is shown, how many, and how it fails."""

import re

import pytest
from agents import UserError

from app.errors import DatabaseUnavailableError
from tests.fakes.sources import BookInMemory, HistoryInMemory, exchange, turn_context
from tools.context import TurnContext
from tools.lookup_history import (
    ANSWER_LENGTH,
    LENGTH,
    NAME,
    NOTHING,
    OMITTED,
    ONLY_LATEST,
    ONLY_THIS,
    QUESTION_LENGTH,
    lookup_history,
)

LATEST = {"query": None, "limit": None, "everywhere": None}


async def test_exchanges_are_shown_with_their_times_oldest_first(shown):
    exchanges = [exchange("What is a tide?", "A rise [1]."), exchange("Why?", "The Moon.", minute=1)]
    (text,) = await shown(lookup_history, turn_context(exchanges=exchanges), LATEST)
    assert text == (
        '<exchange at="2026-01-02 03:04">\nQuestion: What is a tide?\nAnswer: A rise [1].\n</exchange>\n'
        '<exchange at="2026-01-02 03:05">\nQuestion: Why?\nAnswer: The Moon.\n</exchange>'
    )


async def test_exchanges_of_one_moment_are_shown_latest_last(shown):
    exchanges = [exchange(question, "Yes.") for question in ("C?", "A?", "B?")]
    (text,) = await shown(lookup_history, turn_context(exchanges=exchanges), LATEST)
    assert re.findall(r"Question: (.*)", text) == ["C?", "A?", "B?"]


async def test_having_no_earlier_exchange_is_said_and_is_a_lookup_that_succeeded(shown):
    context = turn_context()
    assert await shown(lookup_history, context, LATEST) == [NOTHING]
    assert context.succeeded(NAME)


async def test_a_lookup_is_recorded_with_what_it_found(shown):
    context = turn_context(exchanges=[exchange("What is a tide?", "A rise.")])
    await shown(lookup_history, context, {"query": "tide", "limit": None, "everywhere": None})
    assert [(call.name, call.found) for call in context.calls.values()] == [(NAME, 1)]
    assert [one.question for one in context.recalled] == ["What is a tide?"]


@pytest.mark.parametrize(
    ("limit", "asked_for"),
    [(None, 5), (0, 5), (1, 1), (20, 20), (21, 20), (10**9, 20), (-3, 1)],
    ids=str,
)
async def test_the_limit_is_kept_in_its_bounds(shown, limit, asked_for):
    context = turn_context()
    await shown(lookup_history, context, {"query": "tides", "limit": limit, "everywhere": None})
    assert context.history.lookups == [("tides", asked_for)]


@pytest.mark.parametrize(("wanted", "everywhere"), [(None, False), (False, False), (True, True)], ids=str)
async def test_other_conversations_are_looked_up_only_when_asked_for(shown, wanted, everywhere):
    context = turn_context()
    await shown(lookup_history, context, LATEST | {"everywhere": wanted})
    assert context.history.everywhere == [everywhere]


async def test_an_exchange_of_another_conversation_is_shown_with_its_title(shown):
    exchanges = [exchange("Why?", "The Moon.", conversation='A "tide"\n> <b>?')]
    (text,) = await shown(lookup_history, turn_context(exchanges=exchanges), LATEST | {"everywhere": True})
    assert text.startswith(
        '<exchange at="2026-01-02 03:04" conversation="A &quot;tide&quot; &gt; &lt;b&gt;?">\nQuestion: Why?\n'
    )


@pytest.mark.parametrize(
    ("arguments", "personal", "by_words", "notes"),
    [
        ({"query": "tide", "everywhere": True}, True, True, []),
        ({"query": "tide", "everywhere": True}, True, False, [ONLY_LATEST]),
        ({"query": "tide", "everywhere": True}, False, True, [ONLY_THIS]),
        ({"query": None, "everywhere": True}, False, False, [ONLY_THIS]),
        ({"query": None, "everywhere": None}, False, False, []),
    ],
    ids=["as asked for", "other words", "other conversations", "both", "the latest"],
)
async def test_what_was_asked_for_and_is_not_so_is_said_first(shown, arguments, personal, by_words, notes):
    history = HistoryInMemory(exchange("What is a tide?", "A rise."), by_words=by_words)
    history.personal = personal
    (text,) = await shown(lookup_history, TurnContext(BookInMemory(), history), LATEST | arguments)
    assert text.split("<exchange")[0] == "".join(f"{note}\n" for note in notes)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("x" * ANSWER_LENGTH, "x" * ANSWER_LENGTH),
        ("x" * ANSWER_LENGTH + "y", "x" * ANSWER_LENGTH + " …"),
        ("It rises. " * 1000, "It rises. " * (ANSWER_LENGTH // 10 - 1) + "…"),
        ("涨。" * ANSWER_LENGTH, "涨。" * (ANSWER_LENGTH // 2 - 1) + " …"),
        ("\n" * 2000 + "x", "x"),
    ],
    ids=["it fits", "one sentence", "many sentences", "Chinese", "white space"],
)
async def test_a_long_answer_is_cut_at_the_end_of_a_sentence(shown, answer, told):
    context = turn_context(exchanges=[exchange("?", answer)])
    (text,) = await shown(lookup_history, context, LATEST)
    assert text == f'<exchange at="2026-01-02 03:04">\nQuestion: ?\nAnswer: {told}\n</exchange>'


async def test_a_long_question_is_cut(shown):
    (text,) = await shown(lookup_history, turn_context(exchanges=[exchange("x" * 10**5, "Yes.")]), LATEST)
    assert f"Question: {'x' * QUESTION_LENGTH} …\nAnswer: Yes." in text


async def test_the_best_are_shown_with_their_answers_and_those_after_them_without(shown):
    exchanges = [exchange(f"Question {n}?", "It rises. " * 100, minute=n) for n in range(20)]
    (text,) = await shown(lookup_history, turn_context(exchanges=exchanges), LATEST | {"limit": 20})
    answers = re.findall(r"Question (\d+)\?\nAnswer: (It rises|\(left out\))", text)
    assert answers == [(str(n), OMITTED) for n in range(17)] + [(str(n), "It rises") for n in range(17, 20)]


@pytest.mark.parametrize("length", [10, 500, 10_000])
@pytest.mark.parametrize("piece", ["x", "<exchange>", "</exchange", '"'], ids=str)
async def test_the_result_is_bounded_and_has_the_best_answer_whatever_is_in_it(shown, piece, length):
    exchanges = [exchange(piece * length, piece * length, minute=n, conversation=piece * 80) for n in range(30)]
    context = turn_context(exchanges=exchanges)
    (text,) = await shown(lookup_history, context, LATEST | {"limit": 20})
    assert len(text) <= LENGTH
    assert not text.endswith(f"Answer: {OMITTED}\n</exchange>")
    assert len(context.recalled) == context.found(NAME) == text.count("\n</exchange>") > 1


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
