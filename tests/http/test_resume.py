"""The events of a turn, read again: on the server that answers it or another one, from any event on, by its owner."""

import asyncio
import uuid

import msgspec
import pytest

from app.chat import following, presence
from app.chat.abandoned import UNWRITTEN, give_up
from app.chat.event_log import LAST, Entry
from app.chat.events import AnswerDelta, CitationFound, TurnStarted
from app.chat.journal import stored
from app.errors import DatabaseUnavailableError
from app.history.processes import Processes
from app.history.turns import Opening, Turns
from tests.fakes.provider import Reply
from tests.http.streams import asking, data_of, id_of, resuming

QUESTION = "What is a stilling well?"
WELL = "A stilling well is a vertical pipe with a small opening that filters out waves [1]. "
FLOAT = "Its float follows the mean level [1]. "
CITED = {"n": 1, "chunk_id": "c1", "source": "tides.md", "title": "Tides", "heading_path": ["Tides"], "url": "/tides"}
FOUND = CitationFound(**CITED, quote="Tides rise.", start=0, end=11)
SLOW = Reply.text(WELL + FLOAT + WELL).paced(chunk_s=0.02)


@pytest.fixture
async def replicas(replica):
    """Two servers over one database, with a model that takes a second to answer."""
    return await replica(lambda _: SLOW), await replica(lambda _: SLOW)


@pytest.fixture
async def here(replicas):
    return replicas[0]


@pytest.fixture
async def elsewhere(replicas):
    return replicas[1]


@pytest.fixture(params=["here", "elsewhere"])
async def other(request, replicas):
    """The server that is asked for the rest."""
    return replicas[request.param == "elsewhere"]


async def test_a_turn_that_has_ended_is_read_again_byte_for_byte(here, other):
    async with asking(here, QUESTION) as stream:
        told = await stream.all()
    turn_id = data_of(stream.raw[0])["turn_id"]
    for after in range(len(stream.raw)):
        async with resuming(other, turn_id, after) as again:
            assert await again.all() == b"".join(stream.raw[after:])
    assert told.count(b"event: answer.completed\n") == 1


async def test_a_stream_that_was_cut_goes_on_byte_for_byte(here, other):
    async with asking(here, QUESTION) as cut:
        await cut.until("answer.delta")
    turn_id = data_of(cut.raw[0])["turn_id"]
    async with resuming(other, turn_id, cut.last_id) as rest:
        await rest.all()
    async with resuming(here, turn_id) as whole:
        assert await whole.all() == b"".join(cut.raw + rest.raw)
    assert data_of(whole.raw[-1])["answer"].count("[1]") == 3


async def test_many_read_one_turn_at_once(here, elsewhere):
    async def read(client, turn_id, after):
        async with resuming(client, turn_id, after) as stream:
            await stream.all()
            return stream.raw

    async with asking(here, QUESTION) as stream:
        turn_id = (await stream.until("turn.started"))["turn_id"]
        readers = [read(client, turn_id, after) for client in (here, elsewhere) for after in range(5)]
        read_again = await asyncio.gather(*readers)
        await stream.all()
    assert read_again == [stream.raw[after:] for _ in range(2) for after in range(5)]


async def test_after_the_last_event_there_is_nothing_to_come_back_for(here, other):
    async with asking(here, QUESTION) as stream:
        await stream.all()
    turn_id = data_of(stream.raw[0])["turn_id"]
    for after in (stream.last_id, stream.last_id + 5):
        response = await other.get(f"/api/v1/turns/{turn_id}/events", headers={"Last-Event-ID": str(after)})
        assert (response.status_code, response.content) == (204, b"")


async def test_who_says_to_have_read_more_than_there_is_gets_the_end(here, other):
    async with asking(here, QUESTION) as stream:
        turn_id = (await stream.until("turn.started"))["turn_id"]
        async with resuming(other, turn_id, 500) as ahead, asyncio.timeout(10):
            await ahead.until("answer.completed")


async def test_a_client_without_headers_says_in_the_address_where_it_was(here):
    async with asking(here, QUESTION) as stream:
        await stream.all()
    turn_id = data_of(stream.raw[0])["turn_id"]
    response = await here.get(f"/api/v1/turns/{turn_id}/events?after={stream.last_id - 1}")
    assert response.content == stream.raw[-1]


@pytest.mark.parametrize("after", ["-1", "one", "9" * 30])
async def test_what_is_no_event_id_is_a_400(here, after):
    response = await here.get(f"/api/v1/turns/{uuid.uuid4()}/events", headers={"Last-Event-ID": after})
    assert response.status_code == 400
    assert [error["field"] for error in response.json()["errors"]] == ["Last-Event-ID"]


async def test_another_owners_turn_is_a_404_as_an_unknown_one_is(here, database):
    async with asking(here, QUESTION) as stream:
        await stream.all()
    turn_id = data_of(stream.raw[0])["turn_id"]
    async with database.connection() as connection:
        await connection.execute("alter table turns drop constraint turns_conversation_id_owner_fkey")
        await connection.execute("update turns set owner = 'somebody'")
    theirs, unknown = [await here.get(f"/api/v1/turns/{one}/events") for one in (turn_id, uuid.uuid4())]
    assert (theirs.status_code, unknown.status_code) == (404, 404)
    assert theirs.json()["detail"] == unknown.json()["detail"]
    assert (await here.post(f"/api/v1/turns/{turn_id}/cancel")).status_code == 404


async def test_a_turn_that_is_deleted_while_it_is_followed_ends_the_stream(here, elsewhere, database, monkeypatch):
    monkeypatch.setattr(following, "MARK_EVERY_S", 0.1)
    async with asking(here, QUESTION) as stream:
        turn_id = (await stream.until("answer.delta")) and data_of(stream.raw[0])["turn_id"]
        async with resuming(elsewhere, turn_id) as followed:
            await followed.until("turn.started")
            async with database.connection() as connection:
                await connection.execute("delete from conversations")
            async with asyncio.timeout(5):
                await followed.all()


async def test_who_begins_to_follow_while_others_are_looked_up_is_not_sent_away(here, elsewhere, monkeypatch):
    looking, go_on = asyncio.Event(), asyncio.Event()
    mark = Turns.mark_followed

    async def slow_mark(*given):
        found = await mark(*given)
        looking.set()
        await go_on.wait()
        return found

    monkeypatch.setattr(Turns, "mark_followed", slow_mark)
    async with asking(here, QUESTION) as one, asking(here, QUESTION) as two:
        turns = [(await stream.until("turn.started"))["turn_id"] for stream in (one, two)]
        async with resuming(elsewhere, turns[0]) as first:
            await looking.wait()
            async with resuming(elsewhere, turns[1]) as second:
                go_on.set()
                await first.until("answer.completed")
                await second.until("answer.completed")


async def test_the_events_of_old_turns_are_forgotten_and_their_answers_are_not(here, database):
    async with asking(here, QUESTION) as stream:
        started = await stream.until("turn.started")
        await stream.all()
    turns = Turns(database)
    assert await turns.prune(older_than_h=1) == 0
    assert await turns.prune(older_than_h=0) == 1
    assert (await here.get(f"/api/v1/turns/{started['turn_id']}/events")).status_code == 404
    messages = (await here.get(f"/api/v1/conversations/{started['conversation_id']}/messages")).json()["messages"]
    assert [message["status"] for message in messages] == ["complete", "answered"]


@pytest.fixture
def soon(monkeypatch):
    """A silent server is gone after half a second."""
    monkeypatch.setattr(presence, "BEAT_S", 0.1)
    monkeypatch.setattr(presence, "SILENT_S", 0.5)


@pytest.fixture
async def left_over(conversations, database):
    """A turn of a server that is gone: it told one sentence."""
    origin = {"model": "gpt-left", "prompt": {"name": "book_agent", "version": "v0", "digest": "abc"}}
    ids = await conversations.store_question("public", None, QUESTION, None, Opening(uuid.uuid4(), origin, b""))
    told = [TurnStarted(ids.turn_id, ids.conversation_id, ids.message_id), FOUND, AnswerDelta(WELL)]
    entries = [Entry(n, event.__struct_config__.tag, msgspec.json.encode(event)) for n, event in enumerate(told, 1)]
    await Turns(database).add_events([stored(ids.turn_id, entry) for entry in entries])
    return ids


async def test_who_follows_a_server_that_is_gone_is_told_that_the_turn_failed(soon, left_over, here):
    async with resuming(here, left_over.turn_id, 1) as followed, asyncio.timeout(10):
        last = await followed.until("turn.failed")
    assert [id_of(frame) for frame in followed.raw] == [2, 3, 3 + UNWRITTEN]
    assert (last["status"], last["error"]["status"]) == ("failed", 503)
    assert last["error"]["detail"] == "The server that was answering is gone."
    assert (last["answer"], len(last["citations"])) == (WELL, 1)
    assert (last["model"], last["prompt"]["version"]) == ("gpt-left", "v0")
    path = f"/api/v1/conversations/{left_over.conversation_id}/messages"
    message = (await here.get(path)).json()["messages"][-1]
    assert {name: message[name] for name in ("status", "content", "citations", "error", "model")} == {
        "status": "failed",
        "content": WELL,
        **{name: last[name] for name in ("citations", "error", "model")},
    }


async def test_who_heard_more_than_the_dead_server_wrote_down_is_told_the_end_too(soon, left_over, here):
    async with resuming(here, left_over.turn_id, 7) as followed, asyncio.timeout(10):
        await followed.until("turn.failed")
    assert len(followed.raw) == 1


async def test_a_turn_that_its_own_server_does_not_know_of_is_given_up(soon, left_over, here, database):
    """It was stored, and the connection broke before the server learned so."""
    async with database.connection() as connection:
        ours = here.app.state.resources.turn_parts.presence.process_id
        await connection.execute("update turns set process_id = %s, started_at = now() - interval '1 minute'", [ours])
    async with resuming(here, left_over.turn_id) as followed, asyncio.timeout(10):
        await followed.until("turn.failed")


async def test_a_turn_that_runs_for_long_is_not_given_up_by_its_own_server(soon, replica, database):
    here = await replica(lambda _: Reply.text(WELL + FLOAT + WELL).paced(chunk_s=0.1))
    async with asking(here, QUESTION) as stream:
        await stream.until("turn.started")
        async with database.connection() as connection:
            await connection.execute("update turns set started_at = now() - interval '1 minute'")
        await stream.until("answer.completed")


async def test_a_server_that_stops_lets_who_comes_to_follow_go_elsewhere(left_over, here):
    here.app.state.resources.turn_parts.followed.close()
    async with resuming(here, left_over.turn_id) as followed:
        assert await followed.all() == b""


async def test_one_of_several_servers_gives_a_turn_up(soon, left_over, here, elsewhere, database):
    async with resuming(here, left_over.turn_id) as one, resuming(elsewhere, left_over.turn_id) as two:
        async with asyncio.timeout(10):
            assert await one.all() == await two.all()
    [events] = await Turns(database).events_after([(left_over.turn_id, 0)])
    assert [event.type for event in events].count("turn.failed") == 1


async def test_a_server_whose_turn_was_given_up_meanwhile_ends_it_so(soon, here, elsewhere, database):
    async with asking(here, QUESTION) as stream:
        turn_id = (await stream.until("turn.started"))["turn_id"]
        async with database.connection() as connection:
            await connection.execute("update turns set process_id = gen_random_uuid()")
        async with resuming(elsewhere, turn_id) as followed, asyncio.timeout(10):
            await followed.until("turn.failed")
            assert (await stream.until("turn.failed"))["error"]["status"] == 503
        assert stream.raw[-1] == followed.raw[-1]
    [events] = await Turns(database).events_after([(turn_id, 0)])
    assert [event.type for event in events if event.type in LAST] == ["turn.failed"]


@pytest.fixture
def give_up_all(conversations, database):
    """What a server does that has heard of no other."""

    async def give_up_all():
        turns = Turns(database)
        await give_up(await turns.abandoned(uuid.uuid4(), -60), conversations, turns)

    return give_up_all


async def test_a_server_whose_turn_was_given_up_meanwhile_pays_for_no_more_of_it(replica, give_up_all):
    endless = Reply.text((WELL + FLOAT) * 400).paced(chunk_s=0.02)
    here = await replica(lambda _: endless)
    async with asking(here, QUESTION) as stream, asyncio.timeout(10):
        turn_id = (await stream.until("answer.delta")) and data_of(stream.raw[0])["turn_id"]
        await give_up_all()
        await stream.until("turn.failed")
        await here.provider.hung_up.wait()
    async with resuming(here, turn_id) as again:
        assert await again.all() == b"".join(stream.raw)


async def test_events_that_were_stored_and_not_told_are_told_with_the_end_that_another_server_gave(
    here, give_up_all, monkeypatch
):
    """The reply to the statement that stored them was lost."""
    add = Turns.add_events
    lost = asyncio.Event()

    async def add_and_lose(self, events):
        turn_ids = await add(self, events)
        if any(event.type == "answer.delta" for event in events):
            lost.set()
            raise DatabaseUnavailableError
        return turn_ids

    monkeypatch.setattr(Turns, "add_events", add_and_lose)
    async with asking(here, QUESTION) as stream, asyncio.timeout(10):
        await stream.until("turn.started")
        await lost.wait()
        await give_up_all()
        monkeypatch.setattr(Turns, "add_events", add)
        end = await stream.until("turn.failed")
    assert "".join(data_of(frame).get("text", "") for frame in stream.raw) == end["answer"] != ""


async def test_an_event_of_a_turn_that_has_ended_is_not_stored_and_its_turn_does_not_go_on(
    left_over, database, give_up_all
):
    turns = Turns(database)
    late = stored(left_over.turn_id, Entry(9, "answer.delta", b"{}"))
    assert await turns.add_events([late]) == {left_over.turn_id}
    await give_up_all()
    [before] = await turns.events_after([(left_over.turn_id, 0)])
    assert await turns.add_events([late._replace(id=10)]) == set()
    assert await turns.events_after([(left_over.turn_id, 0)]) == [before]


async def test_nobody_is_given_up_for_being_silent_while_the_database_was_away(soon, replica, monkeypatch):
    monkeypatch.setattr(presence, "SILENT_S", 1.0)
    slow = Reply.text((WELL + FLOAT) * 2).paced(chunk_s=0.1)
    here, elsewhere = await replica(lambda _: slow), await replica(lambda _: slow)
    beat, silent = Processes.beat, set()

    async def beat_if_there(self):
        if self.id in silent:
            raise DatabaseUnavailableError
        await beat(self)

    monkeypatch.setattr(Processes, "beat", beat_if_there)
    both = [one.app.state.resources.turn_parts.presence.process_id for one in (here, elsewhere)]
    async with asking(here, QUESTION) as stream:
        turn_id = (await stream.until("turn.started"))["turn_id"]
        silent.update(both)
        await asyncio.sleep(1.3)
        silent.remove(both[1])
        await asyncio.sleep(1.5)  # one server finds the database again before the other
        assert here.app.state.resources.turn_parts.running.ids
        silent.clear()
        async with resuming(elsewhere, turn_id) as followed:
            await followed.until("answer.completed")
