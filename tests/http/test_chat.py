"""Asking over HTTP, with the offline model over the small book."""

import asyncio
import uuid

import msgspec
import pytest

from app.chat.events import Event
from tests.conftest import SMALL_BOOK

QUESTION = "What is a stilling well?"
VOLATILE = ("turn_id", "conversation_id", "message_id", "processing_time_ms", "timings")


def source_text(citation: dict) -> str:
    return (SMALL_BOOK / citation["source"]).read_bytes().decode()[citation["start"] : citation["end"]]


async def test_answers_from_the_book_with_citations_that_point_at_its_text(client, ask):
    answer = await ask(client, QUESTION)
    assert answer["status"] == "answered"
    assert "vertical pipe" in answer["answer"]
    assert answer["citations"]
    for citation in answer["citations"]:
        assert f"[{citation['n']}]" in answer["answer"]
        assert source_text(citation) == citation["quote"]
    assert answer["sources"][0]["heading_path"] == ["Measuring tides", "Stilling wells"]


async def test_an_answer_names_what_made_it(client, ask):
    answer = await ask(client, QUESTION)
    assert answer["model"] == "offline-extractive"
    assert answer["prompt"]["name"] == "book_agent"
    assert answer["index_version"]
    assert answer["usage"]["model_calls"] == 1
    assert answer["timings"]["total_ms"] >= answer["timings"]["search_ms"]


async def test_what_the_book_does_not_say_is_a_refusal_with_a_reason_and_the_nearest_sections(client, ask):
    answer = await ask(client, "Who won the football world cup?")
    assert answer["status"] == "refused"
    assert answer["answer"] == ""
    assert answer["citations"] == []
    assert answer["refusal"]["reason"] == "off_topic"
    assert answer["refusal"]["nearest"]


@pytest.mark.parametrize("question", [QUESTION, "Who won the football world cup?"], ids=["answered", "refused"])
async def test_both_endpoints_give_the_same_answer(client, ask, stream, question):
    answer = await ask(client, question)
    last = (await stream(client, question))[-1]
    streamed = {name: value for name, value in last.items() if name not in (*VOLATILE, "type")}
    assert streamed == {name: value for name, value in answer.items() if name not in VOLATILE}


async def test_a_stream_has_increasing_ids_one_end_and_the_answer_in_its_deltas(client):
    async with client.stream("POST", "/api/v1/chat/stream", json={"content": QUESTION}) as response:
        raw = await response.aread()
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-accel-buffering"] == "no"
    frames = raw.decode().strip().split("\n\n")
    lines = [dict(line.split(": ", 1) for line in frame.split("\n")) for frame in frames]
    events = [msgspec.json.decode(line["data"], type=Event) for line in lines]
    assert [int(line["id"]) for line in lines] == list(range(1, len(lines) + 1))
    assert all(line["event"] == event.__struct_config__.tag for line, event in zip(lines, events, strict=True))
    names = [line["event"] for line in lines]
    assert names[:3] == ["turn.started", "tool.started", "tool.finished"]
    assert [name for name in names if name.startswith(("answer.c", "answer.r", "turn.f", "turn.c"))] == [names[-1]]
    assert "".join(e.text for e in events if type(e).__name__ == "AnswerDelta") == events[-1].answer


async def test_a_follow_up_knows_the_question_before_it(client, ask):
    first = await ask(client, QUESTION)
    second = await ask(client, "And its float?", conversation_id=first["conversation_id"])
    assert second["conversation_id"] == first["conversation_id"]
    assert "follows the mean level" in second["answer"]


async def test_a_question_about_the_conversation_is_answered_from_its_history(client, ask):
    first = await ask(client, QUESTION)
    answer = await ask(client, "What did I ask before?", conversation_id=first["conversation_id"])
    assert answer["status"] == "answered"
    assert QUESTION in answer["answer"]
    assert answer["grounding"]["basis"] == "conversation"


async def test_a_first_question_about_the_conversation_is_told_that_there_is_none_yet(client, ask):
    answer = await ask(client, "What did I ask before?")
    assert (answer["status"], answer["citations"]) == ("answered", [])
    assert "not asked anything" in answer["answer"]


async def test_messages_are_kept_with_what_made_them(client, ask):
    answer = await ask(client, QUESTION)
    response = await client.get(f"/api/v1/conversations/{answer['conversation_id']}/messages")
    question, reply = response.json()["messages"]
    assert (question["role"], question["content"], question["status"]) == ("user", QUESTION, "complete")
    assert (reply["id"], reply["status"]) == (answer["message_id"], "answered")
    assert reply["content"] == answer["answer"]
    assert reply["citations"] == answer["citations"]
    assert reply["prompt_digest"] == answer["prompt"]["digest"]


async def test_messages_come_in_pages(client, ask):
    conversation = (await ask(client, QUESTION))["conversation_id"]
    for _ in range(2):
        await ask(client, QUESTION, conversation_id=conversation)
    url = f"/api/v1/conversations/{conversation}/messages"
    newest = (await client.get(url, params={"limit": 4})).json()
    oldest = (await client.get(url, params={"limit": 4, "before": newest["before"]})).json()
    positions = [message["position"] for page in (oldest, newest) for message in page["messages"]]
    assert len(positions) == 6
    assert positions == sorted(positions)
    assert oldest["before"] is None


async def test_retrieve_gives_passages_with_scores_and_places(client):
    response = await client.post("/api/v1/retrieve", json={"query": "spring tides", "limit": 3})
    body = response.json()
    assert set(body) == {"query", "passages", "answerability", "index_version", "cached_s"}
    assert body["cached_s"] is None
    best = body["passages"][0]
    assert best["heading_path"] == ["A Small Book of Tides", "Spring tides"]
    assert best["url"] == "/intro#spring-tides"
    assert source_text(best) == best["text"]
    assert best["scores"]["cosine"] > 0.4
    assert best["scores"]["maxsim"] > 0.4


async def test_retrieve_tells_whether_the_book_seems_to_answer(client):
    async def asked(query: str) -> dict:
        response = await client.post("/api/v1/retrieve", json={"query": query})
        return response.json()["answerability"]

    known, unknown = await asked("What causes the tide?"), await asked("Who won the world cup?")
    assert set(known) == set(unknown) == {"score", "cosine", "weakest_quarter", "coverage", "unknown"}
    assert known["score"] > 0.5 > unknown["score"]
    assert (known["unknown"], unknown["unknown"]) == (0.0, 1.0)


async def test_an_answer_tells_whether_the_book_seemed_to_answer(client, ask):
    known, unknown = await ask(client, "What causes the tide?"), await ask(client, "Who won the world cup?")
    assert known["grounding"]["evidence"] > 0.5 > unknown["grounding"]["evidence"]
    recalled = await ask(client, "What did I ask before?", conversation_id=known["conversation_id"])
    assert recalled["grounding"]["evidence"] is None


async def test_retrieve_can_prefer_a_page_without_leaving_out_others(client):
    async def sources(**filters: str) -> list[str]:
        body = {"query": "tide", "limit": 50, "filters": filters}
        return [p["source"] for p in (await client.post("/api/v1/retrieve", json=body)).json()["passages"]]

    everywhere, preferring = await sources(), await sources(page="/guide/notes")
    assert sorted(everywhere) == sorted(preferring)
    assert (everywhere[0], preferring[0]) == ("guide/measuring.md", "guide/notes.mdx")


@pytest.mark.parametrize("page", ["http://[", "\x00", "x" * 4000], ids=ascii)
async def test_retrieve_survives_a_page_that_is_none(client, page):
    response = await client.post("/api/v1/retrieve", json={"query": "tide", "filters": {"page": page}})
    assert response.status_code == 200


@pytest.mark.parametrize("whole", [False, True])
async def test_retrieve_can_give_whole_sections(client, whole):
    body = {"query": "tide", "limit": 50, "whole_sections": whole}
    passages = (await client.post("/api/v1/retrieve", json=body)).json()["passages"]
    assert [source_text(each) for each in passages] == [each["text"] for each in passages]
    assert len({(each["source"], each["start"]) for each in passages}) == len(passages) > 3


async def test_retrieve_can_be_narrowed_to_a_file_or_a_heading(client):
    by_source = await client.post("/api/v1/retrieve", json={"query": "tide", "filters": {"source": "guide/notes.mdx"}})
    assert {p["source"] for p in by_source.json()["passages"]} == {"guide/notes.mdx"}
    by_heading = await client.post("/api/v1/retrieve", json={"query": "tide", "filters": {"section": "Neap tides"}})
    assert {p["heading_path"][-1] for p in by_heading.json()["passages"]} == {"Neap tides"}


async def test_fifty_questions_at_once_are_all_answered(client, ask):
    answers = await asyncio.gather(*(ask(client, QUESTION) for _ in range(50)))
    assert {answer["status"] for answer in answers} == {"answered"}
    assert len({answer["turn_id"] for answer in answers}) == 50


async def test_an_unknown_conversation_is_not_found(client):
    unknown = str(uuid.uuid4())
    asked = await client.post("/api/v1/chat", json={"content": QUESTION, "conversation_id": unknown})
    read = await client.get(f"/api/v1/conversations/{unknown}/messages")
    assert (asked.status_code, read.status_code) == (404, 404)
    assert asked.headers["content-type"] == "application/problem+json"
