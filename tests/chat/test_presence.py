"""Who is thought to live, and what becomes of the turns of those who don't."""

import asyncio
import os
import subprocess
import uuid
from contextlib import asynccontextmanager

import psycopg
import pytest

from app.chat import presence
from app.chat.following import Followed
from app.chat.presence import Presence
from app.chat.running import RunningTurns
from app.history import processes
from app.history.processes import Processes
from app.history.turns import Opening, StoredEvent, Turns

LAST_SEEN = "select extract(epoch from max(seen_at)) from processes"
ORIGIN = {"model": "m", "prompt": {"name": "book_agent", "version": "v0", "digest": "abc"}}


@pytest.fixture
def turns(database):
    return Turns(database)


@pytest.fixture
def make_presence(settings, database, turns, conversations):
    return lambda: Presence(settings, Processes(database), turns, conversations, RunningTurns(), Followed(turns))


@pytest.fixture
def ours(make_presence):
    return make_presence()


@pytest.fixture
def ask(conversations):
    """A question to a server, which does not answer."""

    async def ask(process_id):
        opening = Opening(process_id, ORIGIN, b"")
        return await conversations.store_question("owner", None, "What causes tides?", None, opening)

    return ask


@pytest.fixture
def neighbour(database):
    """A process of this machine or another one, as the database knows it."""

    async def neighbour(pid, machine=None):
        one = Processes(database)
        one._machine = machine or one._machine
        await one.beat()
        async with database.connection() as connection:
            await connection.execute("update processes set pid = %s where id = %s", [pid, one.id])
        return one.id

    return neighbour


@asynccontextmanager
async def in_background(one):
    task = asyncio.create_task(one.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def query(url, statement):
    with psycopg.connect(url) as session:
        return session.execute(statement).fetchone()[0]


async def status(turns, stored):
    return (await turns.get("owner", stored.turn_id)).status


@pytest.fixture
def dead_pid():
    ended = subprocess.Popen(["true"])
    ended.wait()
    return ended.pid


async def test_the_turns_of_a_killed_process_of_this_machine_end_at_the_start(ours, turns, ask, neighbour, dead_pid):
    left = await ask(await neighbour(dead_pid))
    await ours.begin(alone=False)
    assert await status(turns, left) == "failed"


async def test_a_process_with_our_own_id_was_another_one_before_us(ours, turns, ask, neighbour):
    left = await ask(await neighbour(os.getpid()))
    await ours.begin(alone=False)
    assert await status(turns, left) == "failed"


@pytest.mark.parametrize("machine", [None, "another"], ids=["of this machine", "of another one"])
async def test_the_turns_of_a_process_that_may_live_go_on(ours, turns, ask, neighbour, dead_pid, machine):
    running = await ask(await neighbour(dead_pid if machine else os.getppid(), machine))
    await ours.begin(alone=False)
    assert await status(turns, running) == "running"


async def test_who_is_alone_ends_all_turns_of_others_at_the_start(ours, turns, ask, neighbour):
    left = [await ask(await neighbour(os.getppid())), await ask(await neighbour(1, "another")), await ask(uuid.uuid4())]
    await ours.begin(alone=True)
    assert [await status(turns, one) for one in left] == ["failed"] * 3


async def test_our_own_turns_are_never_given_up(ours, turns, ask, monkeypatch):
    monkeypatch.setattr(presence, "SILENT_S", 0.0)
    running = await ask(ours.process_id)
    await ours.begin(alone=True)
    async with in_background(ours):
        await asyncio.sleep(0.2)
    assert await status(turns, running) == "running"


async def test_nothing_is_said_while_nobody_asks_and_a_sign_of_life_comes_before_a_turn(
    ours, database_url, monkeypatch
):
    monkeypatch.setattr(presence, "BEAT_S", 0.01)
    monkeypatch.setattr(presence, "IDLE_AFTER_S", 0.2)
    async with in_background(ours):
        await asyncio.sleep(0.5)
        asleep = query(database_url, LAST_SEEN)
        await asyncio.sleep(0.2)
        assert query(database_url, LAST_SEEN) == asleep
        await ours.wake()
        awake = query(database_url, LAST_SEEN)
        assert awake > asleep
        await asyncio.sleep(0.1)
        assert query(database_url, LAST_SEEN) > awake


async def test_who_leaves_is_forgotten(ours, database_url):
    await ours.begin(alone=False)
    assert query(database_url, "select count(*) from processes") == 1
    await ours.leave()
    assert query(database_url, "select count(*) from processes") == 0


async def test_old_turns_and_processes_are_forgotten(make_presence, turns, ask, neighbour, database_url, monkeypatch):
    monkeypatch.setattr(presence, "SILENT_S", 0.0)
    monkeypatch.setattr(presence, "BEAT_S", 0.01)
    monkeypatch.setattr(processes, "FORGOTTEN_AFTER_H", 0)
    ours = make_presence()
    ours._keep_h = 0
    await ask(await neighbour(1, "another"))
    async with in_background(ours):
        async with asyncio.timeout(10):
            while await ours._turns.abandoned(uuid.uuid4(), 0) or query(database_url, "select count(*) from turns"):
                pass
    assert query(database_url, "select count(*) from messages where status = 'failed'") == 1


async def test_where_a_process_id_means_the_same_process(monkeypatch, tmp_path):
    here = processes.machine()
    assert here == processes.machine()
    monkeypatch.setattr(processes, "BOOT_ID", tmp_path / "none")
    assert processes.machine() not in {"", here}


async def test_what_another_release_has_written_keeps_nobody_from_living(
    ours, turns, ask, neighbour, database, dead_pid
):
    left = await ask(await neighbour(dead_pid))
    await turns.add_events([StoredEvent(left.turn_id, 1, "answer.table", '{"type": "answer.table", "rows": 3}')])
    async with database.connection() as connection:
        await connection.execute("update turns set origin = '{}'")
    await ours.begin(alone=False)
    assert await status(turns, left) == "failed"


async def test_a_turn_that_the_database_does_not_let_end_keeps_none_of_the_others_from_it(
    ours, turns, ask, neighbour, database, dead_pid
):
    gone = await neighbour(dead_pid)
    left = [await ask(gone) for _ in range(3)]
    async with database.connection() as connection:
        await connection.execute(
            "insert into turn_events (turn_id, id, type, body) values (%s, 2147483000, 'x', '{}')", [left[0].turn_id]
        )
    await ours.begin(alone=False)
    assert [await status(turns, one) for one in left] == ["running", "failed", "failed"]


async def test_whatever_goes_wrong_with_others_turns_a_process_goes_on_to_show_that_it_lives(
    ours, database_url, monkeypatch
):
    monkeypatch.setattr(presence, "SILENT_S", 0.0)
    monkeypatch.setattr(presence, "BEAT_S", 0.01)
    monkeypatch.setattr(Turns, "abandoned", lambda *_: 1 / 0)
    async with in_background(ours):
        await asyncio.sleep(0.2)
        seen = query(database_url, LAST_SEEN)
        await asyncio.sleep(0.2)
        assert query(database_url, LAST_SEEN) > seen


async def test_cancels_are_looked_for_again_whatever_goes_wrong(settings, database, turns, conversations, monkeypatch):
    class Turn:
        def __init__(self) -> None:
            self.is_cancelled = asyncio.Event()

        def cancel(self) -> None:
            self.is_cancelled.set()

    turn, turn_id, asked = Turn(), uuid.uuid4(), []

    async def fail_once(_, ids):
        asked.append(ids)
        if len(asked) == 1:
            raise ZeroDivisionError
        return ids

    running = RunningTurns()
    running._turns[turn_id] = turn
    monkeypatch.setattr(presence, "CANCELS_EVERY_S", 0.01)
    monkeypatch.setattr(Turns, "to_cancel", fail_once)
    ours = Presence(settings, Processes(database), turns, conversations, running, Followed(turns))
    watching = asyncio.create_task(ours.watch_cancels())
    async with asyncio.timeout(5):
        await turn.is_cancelled.wait()
    watching.cancel()
    assert asked[:2] == [[turn_id]] * 2
