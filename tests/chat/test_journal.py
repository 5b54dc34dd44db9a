"""The events of all turns are written together, and what cannot be written fails for all who wait for it."""

import asyncio
from uuid import uuid4

import pytest

from app.chat.event_log import Entry
from app.chat.journal import Journal
from app.errors import DatabaseUnavailableError


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
    journal.add(uuid4(), Entry(1, "turn.started", b"{}"))
    flushes = [asyncio.create_task(journal.flush()) for _ in range(20)]
    await asyncio.sleep(0)
    turns.give_up.set()
    assert {type(found) for found in await asyncio.gather(*flushes, return_exceptions=True)} == {
        DatabaseUnavailableError
    }
    assert turns.asked == 1
    with pytest.raises(DatabaseUnavailableError):
        await journal.flush()
    assert turns.asked == 2


class BusyTurns:
    """Of a process in which more is said while something is written."""

    def __init__(self) -> None:
        self.written = 0
        self.journal = Journal(self)

    async def add_events(self, events) -> None:
        self.written += len(events)
        for _ in range(3):
            self.journal.add(uuid4(), Entry(1, "answer.delta", b"{}"))


async def test_who_waits_for_what_was_said_does_not_wait_for_what_is_said_meanwhile():
    turns = BusyTurns()
    turns.journal.add(uuid4(), Entry(1, "turn.started", b"{}"))
    async with asyncio.timeout(1):
        await turns.journal.flush()
    assert turns.written == 1
