"""The servers over one database, each with a sign of life."""

import os
import socket
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID, uuid4

from app.history.database import Database

FORGOTTEN_AFTER_H = 1
BOOT_ID, PID_NAMESPACE = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")

BEAT = """
insert into processes (id, machine, pid) values (%s, %s, %s)
on conflict (id) do update set seen_at = now()
"""


class Processes:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._machine = machine()
        self.id = uuid4()
        """This one's."""

    async def beat(self) -> None:
        async with self._database.connection() as connection:
            await connection.execute(BEAT, [self.id, self._machine, os.getpid()])

    async def leave(self) -> None:
        await self._forget([self.id])

    async def forget_others(self) -> None:
        """For a server that is known to be alone."""
        async with self._database.connection() as connection:
            await connection.execute("delete from processes where id <> %s", [self.id])

    async def forget_killed(self) -> list[UUID]:
        """Those that ran on this machine, and no longer do."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                "select id, pid from processes where machine = %s and id <> %s", [self._machine, self.id]
            )
            rows = await cursor.fetchall()
        killed = [row["id"] for row in rows if not _is_alive(row["pid"])]
        await self._forget(killed)
        return killed

    async def forget_old(self) -> None:
        async with self._database.connection() as connection:
            await connection.execute(
                "delete from processes where seen_at < now() - make_interval(hours => %s)", [FORGOTTEN_AFTER_H]
            )

    async def _forget(self, ids: Sequence[UUID]) -> None:
        async with self._database.connection() as connection:
            await connection.execute("delete from processes where id = any(%s)", [list(ids)])


def machine() -> str:
    """Where a process id means the same process: since the last boot, in one container."""
    try:
        return f"{BOOT_ID.read_text().strip()} {PID_NAMESPACE.readlink()}"
    except OSError:  # no Linux
        return socket.gethostname()


def _is_alive(pid: int) -> bool:
    """A process of the same id as this one's was another one before it."""
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
