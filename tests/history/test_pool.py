"""The pool's connections, and tasks that are cancelled while they get one or give it back."""

import asyncio
import random

import pytest

from app.resources import in_background
from tests.fakes.waiting import until

MOST_STEPS = 8
"""Of the event loop, between a connection's return and a cancellation."""


@pytest.fixture
def settings(make_settings):
    return make_settings(database_pool_size=1, database_timeout_s=5.0)


@pytest.fixture
def holding(database):
    """A task that has the only connection until the event is set."""

    async def hold(release: asyncio.Event, held: asyncio.Event) -> None:
        async with database.connection():
            held.set()
            await release.wait()

    async def begin() -> tuple[asyncio.Event, asyncio.Task[None]]:
        release, held = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(hold(release, held))
        await held.wait()
        return release, task

    return begin


async def ask(database) -> None:
    await database.fetch("select 1 as one", [], dict)


async def until_waiting(database) -> None:
    await until(lambda: database._pool.get_stats().get("requests_waiting", 0) == 1)


@pytest.mark.parametrize("steps", range(MOST_STEPS))
async def test_a_cancellation_that_comes_with_the_connection_is_not_lost(database, holding, steps):
    release, holder = await holding()
    went_on = False

    async def wait() -> None:
        nonlocal went_on
        await ask(database)
        went_on = True
        await asyncio.sleep(60)

    waiting = asyncio.create_task(wait())
    await until_waiting(database)
    release.set()
    for _ in range(steps):
        await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting], timeout=5)
    assert waiting.cancelled(), went_on
    await holder


@pytest.mark.parametrize("steps", range(1, MOST_STEPS))
async def test_background_work_ends_whatever_it_waits_for(database, holding, steps):
    release, holder = await holding()

    async def watch() -> None:
        while True:
            await ask(database)
            await asyncio.sleep(0.05)

    async def serve() -> None:
        async with in_background(watch()):
            await until_waiting(database)
            release.set()
            for _ in range(steps):
                await asyncio.sleep(0)

    await asyncio.wait_for(serve(), 5)
    await holder


async def test_no_connection_is_lost_by_cancellations(database):
    chance = random.Random(7)
    for _ in range(150):
        tasks = [asyncio.create_task(ask(database)) for _ in range(8)]
        for task in chance.sample(tasks, 4):
            for _ in range(chance.randint(0, 6)):
                await asyncio.sleep(0)
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def is_whole() -> bool:
        stats = database._pool.get_stats()
        return stats["pool_available"] == stats["pool_size"] == 1

    await until(is_whole)
    await ask(database)
