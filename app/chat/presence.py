"""That this process lives, told to the others; and the turns of those that no longer do, brought to an end."""

import asyncio
import contextlib
import time
from collections.abc import Iterable
from uuid import UUID

import structlog

from app.chat.abandoned import give_up
from app.chat.following import Followed
from app.chat.running import RunningTurns
from app.errors import BookAgentError
from app.history.conversations import Conversations
from app.history.processes import Processes
from app.history.turns import Turns
from app.settings import Settings

BEAT_S = 2.0
SILENT_S = 10.0
"""A process that was not heard of for so long is gone."""
AFTER_OUTAGE = 2.5
"""Times SILENT_S: after an outage, until nobody can be silent because of it."""
IDLE_AFTER_S = 600.0
"""Without a turn or a reader: nothing is said from then on, so that a database that sleeps when it is let may do so."""
CANCELS_EVERY_S = 0.3
PRUNE_EVERY_S = 600.0

log = structlog.get_logger(__name__)


class Presence:
    def __init__(
        self,
        settings: Settings,
        processes: Processes,
        turns: Turns,
        conversations: Conversations,
        running: RunningTurns,
        followed: Followed,
    ) -> None:
        self._processes = processes
        self._followed = followed
        self._active_at = time.monotonic()
        self._waking = asyncio.Event()
        self._is_asleep = False
        self._turns = turns
        self._conversations = conversations
        self._running = running
        self._keep_h = settings.journal_hours
        self._unknown_after_s = SILENT_S + settings.database_timeout_s
        self._pruned = 0.0

    async def begin(self, *, alone: bool) -> None:
        """The turns of killed processes of this machine, or of all that there were, end now. Raises nothing."""
        with contextlib.suppress(BookAgentError):
            await self._processes.beat()
            if alone:
                await self._processes.forget_others()
            killed = None if alone else await self._processes.forget_killed()
            await give_up(
                await self._turns.abandoned(self._processes.id, SILENT_S, killed), self._conversations, self._turns
            )

    @property
    def process_id(self) -> UUID:
        return self._processes.id

    async def wake(self) -> None:
        """Before a turn begins: by then the others know that this process lives. Raises DatabaseUnavailableError."""
        self._active_at = time.monotonic()
        if self._is_asleep:
            await self._processes.beat()
            self._waking.set()

    @property
    def _is_idle(self) -> bool:
        is_busy = self._running.ids or self._followed.readers
        return not is_busy and time.monotonic() > self._active_at + IDLE_AFTER_S

    async def run(self) -> None:
        """Until it is cancelled.

        Where the database was away nobody could be heard of: nobody is gone before all had the time to come back.
        """
        heard_since: float | None = None
        long_s = SILENT_S
        while True:
            if self._is_idle:
                heard_since = None
                await self._sleep()
            try:
                await self._processes.beat()
                heard_since = heard_since or time.monotonic()
                if time.monotonic() > heard_since + long_s:
                    await self._end_abandoned()
                    await self._prune()
            except BookAgentError:
                heard_since, long_s = None, AFTER_OUTAGE * SILENT_S
            except Exception:
                log.exception("presence.broken")  # and goes on: the others must hear of this process
            await asyncio.sleep(BEAT_S)

    async def _sleep(self) -> None:
        self._waking.clear()
        self._is_asleep = True
        try:
            await self._waking.wait()
        finally:
            self._is_asleep = False

    async def watch_cancels(self) -> None:
        """Ends the turns of this process that were cancelled, or given up, on another one. Until it is cancelled."""
        while True:
            await asyncio.sleep(CANCELS_EVERY_S)
            if ids := self._running.ids:
                try:
                    self._cancel(await self._turns.to_cancel(ids))
                except BookAgentError:
                    pass
                except Exception:
                    log.exception("presence.cancels_broken")

    def _cancel(self, turn_ids: Iterable[UUID]) -> None:
        for turn_id in turn_ids:
            if turn := self._running.get(turn_id):
                turn.cancel()

    async def leave(self) -> None:
        with contextlib.suppress(BookAgentError):
            await self._processes.leave()

    async def _end_abandoned(self) -> None:
        ours = self._processes.id
        abandoned = await self._turns.abandoned(ours, SILENT_S)
        unknown = await self._turns.unknown(ours, self._running.ids, self._unknown_after_s)
        await give_up([*abandoned, *unknown], self._conversations, self._turns)

    async def _prune(self) -> None:
        if time.monotonic() > self._pruned + PRUNE_EVERY_S:
            await self._turns.prune(self._keep_h)
            await self._processes.forget_old()
            self._pruned = time.monotonic()
