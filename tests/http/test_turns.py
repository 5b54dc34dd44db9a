"""What becomes of a turn whatever happens to its client, its database or its server."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from app.chat.asking import Asked
from app.chat.courtesies import NOTHING_BEFORE
from app.chat.event_log import decoded
from app.chat.events import fold
from app.chat.opening import open_turn
from app.errors import DatabaseUnavailableError, OutcomeUnknownError
from app.history.conversations import Conversations
from app.history.database import Database
from app.main import create_app
from app.settings import Secret
from tests.fakes.loopback import serve
from tests.fakes.provider import Reply, ScriptedProvider

QUESTION = "What is a stilling well?"
WELL = "A stilling well is a vertical pipe with a small opening that filters out waves [1]."
ANSWER = Reply.text(WELL)


@pytest.fixture
async def resources(start, make_settings, monkeypatch):
    """Starts the application against scripted replies, and gives what it holds open."""
    async with AsyncExitStack() as stack:

        async def resources(*replies: Reply, **changes):
            provider = ScriptedProvider(list(replies))
            url = await stack.enter_async_context(serve(provider.app))
            seen = []

            def create(*args, **options):
                seen.append(create_app(*args, **options))
                return seen[0]

            monkeypatch.setattr("tests.http.conftest.create_app", create)
            given = {"openai_base_url": url + provider.prefix, "openai_api_key": Secret("k"), "model_attempts": 1}
            await start(make_settings(model_provider="openai", **given | changes))
            return seen[0].state.resources

        yield resources


async def statuses(resources) -> list[str]:
    async with resources.database.connection() as connection:
        rows = await (await connection.execute("select status from messages where role = 'assistant'")).fetchall()
    return [row["status"] for row in rows]


async def last_of(turn):
    return [event async for event in decoded(turn.read())][-1]


async def settled(resources) -> list[str]:
    async with asyncio.timeout(20):
        while "running" in (found := await statuses(resources)):
            pass
    return found


async def test_an_answer_is_stored_though_nobody_reads_its_events(resources):
    held = await resources(ANSWER)
    await open_turn(held.turn_parts, "public", Asked(QUESTION), None)
    assert await settled(held) == ["answered"]


async def test_a_turn_that_is_dropped_at_once_is_cancelled_where_the_setting_says_so(resources):
    held = await resources(ANSWER.paced(first_byte_s=30), disconnect="cancel")
    turn = await open_turn(held.turn_parts, "public", Asked(QUESTION), None)
    events = turn.read()
    await anext(events)
    await events.aclose()
    assert await settled(held) == ["cancelled"]


async def test_an_answer_that_is_being_stored_when_it_is_cancelled_is_stored_and_told(resources, monkeypatch):
    held = await resources(ANSWER)
    storing, go_on = asyncio.Event(), asyncio.Event()
    store = Conversations.store_answer

    async def slow_store(*args):
        storing.set()
        await go_on.wait()
        await store(*args)

    monkeypatch.setattr(Conversations, "store_answer", slow_store)
    turn = await open_turn(held.turn_parts, "public", Asked(QUESTION), None)
    reading = asyncio.create_task(fold(decoded(turn.read())))
    await storing.wait()
    held.turn_parts.running.get(turn.turn_id).cancel()
    go_on.set()
    assert (await reading).status == "answered"
    assert await settled(held) == ["answered"]


async def test_an_answer_that_cannot_be_stored_is_a_failure_and_kept_as_one_when_the_database_is_back(
    resources, monkeypatch
):
    held = await resources(ANSWER)
    store, down = Conversations.store_answer, [True]

    async def failing_store(*args):
        if down:
            raise DatabaseUnavailableError
        await store(*args)

    monkeypatch.setattr(Conversations, "store_answer", failing_store)
    turn = await open_turn(held.turn_parts, "public", Asked(QUESTION), None)
    last = [event async for event in decoded(turn.read())][-1]
    assert (last.status, last.error.status) == ("failed", 503)
    down.clear()
    assert await settled(held) == ["failed"]


async def test_an_answer_that_was_stored_though_the_connection_broke_is_told_as_it_is_kept(resources, monkeypatch):
    held = await resources(ANSWER)
    store, breaks = Conversations.store_answer, [True]

    async def store_and_break(*args):
        await store(*args)
        if breaks:
            breaks.clear()
            raise DatabaseUnavailableError

    monkeypatch.setattr(Conversations, "store_answer", store_and_break)
    turn = await open_turn(held.turn_parts, "public", Asked(QUESTION), None)
    assert [event async for event in decoded(turn.read())][-1].status == "answered"
    assert await settled(held) == ["answered"]


async def test_where_an_answer_may_be_stored_nothing_else_is_told_however_long_the_database_is_away(
    resources, monkeypatch
):
    held = await resources(ANSWER)
    transact, breaks = Database.transact, [True]

    async def broken_transact(self, work):
        if not breaks:
            raise DatabaseUnavailableError
        breaks.clear()
        await transact(self, work)
        raise OutcomeUnknownError

    turn = await open_turn(held.turn_parts, "public", Asked(QUESTION), None)
    monkeypatch.setattr(Database, "transact", broken_transact)
    reading = asyncio.create_task(last_of(turn))
    assert await settled(held) == ["answered"]
    done, _ = await asyncio.wait({reading}, timeout=2)
    assert not done
    monkeypatch.setattr(Database, "transact", transact)
    assert (await reading).status == "answered"


async def test_nobody_waits_for_a_reader_to_come_back_when_the_answer_is_being_stored(resources, monkeypatch):
    held = await resources(ANSWER)
    storing, go_on = asyncio.Event(), asyncio.Event()
    store = Conversations.store_answer

    async def slow_store(*args):
        storing.set()
        await go_on.wait()
        await store(*args)

    monkeypatch.setattr(Conversations, "store_answer", slow_store)
    turn = await open_turn(held.turn_parts, "public", Asked(QUESTION), None)
    events = turn.read()
    await anext(events)
    await storing.wait()
    await events.aclose()
    go_on.set()
    assert await settled(held) == ["answered"]
    assert "Absence._wait" not in {task.get_coro().__qualname__ for task in asyncio.all_tasks()}


async def test_running_turns_end_with_an_event_that_says_so_when_the_server_stops(resources):
    held = await resources(Reply.text(f"{WELL} " + "And more " * 500).paced(chunk_s=0.05))
    turn = await open_turn(held.turn_parts, "public", Asked(QUESTION), None)
    seen = []
    async for event in decoded(turn.read()):
        seen.append(type(event).__name__)
        if seen[-1] == "AnswerDelta":
            held.turn_parts.running.stop_all()
    assert seen[-1] == "TurnFailed"
    assert await settled(held) == ["failed"]


async def test_closing_waits_until_what_there_is_of_an_answer_is_stored(resources):
    held = await resources(Reply.text("Slow [1].").paced(first_byte_s=30))
    await open_turn(held.turn_parts, "public", Asked(QUESTION), None)
    await held.turn_parts.running.close()
    assert await statuses(held) == ["failed"]


async def test_each_tool_call_is_told_with_its_own_end(resources):
    both = Reply.tool_calls(
        [("search_book", {"query": QUESTION}), ("lookup_history", {}), ("search_book", {"query": "tides"})]
    )
    held = await resources(both, ANSWER)
    turn = await open_turn(held.turn_parts, "public", Asked(QUESTION), None)
    events = [event async for event in decoded(turn.read())]
    started = {e.call_id: e.tool for e in events if type(e).__name__ == "ToolStarted"}
    finished = {e.call_id: e.tool for e in events if type(e).__name__ == "ToolFinished"}
    assert started == finished
    assert sorted(started.values()) == ["lookup_history", "search_book", "search_book", "search_book"]


@pytest.mark.parametrize(
    ("question", "status", "told"),
    [
        ("What did I ask before?", "answered", NOTHING_BEFORE),
        ("As we discussed, what is a stilling well?", "refused", ""),
    ],
)
async def test_a_model_that_looked_up_an_empty_history_cannot_answer_from_it(resources, question, status, told):
    held = await resources(Reply.tool_calls([("lookup_history", {})]), Reply.text("France won it, and Elvis lives."))
    turn = await open_turn(held.turn_parts, "public", Asked(question), None)
    events = [event async for event in decoded(turn.read())]
    assert (events[-1].status, events[-1].answer) == (status, told)
    assert "Elvis" not in str(events)
