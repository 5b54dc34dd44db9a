"""Making things while those made before are used."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import TypeVar

T = TypeVar("T")


async def read_ahead(items: AsyncGenerator[T], count: int) -> AsyncGenerator[T]:
    """The same items; up to `count` are made before they are asked for. Close it, and it closes `items`."""
    queue: asyncio.Queue[T | None] = asyncio.Queue(count)

    async def fill() -> None:
        async with contextlib.aclosing(items):
            async for item in items:
                await queue.put(item)
        await queue.put(None)

    filling = asyncio.create_task(fill())
    filling.add_done_callback(lambda _: _wake(queue))
    try:
        while not (filling.done() and queue.empty()):
            item = await queue.get()
            if item is None:
                break
            yield item
        await filling
    finally:
        filling.cancel()
        await asyncio.gather(filling, return_exceptions=True)


def _wake(queue: asyncio.Queue[T | None]) -> None:
    """Whoever waits for an item that will not come; where the queue is full nobody waits."""
    with contextlib.suppress(asyncio.QueueFull):
        queue.put_nowait(None)
