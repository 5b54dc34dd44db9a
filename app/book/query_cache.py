"""The vectors of questions: kept for a while, and computed together when many are asked at once."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from itertools import islice
from typing import Generic, TypeVar

from cachetools import LRUCache

KEPT = 1024
"""Questions; about 10 KB each."""
BATCH = 32
"""Questions in one call at the most."""

T = TypeVar("T")


class QueryCache(Generic[T]):
    """For one event loop at a time."""

    def __init__(self, compute: Callable[[Sequence[str]], list[T]], executor: Executor) -> None:
        self._compute = compute
        self._executor = executor
        self._kept: LRUCache[str, T] = LRUCache(KEPT)
        self._asked: dict[str, asyncio.Future[T]] = {}
        """What waits or is being computed, oldest first."""
        self._drain_task: asyncio.Task[None] | None = None

    async def get(self, text: str) -> T:
        """Raises what the computation of its batch raises."""
        if text in self._kept:
            return self._kept[text]
        loop = asyncio.get_running_loop()
        if not self._is_draining(loop):
            self._asked = {}
            self._drain_task = asyncio.create_task(self._drain(self._asked))
        if text not in self._asked:
            self._asked[text] = loop.create_future()
        return await asyncio.shield(self._asked[text])  # one who goes away must not take it from the others

    def _is_draining(self, loop: asyncio.AbstractEventLoop) -> bool:
        task = self._drain_task
        return task is not None and not task.done() and task.get_loop() is loop

    async def _drain(self, asked: dict[str, "asyncio.Future[T]"]) -> None:
        """What comes while a batch is computed waits for the next."""
        try:
            while asked:
                await asyncio.sleep(0)  # lets everyone who is ready now join this batch
                await self._answer(asked, list(islice(asked, BATCH)))
        finally:
            for future in asked.values():  # of a drain that is cancelled
                future.cancel()

    async def _answer(self, asked: dict[str, "asyncio.Future[T]"], batch: Sequence[str]) -> None:
        try:
            results = await asyncio.get_running_loop().run_in_executor(self._executor, self._compute, batch)
        except Exception as error:  # noqa: BLE001 - it is for those who wait
            for text in batch:
                future = asked.pop(text)
                future.set_exception(error)
                future.exception()  # nobody may be waiting any more
            return
        for text, result in zip(batch, results, strict=True):
            self._kept[text] = result
            asked.pop(text).set_result(result)
