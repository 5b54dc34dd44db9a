"""What becomes of a turn whatever happens to its client, its database or its server."""

import asyncio
import json
from contextlib import AsyncExitStack
from types import SimpleNamespace

import pytest

from app.chat import presence
from app.chat.asking import Asked
from app.chat.courtesies import NOTHING_BEFORE
from app.chat.event_log import decoded
from app.chat.events import fold
from app.chat.opening import open_turn
from app.errors import BookAgentError, DatabaseUnavailableError, OutcomeUnknownError, UnfinishedError
from app.history.conversations import Conversations
from app.history.database import Database
from app.history.turns import Turns
from app.main import create_app
from app.settings import Secret
from tests.fakes.loopback import serve
from tests.fakes.provider import Reply, ScriptedProvider

QUESTION = "What is a stilling well?"
WELL = "A stilling well is a vertical pipe with a small opening that filters out waves [1]."
ANSWER = Reply.text(WELL)
REFUSED = BookAgentError("The database refused a statement.")


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


@pytest.fixture
def slow_store(monkeypatch):
    """Tells when an answer is being stored, and goes on when it may."""
    store, events = Conversations.store_answer, SimpleNamespace(storing=asyncio.Event(), go_on=asyncio.Event())

    async def slow_store(*args):
        events.storing.set()
        await events.go_on.wait()
        await store(*args)

    monkeypatch.setattr(Conversations, "store_answer", slow_store)
    return events


async def test_an_answer_that_is_being_stored_when_it_is_cancelled_is_stored_and_told(resources, slow_store):
    held = await resources(ANSWER)
    turn = await open_turn(held.turn_parts, "public", Asked(QUESTION), None)
    reading = asyncio.create_task(fold(decoded(turn.read())))
    await slow_store.storing.wait()
    held.turn_parts.running.get(turn.turn_id).cancel()
    slow_store.go_on.set()
    assert (await reading).status == "answered"
    assert await settled(held) == ["answered"]


@pytest.fixture
def journal_down(monkeypatch):
    """While it is not empty no event can be stored."""
    add, down = Turns.add_events, []

    async def add_or_fail(*args):
        if down:
            raise DatabaseUnavailableError
        return await add(*args)

    monkeypatch.setattr(Turns, "add_events", add_or_fail)
    return down


async def test_nothing_is_told_before_it_is_stored(resources, journal_down):
    held = await resources(ANSWER)
    journal_down.append(True)
    turn = await open_turn(held.turn_parts, "public", Asked(QUESTION), None)
    events = turn.read()
    first = asyncio.create_task(anext(events))
    done, _ = await asyncio.wait({first}, timeout=1)
    assert not done
    journal_down.clear()
    assert (await first).type == "turn.started"
    assert [event async for event in decoded(events)][-1].answer.startswith("A stilling well")


@pytest.fixture
def refuse(monkeypatch):
    """`refuse(error, if_)`: answers that fit are not stored."""
    store = Conversations.store_answer

    def refuse(error, if_):
        async def store_unless(self, owner, message_id, answer, last):
            if if_(answer):
                raise error
            await store(self, owner, message_id, answer, last)

        monkeypatch.setattr(Conversations, "store_answer", store_unless)

    return refuse


async def test_readers_of_an_answer_that_cannot_be_stored_are_let_go_and_it_is_kept_when_the_database_is_back(
    resources, refuse
):
    held = await resources(ANSWER, database_timeout_s=0.5)
    down = [True]
    refuse(DatabaseUnavailableError, lambda _: down)
    turn = await open_turn(held.turn_parts, "public", Asked(QUESTION), None)
    with pytest.raises(UnfinishedError):
        await fold(decoded(turn.read()))
    assert await statuses(held) == ["running"]
    down.clear()
    assert await settled(held) == ["answered"]
    assert (await last_of(turn)).status == "answered"


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


@pytest.fixture
def break_at_commit(monkeypatch):
    """The next transaction is done and its reply is lost; after that the database is away until `repair`."""
    transact = Database.transact

    class Break:
        is_first = True

        def begin(self):
            async def broken(database, work):
                if not self.is_first:
                    raise DatabaseUnavailableError
                self.is_first = False
                await transact(database, work)
                raise OutcomeUnknownError

            monkeypatch.setattr(Database, "transact", broken)

        def repair(self):
            monkeypatch.setattr(Database, "transact", transact)

    return Break()


async def test_where_an_answer_may_be_stored_nothing_else_is_told(resources, break_at_commit):
    held = await resources(ANSWER)
    turn = await open_turn(held.turn_parts, "public", Asked(QUESTION), None)
    break_at_commit.begin()
    reading = asyncio.create_task(last_of(turn))
    assert await settled(held) == ["answered"]
    done, _ = await asyncio.wait({reading}, timeout=2)
    assert not done
    break_at_commit.repair()
    assert (await reading).status == "answered"


async def test_its_readers_are_let_go_after_a_while_and_can_come_back(resources, break_at_commit):
    held = await resources(ANSWER, database_timeout_s=0.5)
    turn = await open_turn(held.turn_parts, "public", Asked(QUESTION), None)
    break_at_commit.begin()
    with pytest.raises(UnfinishedError):
        await fold(decoded(turn.read()))
    break_at_commit.repair()
    async with asyncio.timeout(10):
        while held.turn_parts.running.get(turn.turn_id):
            await statuses(held)
    assert (await last_of(turn)).status == "answered"


async def test_nobody_waits_for_the_end_of_a_turn_that_broke(resources, monkeypatch):
    def broken(*_):
        raise ValueError("nobody knows why")

    monkeypatch.setattr("app.chat.turn.Turn._keeping", broken)
    held = await resources(ANSWER)
    turn = await open_turn(held.turn_parts, "public", Asked(QUESTION), None)
    async with asyncio.timeout(5):
        with pytest.raises(UnfinishedError):
            await fold(decoded(turn.read()))


async def test_who_waits_for_an_end_that_cannot_be_stored_is_let_go_at_once_when_the_server_stops(resources, refuse):
    held = await resources(ANSWER)
    refuse(DatabaseUnavailableError, lambda _: True)
    turn = await open_turn(held.turn_parts, "public", Asked(QUESTION), None)
    reading = asyncio.create_task(fold(decoded(turn.read())))
    done, _ = await asyncio.wait({reading}, timeout=2)
    assert not done
    await held.turn_parts.running.drain(0.1)
    async with asyncio.timeout(2):
        with pytest.raises(UnfinishedError):
            await reading


async def test_nobody_waits_for_a_reader_to_come_back_when_the_answer_is_being_stored(resources, slow_store):
    held = await resources(ANSWER)
    turn = await open_turn(held.turn_parts, "public", Asked(QUESTION), None)
    events = turn.read()
    await anext(events)
    await slow_store.storing.wait()
    await events.aclose()
    slow_store.go_on.set()
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


@pytest.mark.parametrize("tokens", [10**25, -7])
async def test_whatever_usage_a_provider_tells_the_answer_is_stored(resources, tokens):
    usage = {"prompt_tokens": tokens, "completion_tokens": 3_000_000_000, "total_tokens": 1}
    told = {"choices": [{"index": 0, "delta": {"content": WELL}, "finish_reason": "stop"}], "usage": usage}
    held = await resources(Reply.raw([f"data: {json.dumps(told)}\n\n".encode(), b"data: [DONE]\n\n"]))
    turn = await open_turn(held.turn_parts, "public", Asked(QUESTION), None)
    assert (await last_of(turn)).status == "answered"
    assert await settled(held) == ["answered"]


async def test_an_answer_that_the_database_refuses_has_failed(resources, refuse):
    held = await resources(ANSWER)
    refuse(REFUSED, lambda answer: answer.status == "answered")
    turn = await open_turn(held.turn_parts, "public", Asked(QUESTION), None)
    assert (await last_of(turn)).status == "failed"
    assert await settled(held) == ["failed"]


async def test_a_turn_whose_end_the_database_refuses_is_given_up_and_nobody_waits_for_it(
    resources, refuse, monkeypatch
):
    monkeypatch.setattr(presence, "SILENT_S", 0.3)
    monkeypatch.setattr(presence, "BEAT_S", 0.1)
    held = await resources(ANSWER, database_timeout_s=0.5)
    refuse(REFUSED, lambda answer: answer.model != "unknown" and answer.grounding["sentences"])
    turn = await open_turn(held.turn_parts, "public", Asked(QUESTION), None)
    async with asyncio.timeout(5):
        with pytest.raises(UnfinishedError):
            await fold(decoded(turn.read()))
    assert await settled(held) == ["failed"]
    assert (await last_of(turn)).status == "failed"
