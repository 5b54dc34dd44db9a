"""Reads the turns that other servers answer, from the journal, for all readers of this one together."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from uuid import UUID

import structlog

from app.chat.event_log import Entry
from app.chat.journal import told
from app.history.turns import Turns

EVERY_S = 0.2
"""Between two looks into the journal while anybody follows a turn."""
MARK_EVERY_S = 2.0
"""How often the servers that answer are told that there are readers here."""
GIVE_UP_S = 30.0
"""Without a database; a reader can come back for the rest."""

log = structlog.get_logger(__name__)


class _Reader:
    def __init__(self, turn_id: UUID, after: int) -> None:
        self.turn_id = turn_id
        self.after = after
        self.is_late = False
        """Its turn has ended, or is gone."""
        self.entries: asyncio.Queue[Entry | None] = asyncio.Queue()

    def give(self, entry: Entry) -> None:
        self.after = entry.id
        self.entries.put_nowait(entry)


class Followed:
    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._readers: set[_Reader] = set()
        self._looking: asyncio.Task[None] | None = None
        self._is_closed = False

    @property
    def readers(self) -> int:
        return len(self._readers)

    async def read(self, turn_id: UUID, after: int = 0) -> AsyncGenerator[Entry, None]:
        """The turn's events after an id, up to the last. Ends before it when this server stops or has no database."""
        if self._is_closed:
            return
        reader = _Reader(turn_id, after)
        self._readers.add(reader)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            while entry := await reader.entries.get():
                yield entry
                if entry.is_last:
                    return
        finally:
            self._readers.discard(reader)

    def close(self) -> None:
        """Lets every reader go."""
        self._is_closed = True
        self._dismiss()

    def _dismiss(self) -> None:
        for reader in self._readers:
            reader.entries.put_nowait(None)

    async def _look(self) -> None:
        """As long as anybody follows."""
        seen = time.monotonic()
        marked = 0.0
        while self._readers:
            try:
                await self._deliver(list(self._readers))
                if time.monotonic() > marked + MARK_EVERY_S:
                    marked = time.monotonic()
                    await self._mark(list(self._readers))
                seen = time.monotonic()
            except Exception as error:  # noqa: BLE001 - whatever it is, nobody may wait for ever
                log.warning("turn.not_followed", readers=self.readers, error=type(error).__name__)
                if time.monotonic() > seen + GIVE_UP_S:
                    self._dismiss()
                    return
            await asyncio.sleep(EVERY_S)

    async def _mark(self, readers: Sequence[_Reader]) -> None:
        there = await self._turns.mark_followed([reader.turn_id for reader in readers])
        for reader in readers:
            reader.is_late = reader.turn_id not in there

    async def _deliver(self, readers: Sequence[_Reader]) -> None:
        """Who is late gets the last event, whatever it has read, and is let go."""
        asked = [(reader.turn_id, 0 if reader.is_late else reader.after) for reader in readers]
        for reader, events in zip(readers, await self._turns.events_after(asked), strict=True):
            for entry in map(told, events):
                if entry.id > reader.after or entry.is_last:
                    reader.give(entry)
            if reader.is_late:
                reader.entries.put_nowait(None)
