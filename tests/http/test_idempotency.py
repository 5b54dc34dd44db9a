"""The same request, sent again with the same key, is the same turn."""

import asyncio

import pytest

from tests.fakes.provider import Reply
from tests.http.streams import asking, data_of, resuming

QUESTION = "What is a stilling well?"
WELL = "A stilling well is a vertical pipe with a small opening that filters out waves [1]."
KEY = {"Idempotency-Key": "b1946ac9"}


@pytest.fixture
async def here(replica):
    return await replica(lambda _: Reply.text(WELL).paced(first_byte_s=0.2))


@pytest.fixture
async def elsewhere(replica):
    return await replica(lambda _: Reply.text("Not asked."))


async def chat(client, headers=KEY, **fields):
    return await client.post("/api/v1/chat", json={"content": QUESTION} | fields, headers=headers)


async def test_a_repeated_request_gets_the_same_answer_without_a_model_call(here, elsewhere):
    first = await chat(here)
    again = [await chat(here), await chat(elsewhere)]
    assert [response.json() for response in again] == [first.json()] * 2
    assert "idempotent-replayed" not in first.headers
    assert [response.headers["idempotent-replayed"] for response in again] == ["true"] * 2
    assert len(here.provider.requests) == 1
    assert elsewhere.provider.requests == []


async def test_a_stream_and_a_json_answer_with_one_key_are_one_turn(here):
    answer = (await chat(here)).json()
    async with asking(here, QUESTION, KEY) as stream:
        await stream.all()
    assert data_of(stream.raw[-1]) == answer | {"type": "answer.completed"}
    async with resuming(here, answer["turn_id"]) as again:
        assert await again.all() == b"".join(stream.raw)


async def test_fifty_at_once_are_one_turn_and_one_model_call(here, elsewhere, database):
    clients = [here if number % 5 else elsewhere for number in range(50)]
    here.provider.script = elsewhere.provider.script = lambda _: Reply.text(WELL).paced(first_byte_s=0.5)
    responses = await asyncio.gather(*map(chat, clients))
    assert {response.status_code for response in responses} == {200}
    assert len({response.content for response in responses}) == 1
    assert len(here.provider.requests) + len(elsewhere.provider.requests) == 1
    assert sum("idempotent-replayed" not in response.headers for response in responses) == 1
    async with database.connection() as connection:
        rows = await (await connection.execute("select role from messages")).fetchall()
    assert len(rows) == 2


async def test_who_joins_while_it_runs_gets_all_of_it(here):
    async with asking(here, QUESTION, KEY) as first:
        await first.until("turn.started")
        async with asking(here, QUESTION, KEY) as second:
            assert await second.all() == await first.all()


@pytest.mark.parametrize(
    "change",
    [{"content": "What is a tide gauge?"}, {"page": "/intro"}, {"filters": {"source": "intro.md"}}],
    ids=["question", "page", "filters"],
)
async def test_another_body_with_the_same_key_is_a_409(here, change):
    await chat(here)
    response = await chat(here, **change)
    assert response.status_code == 409
    assert response.headers["content-type"] == "application/problem+json"
    assert "Idempotency-Key" in response.json()["detail"]
    assert len(here.provider.requests) == 1


async def test_another_conversation_with_the_same_key_is_a_409(here):
    answer = (await chat(here)).json()
    assert (await chat(here, conversation_id=answer["conversation_id"])).status_code == 409


async def test_how_the_json_is_written_does_not_matter(here):
    first = (await chat(here)).json()
    body = '{ "filters": {}, "page": null, "content": "What is a stilling well?" }'
    again = await here.post("/api/v1/chat", content=body, headers=KEY | {"content-type": "application/json"})
    assert again.json() == first


async def test_a_409_leaves_nothing_behind(here, database):
    await chat(here)
    await chat(here, content="What is a tide gauge?")
    async with database.connection() as connection:
        for table in ("conversations", "turns"):
            rows = await (await connection.execute(f"select from {table}".encode())).fetchall()
            assert len(rows) == 1


async def test_without_a_key_each_request_is_a_turn(here):
    first, second = [(await chat(here, headers={})).json() for _ in range(2)]
    assert first["turn_id"] != second["turn_id"]


async def test_a_failed_turn_stays_failed_under_its_key(replica):
    client = await replica([Reply.error(500), Reply.text(WELL)])
    first, again, anew = [await chat(client, headers=headers) for headers in (KEY, KEY, {"Idempotency-Key": "new"})]
    assert (first.status_code, again.status_code, anew.status_code) == (503, 503, 200)
    assert again.json()["detail"].startswith(first.json()["detail"])
    assert "take a new key" in again.json()["detail"]
    assert ["retry-after" in response.headers for response in (first, again)] == [True, False]
    assert first.json()["turn_id"] == again.json()["turn_id"]
    assert ["idempotent-replayed" in response.headers for response in (first, again)] == [False, True]


@pytest.mark.parametrize("key", ["", "x" * 256, "two words", "clé"])
async def test_what_is_no_key_is_a_400(here, key):
    response = await chat(here, headers={"Idempotency-Key": key.encode()})
    assert response.status_code == 400
    assert [error["field"] for error in response.json()["errors"]] == ["Idempotency-Key"]
