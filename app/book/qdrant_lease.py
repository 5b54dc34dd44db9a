"""Who may write to an index on a Qdrant server: a lease, kept as the metadata of an empty collection.

The server creates a collection for one of two who ask at once, so having made it is having the lease. The clocks of the
machines that index must agree to within some seconds.
"""

import asyncio
import contextlib
import getpass
import os
import secrets
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
from qdrant_client import AsyncQdrantClient, models

from app.book.qdrant_collections import is_conflict
from app.book.qdrant_store import Retrying
from app.errors import (
    BookAgentError,
    CollectionMissingError,
    ConfigurationError,
    IndexLockedError,
    VectorStoreUnavailableError,
)
from app.settings import Settings

LEASE_S, PROLONG_EVERY_S = 60.0, 15.0
ASK_AGAIN_S = 1.0
TAKEOVER_PAUSE = 1.0
"""Times QDRANT_TIMEOUT_S, for another one that saw the same dead lease to replace ours: who is there then has it."""

_held: set[str] = set()
"""Tokens of the leases of this very process: one whose release failed is not among them."""


class Holder(msgspec.Struct, frozen=True):
    token: str
    user: str
    host: str
    machine: str
    """Where its process id means something."""
    pid: int
    since: float
    until: float

    def __str__(self) -> str:
        return f"{self.user}@{self.host}, process {self.pid}"

    def is_dead(self) -> bool:
        if time.time() > self.until:
            return True
        if self.machine != _machine():
            return False
        return self.token not in _held if self.pid == os.getpid() else not _is_running(self.pid)


class Lease:
    def __init__(self, client: AsyncQdrantClient, settings: Settings, wait_s: float = 0.0) -> None:
        """`wait_s`: how long to wait for another holder to end."""
        self._client = client
        self._retrying = Retrying(settings)
        self._collection = f"{settings.qdrant_collection}--lock"
        self._wait_s = wait_s
        self._timeout_s = settings.qdrant_timeout_s
        self._token = secrets.token_hex(8)
        self._until = 0.0
        self._lost = ""
        self._prolonging: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Raises IndexLockedError that says who holds it."""
        deadline = time.monotonic() + self._wait_s
        while (other := await self._taken()) is not None:
            if time.monotonic() >= deadline:
                raise IndexLockedError(
                    f"{other} is indexing into {self._collection.removesuffix('--lock')} since "
                    f"{time.strftime('%H:%M:%S', time.localtime(other.since))}; "
                    f"its lease ends in {max(0, round(other.until - time.time()))} s"
                )
            await asyncio.sleep(min(ASK_AGAIN_S, max(0.0, deadline - time.monotonic())))
        _held.add(self._token)
        self._prolonging = asyncio.create_task(self._prolong())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _held.discard(self._token)
        if self._prolonging is not None:
            self._prolonging.cancel()
            await asyncio.wait({self._prolonging})
        with contextlib.suppress(BookAgentError):  # it runs out by itself
            holder = await self._holder()
            if holder is not None and holder.token == self._token:
                await self._drop()

    def check(self) -> None:
        """Raises IndexLockedError when the lease is no longer ours."""
        if not self._lost and time.time() > self._until:
            self._lost = "it could not be prolonged in time"
        if self._lost:
            raise IndexLockedError(f"the lease on the index was lost: {self._lost}. Run `book-agent index` again")

    async def _taken(self) -> Holder | None:
        """None once it is ours, else who has it."""
        if await self._create():
            return None
        other = await self._holder()
        if other is None:  # released, or not written yet
            return None if await self._create() else await self._unknown()
        if other.token == self._token:  # the server's answer was lost
            self._until = other.until
            return None
        if not other.is_dead():
            return other
        again = await self._holder()
        if again is not None and again.token != other.token:  # another one was faster
            return again
        await self._drop()
        made = await self._create()
        await asyncio.sleep(TAKEOVER_PAUSE * self._timeout_s)
        winner = await self._holder()
        return None if made and winner is not None and winner.token == self._token else winner or other

    async def _unknown(self) -> Holder:
        return await self._holder() or Holder("", "somebody", "unknown", "", 0, time.time(), time.time())

    async def _create(self) -> bool:
        mine = _holder_now(self._token)
        try:
            await self._retrying(
                lambda: self._client.create_collection(
                    self._collection,
                    vectors_config=models.VectorParams(size=1, distance=models.Distance.DOT),
                    metadata=msgspec.to_builtins(mine),
                )
            )
        except VectorStoreUnavailableError as error:
            if is_conflict(error):
                return False
            raise
        self._until = mine.until
        return True

    async def _holder(self) -> Holder | None:
        """Raises ConfigurationError for a server that doesn't keep what is said of a collection."""
        try:
            info = await self._retrying(lambda: self._client.get_collection(self._collection))
        except CollectionMissingError:
            return None
        try:
            return msgspec.convert(info.config.metadata, Holder)
        except msgspec.ValidationError as error:
            raise ConfigurationError(
                f"the collection {self._collection} doesn't say who indexes: it needs Qdrant 1.16 or newer"
            ) from error

    async def _drop(self) -> None:
        await self._retrying(lambda: self._client.delete_collection(self._collection))

    async def _prolong(self) -> None:
        while not self._lost:
            await asyncio.sleep(PROLONG_EVERY_S)
            with contextlib.suppress(VectorStoreUnavailableError):  # the next time may do, `check` minds the end
                holder = await self._holder()
                if holder is None or holder.token != self._token:
                    self._lost = f"{holder or 'somebody'} took it"
                    return
                until = time.time() + LEASE_S
                changed: dict[str, Any] = {"until": until}
                await self._retrying(
                    lambda changed=changed: self._client.update_collection(self._collection, metadata=changed)  # type: ignore[misc]
                )
                self._until = until


def _holder_now(token: str) -> Holder:
    now = time.time()
    return Holder(token, _user(), socket.gethostname(), _machine(), os.getpid(), now, now + LEASE_S)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        return str(os.getuid())


def _machine() -> str:
    """Two containers may share a host's name, but not its process ids."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return socket.gethostname()


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
