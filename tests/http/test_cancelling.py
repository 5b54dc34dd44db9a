"""Ending a turn early: by its reader's word, by their absence, or by the server's stop."""

import asyncio
import uuid

import pytest

from app.chat import absence, following, presence
from app.history.turns import Opening
from tests.fakes.provider import Reply
from tests.http.streams import asking, data_of, resuming

QUESTION = "What is a stilling well?"
WELL = "A stilling well is a vertical pipe with a small opening that filters out waves [1]."
ENDLESS = Reply.text(f"{WELL} " + "And more of it " * 2000).paced(chunk_s=0.05)
PATIENT = Reply.text(WELL).paced(chunk_s=0.05)


@pytest.fixture
async def here(replica):
    return await replica(lambda _: ENDLESS)


@pytest.fixture
async def elsewhere(replica):
    return await replica(lambda _: ENDLESS)


async def messages(client, started):
    return (await client.get(f"/api/v1/conversations/{started['conversation_id']}/messages")).json()["messages"]


async def settled(client, started):
    """The answer as it is kept, once it has an end."""
    async with asyncio.timeout(10):
        while (message := (await messages(client, started))[-1])["status"] == "running":
            pass
    return message


@pytest.mark.parametrize("by", ["here", "elsewhere"])
async def test_a_cancelled_turn_stops_the_model_within_a_second_and_keeps_what_was_told(here, elsewhere, by):
    client = {"here": here, "elsewhere": elsewhere}[by]
    async with asking(here, QUESTION) as stream:
        await stream.until("answer.delta")
        started = data_of(stream.raw[0])
        async with asyncio.timeout(1):
            response = await client.post(f"/api/v1/turns/{started['turn_id']}/cancel")
            await here.provider.hung_up.wait()
        last = await stream.until("turn.cancelled")
        assert await stream.following() is None
    assert (response.status_code, response.json()["status"]) == (200, "cancelled")
    assert (last["status"], last["answer"]) == ("cancelled", WELL)
    message = await settled(here, started)
    assert (message["status"], message["content"]) == ("cancelled", WELL)
    assert len(here.provider.requests) == 1


async def test_a_json_answer_that_is_cancelled_says_so(here):
    asked = asyncio.create_task(here.post("/api/v1/chat", json={"content": QUESTION}, headers={"Idempotency-Key": "k"}))
    async with asking(here, QUESTION, {"Idempotency-Key": "k"}) as stream:
        await stream.until("answer.delta")
        await here.post(f"/api/v1/turns/{data_of(stream.raw[0])['turn_id']}/cancel")
    answer = (await asked).json()
    assert (answer["status"], answer["answer"]) == ("cancelled", WELL)


async def test_cancelling_what_has_ended_says_how_it_ended(replica):
    client = await replica([Reply.text(WELL)])
    async with asking(client, QUESTION) as stream:
        await stream.all()
    turn_id = data_of(stream.raw[0])["turn_id"]
    for _ in range(2):
        response = await client.post(f"/api/v1/turns/{turn_id}/cancel")
        assert (response.status_code, response.json()["status"]) == (200, "answered")


async def test_cancelling_an_unknown_turn_is_a_404(here):
    assert (await here.post(f"/api/v1/turns/{uuid.uuid4()}/cancel")).status_code == 404


async def test_a_cancel_that_the_other_server_does_not_take_up_says_that_the_turn_runs(here, elsewhere, monkeypatch):
    monkeypatch.setattr("app.chat.opening.CANCEL_TIMEOUT_S", 0.1)
    monkeypatch.setattr("app.chat.presence.Turns.to_cancel", lambda *_: asyncio.sleep(0, []))
    async with asking(here, QUESTION) as stream:
        await stream.until("answer.delta")
        response = await elsewhere.post(f"/api/v1/turns/{data_of(stream.raw[0])['turn_id']}/cancel")
    assert (response.status_code, response.json()["status"]) == (202, "running")


@pytest.mark.parametrize("endpoint", ["/api/v1/chat", "/api/v1/chat/stream"])
async def test_an_answer_goes_on_though_its_reader_left(replica, database, endpoint):
    client = await replica(lambda _: PATIENT)
    with pytest.raises(Exception, match=r".*"):
        await client.post(endpoint, json={"content": QUESTION}, timeout=0.3)
    async with database.connection() as connection:
        row = await (await connection.execute("select conversation_id from messages limit 1")).fetchone()
    message = await settled(client, row)
    assert (message["status"], message["content"]) == ("answered", WELL)
    assert client.provider.abandoned == 0


@pytest.mark.parametrize("endpoint", ["/api/v1/chat", "/api/v1/chat/stream"])
async def test_an_answer_that_nobody_comes_back_for_is_cancelled_after_the_grace_time(replica, database, endpoint):
    client = await replica(lambda _: ENDLESS, disconnect_grace_s=0.3)
    with pytest.raises(Exception, match=r".*"):
        await client.post(endpoint, json={"content": QUESTION}, timeout=2)
    async with asyncio.timeout(5):
        await client.provider.hung_up.wait()
    async with database.connection() as connection:
        row = await (await connection.execute("select conversation_id from messages limit 1")).fetchone()
    message = await settled(client, row)
    assert (message["status"], message["content"]) == ("cancelled", WELL)


async def test_who_comes_back_within_the_grace_time_keeps_the_answer_going(replica):
    client = await replica(lambda _: ENDLESS, disconnect_grace_s=0.4)
    async with asking(client, QUESTION) as stream:
        turn_id = (await stream.until("turn.started"))["turn_id"]
    await asyncio.sleep(0.2)
    async with resuming(client, turn_id) as back:
        await back.until("answer.delta")
        await asyncio.sleep(0.6)
        assert client.provider.abandoned == 0
    async with asyncio.timeout(2):
        await client.provider.hung_up.wait()


@pytest.mark.parametrize("disconnect", ["continue", "cancel"])
async def test_a_reader_on_another_server_keeps_the_answer_going(replica, monkeypatch, disconnect):
    monkeypatch.setattr(absence, "ELSEWHERE_S", 0.3)
    monkeypatch.setattr(following, "MARK_EVERY_S", 0.1)
    here, elsewhere = [
        await replica(lambda _: ENDLESS, disconnect=disconnect, disconnect_grace_s=0.5) for _ in range(2)
    ]
    async with asking(here, QUESTION) as stream:
        turn_id = (await stream.until("turn.started"))["turn_id"]
        async with resuming(elsewhere, turn_id) as followed:
            await followed.until("answer.delta")
            await asyncio.sleep(0.3)
            await stream.response.aclose()
            await asyncio.sleep(1.2)
            assert here.provider.abandoned == 0
        async with asyncio.timeout(3):
            await here.provider.hung_up.wait()


async def test_a_turn_is_cancelled_at_once_where_the_setting_says_so(replica):
    client = await replica(lambda _: ENDLESS, disconnect="cancel")
    async with asking(client, QUESTION) as stream:
        await stream.until("answer.delta")
    async with asyncio.timeout(1):
        await client.provider.hung_up.wait()
    assert (await settled(client, data_of(stream.raw[0])))["status"] == "cancelled"


async def test_cancelling_and_reading_wake_an_idle_server_that_ends_the_turn_of_a_dead_one(
    replica, conversations, database_url, monkeypatch
):
    for name, value in (("IDLE_AFTER_S", 0.0), ("BEAT_S", 0.1), ("SILENT_S", 0.3)):
        monkeypatch.setattr(presence, name, value)
    client = await replica([])
    await asyncio.sleep(0.3)
    monkeypatch.setattr(presence, "IDLE_AFTER_S", 600.0)
    left = [
        await conversations.store_question("public", None, QUESTION, None, Opening(uuid.uuid4(), {}, b"")) for _ in "ab"
    ]
    await client.post(f"/api/v1/turns/{left[0].turn_id}/cancel")
    for one in left:
        assert (await settled(client, {"conversation_id": one.conversation_id}))["status"] == "failed"
