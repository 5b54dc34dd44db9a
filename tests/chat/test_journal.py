"""The events of all turns are written together, and what cannot be written fails for all who wait for it."""

import asyncio
from uuid import UUID, uuid4

import pytest

from app.chat.event_log import Entry
from app.chat.journal import Journal
from app.errors import BookAgentError, DatabaseUnavailableError

DELTA = Entry(1, "answer.delta", b"{}")


class Heard:
    """What a turn hears of its events."""

    def __init__(self) -> None:
        self.told = []
        self.stopped_by = []

    def tell(self, entry: Entry) -> None:
        self.told.append(entry.id)

    def stop(self, error: BookAgentError) -> None:
        self.stopped_by.append(error)


class SilentTurns:
    """A database that is asked, and gives up after a while."""

    def __init__(self) -> None:
        self.asked = 0
        self.give_up = asyncio.Event()

    async def add_events(self, _) -> None:
        self.asked += 1
        await self.give_up.wait()
        raise DatabaseUnavailableError


async def test_who_waits_while_another_one_tries_in_vain_does_not_try_again():
    turns = SilentTurns()
    journal = Journal(turns)
    heard = Heard()
    journal.add(uuid4(), DELTA, heard)
    flushes = [asyncio.create_task(journal.flush()) for _ in range(20)]
    await asyncio.sleep(0)
    turns.give_up.set()
    assert {type(found) for found in await asyncio.gather(*flushes, return_exceptions=True)} == {
        DatabaseUnavailableError
    }
    assert turns.asked == 1
    with pytest.raises(DatabaseUnavailableError):
        await journal.flush()
    assert (turns.asked, heard.told) == (2, [])


class BusyTurns:
    """Of a process in which more is said while something is written."""

    def __init__(self) -> None:
        self.written = 0
        self.journal = Journal(self)

    async def add_events(self, events) -> set[UUID]:
        self.written += len(events)
        for _ in range(3):
            self.journal.add(uuid4(), DELTA, Heard())
        return {event.turn_id for event in events}


async def test_who_waits_for_what_was_said_does_not_wait_for_what_is_said_meanwhile():
    turns = BusyTurns()
    turns.journal.add(uuid4(), DELTA, Heard())
    async with asyncio.timeout(1):
        await turns.journal.flush()
    assert turns.written == 1


class Broken:
    """A database that is away at first, and has heard that one turn was given up."""

    def __init__(self, ended: UUID) -> None:
        self.is_away = True
        self.ended = ended

    async def add_events(self, events) -> set[UUID]:
        if self.is_away:
            raise DatabaseUnavailableError
        return {event.turn_id for event in events} - {self.ended}


async def test_an_event_is_told_when_it_is_stored_and_never_one_of_a_turn_that_has_ended():
    ours, ended = Heard(), Heard()
    ids = uuid4(), uuid4()
    turns = Broken(ids[1])
    journal = Journal(turns)
    for turn_id, heard in zip(ids, (ours, ended), strict=True):
        for number in (1, 2):
            journal.add(turn_id, DELTA._replace(id=number), heard)
    with pytest.raises(DatabaseUnavailableError):
        await journal.flush()
    assert ours.told == []
    turns.is_away = False
    await journal.flush()
    assert (ours.told, ended.told) == ([1, 2], [])


class FussyTurns:
    """A database that refuses whatever has an event of one turn."""

    def __init__(self, refused: UUID) -> None:
        self.refused = refused

    async def add_events(self, events) -> set[UUID]:
        turn_ids = {event.turn_id for event in events}
        if self.refused in turn_ids:
            raise BookAgentError("The database refused a statement.")
        return turn_ids


async def test_what_the_database_refuses_of_one_turn_keeps_no_other_from_being_told():
    ids = [uuid4(), uuid4(), uuid4()]
    heard = [Heard(), Heard(), Heard()]
    journal = Journal(FussyTurns(ids[1]))
    for number in (1, 2):
        for turn_id, one in zip(ids, heard, strict=True):
            journal.add(turn_id, DELTA._replace(id=number), one)
    await journal.flush()
    assert [one.told for one in heard] == [[1, 2], [], [1, 2]]
    assert [len(one.stopped_by) for one in heard] == [0, 1, 0]
