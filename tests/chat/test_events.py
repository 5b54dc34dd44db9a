"""The events of a turn, their JSON, and the answer that they fold into."""

import uuid
from collections.abc import AsyncIterator
from typing import Any, get_args

import msgspec
import pytest

from app.chat.events import (
    Answer,
    AnswerCompleted,
    AnswerDelta,
    AnswerRefused,
    Citation,
    CitationFound,
    Event,
    Grounding,
    Problem,
    PromptIdentity,
    Quote,
    Refusal,
    Section,
    SentenceFlagged,
    SentenceWithheld,
    Timings,
    ToolFinished,
    ToolStarted,
    TurnCancelled,
    TurnFailed,
    TurnStarted,
    Usage,
    fold,
    terminal,
)
from app.errors import UnfinishedError

IDS = {name: uuid.uuid5(uuid.NAMESPACE_OID, name) for name in ("turn_id", "conversation_id", "message_id")}
SECTION = Section("tides.md", "Tides", ["Tides", "Spring"], "/tides#spring")
CITED = {"n": 1, "chunk_id": "c1", "source": "tides.md", "title": "Tides", "heading_path": ["Tides"], "url": "/tides"}
CITATION = Citation(**CITED, quote="Tides rise.", start=0, end=11)
FOUND = CitationFound(**CITED, quote="Tides rise.", start=0, end=11)


def answer(**changes: Any) -> Answer:
    fields: dict[str, Any] = {
        **IDS,
        "status": "answered",
        "answer": "Tides rise [1].",
        "citations": [CITATION],
        "sources": [SECTION],
        "refusal": None,
        "grounding": Grounding("book", 0),
        "usage": Usage(10, 5, 2),
        "model": "offline-extractive",
        "prompt": PromptIdentity("book_agent", "v1", "0123456789ab"),
        "index_version": "abc",
        "processing_time_ms": 12,
        "timings": Timings(1, 2, None, 12),
    }
    return Answer(**fields | changes)


REFUSED = answer(
    status="refused", answer="", citations=[], sources=[], refusal=Refusal("no_match", "Not in the book.", [SECTION])
)
FAILED = answer(
    status="failed", answer="", citations=[], error=Problem("Service Unavailable", 503, "The model is down.")
)
CANCELLED = answer(status="cancelled")
EVENTS: dict[str, Event] = {
    "turn.started": TurnStarted(**IDS),
    "tool.started": ToolStarted("search_book", "call-1"),
    "tool.finished": ToolFinished("search_book", "call-1", 6, 12),
    "answer.delta": AnswerDelta("Tides rise [1]."),
    "citation": FOUND,
    "sentence.withheld": SentenceWithheld(2, "unsupported"),
    "sentence.flagged": SentenceFlagged(3, "fact"),
    "answer.completed": terminal(answer()),
    "answer.refused": terminal(REFUSED),
    "turn.failed": terminal(FAILED),
    "turn.cancelled": terminal(CANCELLED),
}


async def stream(*events: Event) -> AsyncIterator[Event]:
    for event in events:
        yield event


@pytest.mark.parametrize(
    ("finished", "event"),
    [(answer(), AnswerCompleted), (REFUSED, AnswerRefused), (FAILED, TurnFailed), (CANCELLED, TurnCancelled)],
    ids=["answered", "refused", "failed", "cancelled"],
)
def test_each_status_has_its_terminal_event_which_holds_the_whole_answer(finished, event):
    last = terminal(finished)
    assert type(last) is event
    assert msgspec.structs.asdict(last) == msgspec.structs.asdict(finished)


@pytest.mark.parametrize("name", EVENTS)
def test_the_json_of_an_event_names_its_type(name):
    event = EVENTS[name]
    encoded = msgspec.json.encode(event)
    assert msgspec.json.decode(encoded)["type"] == name
    assert msgspec.json.decode(encoded, type=Event) == event


def test_every_kind_of_event_is_in_these_tests():
    assert {type(event) for event in EVENTS.values()} == set(get_args(Event))


def test_the_json_answer_has_no_type():
    assert "type" not in msgspec.json.decode(msgspec.json.encode(answer()))


def test_a_problem_leaves_out_what_it_does_not_know():
    assert msgspec.to_builtins(Problem("Bad Request", 400, "No.")) == {
        "title": "Bad Request",
        "status": 400,
        "detail": "No.",
    }


@pytest.mark.parametrize(
    ("events", "whole"),
    [
        pytest.param(
            [EVENTS["turn.started"], EVENTS["tool.started"], FOUND, AnswerDelta("Tides "), AnswerDelta("rise [1].")],
            answer(),
            id="answered",
        ),
        pytest.param([EVENTS["turn.started"]], REFUSED, id="refused"),
        pytest.param([EVENTS["turn.started"], EVENTS["tool.started"]], FAILED, id="failed"),
        pytest.param([FOUND, AnswerDelta("Tides rise [1].")], CANCELLED, id="cancelled"),
    ],
)
async def test_the_fold_of_the_stream_is_the_answer_of_its_last_event(events, whole):
    folded = await fold(stream(*events, terminal(whole)))
    assert type(folded) is Answer
    assert folded == whole


async def test_the_fold_is_made_of_what_was_told_and_not_of_what_the_last_event_repeats():
    folded = await fold(stream(AnswerDelta("Tides."), terminal(answer())))
    assert (folded.answer, folded.citations) == ("Tides.", [])


async def test_a_citation_that_comes_again_is_kept_once_in_its_place_and_its_last_form():
    other = msgspec.structs.replace(FOUND, n=2)
    again = msgspec.structs.replace(FOUND, further=[Quote("They fall.", 12, 22, 0.8)])
    folded = await fold(stream(FOUND, other, AnswerDelta("Tides [1] [2]."), again, terminal(answer())))
    assert [(citation.n, len(citation.further)) for citation in folded.citations] == [(1, 1), (2, 0)]


async def test_verdicts_are_not_in_the_text():
    events = (SentenceWithheld(1, "fact"), AnswerDelta("Tides rise [1]."), SentenceFlagged(2, "fact"))
    assert (await fold(stream(*events, terminal(answer())))).answer == "Tides rise [1]."


async def test_nothing_after_the_last_event_counts():
    assert (await fold(stream(terminal(REFUSED), AnswerDelta("more")))).answer == ""


async def test_a_stream_without_a_last_event_is_no_answer():
    with pytest.raises(UnfinishedError):
        await fold(stream(EVENTS["turn.started"], AnswerDelta("Tides.")))
