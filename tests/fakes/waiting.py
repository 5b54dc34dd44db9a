"""Waiting for what is no event of this process."""

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], bool], within_s: float = 30.0) -> None:
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - what another process does is no event here
            await asyncio.sleep(0.01)
