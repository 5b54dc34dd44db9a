"""The servers over one database, each with a sign of life."""

import contextlib
import os
import socket
from pathlib import Path
from typing import Any, LiteralString
from uuid import UUID, uuid4

from app.history.database import Database

FORGOTTEN_AFTER_H = 1
BOOT_ID, PID_NAMESPACE = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")

BEAT = """
insert into processes (id, machine, pid) values (%s, %s, %s)
on conflict (id) do update set seen_at = now()
"""
NEIGHBOURS = "select id, pid from processes where machine = %s and id <> %s"
FORGET = "delete from processes where id = any(%s)"
FORGET_OLD = "delete from processes where seen_at < now() - make_interval(hours => %s)"


class Processes:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._machine = machine()
        self.id = uuid4()
        """This one's."""

    async def beat(self) -> None:
        await self._execute(BEAT, self.id, self._machine, os.getpid())

    async def leave(self) -> None:
        await self._execute(FORGET, [self.id])

    async def forget_others(self) -> None:
        """For a server that is known to be alone."""
        await self._execute("delete from processes where id <> %s", self.id)

    async def forget_killed(self) -> list[UUID]:
        """Those that ran on this machine, and no longer do."""
        rows = await self._execute(NEIGHBOURS, self._machine, self.id)
        killed = [row["id"] for row in rows if not _is_alive(row["pid"])]
        await self._execute(FORGET, killed)
        return killed

    async def forget_old(self) -> None:
        await self._execute(FORGET_OLD, FORGOTTEN_AFTER_H)

    async def _execute(self, statement: LiteralString, *values: Any) -> list[dict[str, Any]]:
        return await self._database.fetch(statement, values, dict)


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
        with contextlib.suppress(PermissionError):  # it is somebody else's
            os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
