"""The turns that are being answered, and the answers that are being stored, in this process."""

import asyncio
from collections.abc import Coroutine
from typing import Any

CLOSE_TIMEOUT_S = 5.0


class RunningTurns:
    """Holds the tasks, so that none is lost halfway and all can be stopped."""

    def __init__(self) -> None:
        self._turns: set[asyncio.Task[None]] = set()
        self._stores: set[asyncio.Task[Any]] = set()

    def start(self, turn: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return _held(self._turns, turn)

    def store(self, storing: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """It goes on when the turn that asked for it is cancelled."""
        return _held(self._stores, storing)

    def cancel_all(self) -> None:
        for turn in self._turns:
            turn.cancel()

    async def close(self) -> None:
        """Cancels the turns, and waits until what there is of their answers is stored."""
        self.cancel_all()
        while pending := self._turns | self._stores:
            done, _ = await asyncio.wait(pending, timeout=CLOSE_TIMEOUT_S)
            if not done:
                break
        for task in self._turns | self._stores:
            task.cancel()


def _held(tasks: set[asyncio.Task[Any]], work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    task = asyncio.create_task(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    return task
