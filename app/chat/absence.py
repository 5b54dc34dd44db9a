"""What becomes of a turn that nobody reads."""

import asyncio
import contextlib
from collections.abc import Callable
from uuid import UUID

from app.errors import BookAgentError
from app.history.turns import Turns
from app.settings import Settings

BEGIN_S = 5.0
"""What a first reader gets to come, where a turn is cancelled as soon as the last one leaves."""
ELSEWHERE_S = 5.0
"""A reader on another server was there not longer ago."""


class Absence:
    """Cancels a turn when its readers have been away for as long as DISCONNECT says, here and on other servers."""

    def __init__(
        self, settings: Settings, turns: Turns, turn_id: UUID, cancel: Callable[[], None], readers: Callable[[], int]
    ) -> None:
        self._turns = turns
        self._turn_id = turn_id
        self._cancel = cancel
        self._readers = readers
        self._cancels_at_once = settings.disconnect == "cancel"
        self._grace_s = settings.disconnect_grace_s
        self._waiting: asyncio.Task[None] | None = None

    def begin(self, *, first: bool = False) -> None:
        """There is no reader now; `first`: there was none before."""
        self.end()
        grace_s = self._grace_s if not self._cancels_at_once else BEGIN_S if first else 0.0
        self._waiting = asyncio.create_task(self._wait(grace_s))

    def end(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()

    async def _wait(self, grace_s: float) -> None:
        await asyncio.sleep(grace_s)
        while not self._readers():
            if not await self._is_read_elsewhere():
                self._cancel()
                return
            await asyncio.sleep(ELSEWHERE_S)

    async def _is_read_elsewhere(self) -> bool:
        """Where the database cannot say, it may be."""
        with contextlib.suppress(BookAgentError):
            return await self._turns.is_followed(self._turn_id, ELSEWHERE_S)
        return True
