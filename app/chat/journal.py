"""Writes the events of all turns of this process to the database, many at a time, before anybody is told of them."""

import asyncio
import contextlib
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple, Protocol
from uuid import UUID

import structlog

from app.chat.event_log import Entry
from app.errors import BookAgentError, DatabaseUnavailableError
from app.history.turns import StoredEvent, Turns

PAUSE_S = 0.02
"""Between two statements: what is said meanwhile goes together."""
RETRY_S = 1.0
BATCH = 500
"""Events in one statement at the most."""

log = structlog.get_logger(__name__)


class Teller(Protocol):
    def tell(self, entry: Entry) -> None:
        """It is stored. Called in the order of the ids."""
        ...

    def stop(self, error: BookAgentError) -> None:
        """The database refused events of this turn."""
        ...


class _Said(NamedTuple):
    turn_id: UUID
    entry: Entry
    teller: Teller


class Journal:
    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._pending: list[_Said] = []
        self._is_pending = asyncio.Event()
        self._writing = asyncio.Lock()
        self._failures = 0
        self._written = 0

    def add(self, turn_id: UUID, entry: Entry, teller: Teller) -> None:
        """To be told when it is stored; never, if the turn has ended by then."""
        self._pending.append(_Said(turn_id, entry, teller))
        self._is_pending.set()

    async def flush(self) -> None:
        """All that was added before. What cannot be written stays. Raises DatabaseUnavailableError.

        Who waited while another one tried in vain does not try again: the last would wait for all before it.
        """
        failures, added = self._failures, self._written + len(self._pending)
        async with self._writing:
            if self._failures != failures:
                raise DatabaseUnavailableError
            try:
                await self._write(added)
            except BookAgentError:
                self._failures += 1
                raise

    async def _write(self, added: int) -> None:
        """So many in all; what comes meanwhile is the next one's."""
        while self._written < added:
            batch = self._pending[:BATCH]
            open_turns = await self._store(batch)
            del self._pending[: len(batch)]
            self._written += len(batch)
            for said in batch:
                if said.turn_id in open_turns:
                    said.teller.tell(said.entry)
        if not self._pending:
            self._is_pending.clear()

    async def _store(self, batch: Sequence[_Said]) -> set[UUID]:
        """The turns that go on. What the database refuses of one turn keeps no other from being stored."""
        try:
            return await self._turns.add_events([stored(said.turn_id, said.entry) for said in batch])
        except DatabaseUnavailableError:
            raise
        except BookAgentError as error:
            turns = [list(said) for _, said in groupby(sorted(batch, key=_turn_of), key=_turn_of)]
            if len(turns) > 1:
                return set().union(*[await self._store(said) for said in turns])
            log.exception("journal.refused", turn_id=str(batch[0].turn_id), events=len(batch))
            batch[0].teller.stop(error)
            return set()

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            await self._is_pending.wait()
            try:
                await self.flush()
                await asyncio.sleep(PAUSE_S)
            except Exception as error:  # noqa: BLE001 - whatever it is, the events that come must be written
                log.warning("journal.waits", events=len(self._pending), error=type(error).__name__)
                await asyncio.sleep(RETRY_S)

    async def close(self) -> None:
        with contextlib.suppress(BookAgentError):
            await self.flush()


def _turn_of(said: _Said) -> UUID:
    return said.turn_id


def stored(turn_id: UUID, entry: Entry) -> StoredEvent:
    return StoredEvent(turn_id, entry.id, entry.type, entry.body.decode())


def told(event: StoredEvent) -> Entry:
    """As it was before it was stored."""
    return Entry(event.id, event.type, event.body.encode())
