"""What an application holds because of its turns: nothing, once they have all ended."""

import asyncio
import gc
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from app.chat.event_log import EventLog
from app.chat.turn import Turn
from app.resources import Resources
from tests.fakes.provider import ScriptedProvider

FAKES = str(Path(__file__).parents[1] / "fakes")


class Holdings(NamedTuple):
    tasks: Counter[str]
    """By what they do; those of the fakes are left out."""
    turns: int = 0
    """Objects that are alive."""
    logs: int = 0
    running: int = 0
    followers: int = 0
    replies: int = 0
    """That the provider is still giving."""
    model_connections: int = 0
    """In use."""
    taken: int = 0
    """Database connections that the pool has given out, and clients that wait for one."""
    unwritten: int = 0
    """Events that the journal has not stored."""
    open_turns: int = 0
    """In the database."""


async def holdings(resources: Resources, provider: ScriptedProvider) -> Holdings:
    parts = resources.turn_parts
    async with resources.database.connection() as connection:
        rows = await (await connection.execute("select from turns where ended_at is null")).fetchall()
    await asyncio.sleep(0)  # what was cancelled ends
    return Holdings(
        tasks=_tasks(),
        turns=_alive(Turn),
        logs=_alive(EventLog),
        running=len(parts.running.ids),
        followers=parts.followed.readers,
        replies=provider.replying,
        model_connections=_in_use(resources),
        taken=_taken(resources),
        unwritten=len(parts.journal._pending),
        open_turns=len(rows),
    )


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def _tasks() -> Counter[str]:
    coroutines: list[Any] = [task.get_coro() for task in asyncio.all_tasks()]
    return Counter(one.__qualname__ for one in coroutines if not _is_fake(one))


def _is_fake(coroutine: Any) -> bool:
    code = getattr(coroutine, "cr_code", None)
    return code is not None and code.co_filename.startswith(FAKES)


def _alive(kind: type) -> int:
    gc.collect()
    return sum(type(one) is kind for one in gc.get_objects())


def _in_use(resources: Resources) -> int:
    clients = [provided.client for provided in resources.models.provided if provided.client is not None]
    assert clients
    pools: list[Any] = [client._client._transport._pool for client in clients]  # type: ignore[attr-defined]
    return sum(not connection.is_idle() for pool in pools for connection in pool.connections)


def _taken(resources: Resources) -> int:
    stats = resources.database._pool.get_stats()
    return stats["pool_size"] - stats["pool_available"] + stats.get("requests_waiting", 0)
