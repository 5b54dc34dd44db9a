"""The turns that are being answered, and the answers that are being stored, in this process."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Sequence
from typing import Any, Protocol, TypeVar
from uuid import UUID

from app.chat.event_log import Entry
from app.errors import BookAgentError, StoppingError

T = TypeVar("T")

CLOSE_TIMEOUT_S = 5.0
CANCEL_TIMEOUT_S = 1.0
"""For what is cancelled to give back what it has."""


class RunningTurn(Protocol):
    def read(self, after: int = 0) -> AsyncGenerator[Entry, None]: ...

    def cancel(self) -> None: ...

    def stop(self, error: BookAgentError) -> None:
        """It ends as a failed one."""
        ...


class RunningTurns:
    """Holds the tasks, so that none is lost halfway and all can be stopped."""

    def __init__(self) -> None:
        self._turns: dict[UUID, RunningTurn] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stores: set[asyncio.Task[Any]] = set()
        self._is_stopping = False

    @property
    def is_stopping(self) -> bool:
        return self._is_stopping

    @property
    def ids(self) -> Sequence[UUID]:
        return list(self._turns)

    def get(self, turn_id: UUID) -> RunningTurn | None:
        return self._turns.get(turn_id)

    def check_open(self) -> None:
        """Raises StoppingError when no more turns may begin."""
        if self._is_stopping:
            raise StoppingError

    def start(self, turn_id: UUID, turn: RunningTurn, answering: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        self._turns[turn_id] = turn
        task = _held(self._tasks, answering)
        task.add_done_callback(lambda _: self._turns.pop(turn_id, None))
        return task

    def store(self, storing: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """It goes on when the turn that asked for it is cancelled."""
        return _held(self._stores, storing)

    async def drain(self, grace_s: float) -> None:
        """Lets no more turns begin, and lets those that run come to an end; after the grace time they fail."""
        self._is_stopping = True
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=grace_s)
        self.stop_all()

    def stop_all(self) -> None:
        for turn in list(self._turns.values()):
            turn.stop(StoppingError("The server stopped before the answer was complete."))

    async def close(self) -> None:
        """Stops the turns, and waits until what there is of their answers is stored."""
        await self.drain(0)
        while pending := self._tasks | self._stores:
            done, _ = await asyncio.wait(pending, timeout=CLOSE_TIMEOUT_S)
            if not done:
                break
        if late := self._tasks | self._stores:
            for task in late:
                task.cancel()
            await asyncio.wait(late, timeout=CANCEL_TIMEOUT_S)


def _held(tasks: set[asyncio.Task[Any]], work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    task = asyncio.create_task(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    return task
