"""Connections to Postgres, through a pool and behind a circuit breaker; psycopg's errors become ours here."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
import stamina
import structlog
from psycopg.rows import DictRow, class_row, dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from app.breaker import Breaker
from app.errors import (
    BookAgentError,
    DatabaseBusyError,
    DatabaseUnavailableError,
    MigrationError,
    OutcomeUnknownError,
)
from app.history.migrations import pending_migrations
from app.history.reasons import reason_of
from app.settings import Settings

UNPREPARED: dict[str, Any] = {"autocommit": True, "prepare_threshold": None, "row_factory": dict_row}
"""Statements are not prepared: a pooler such as Neon's may give the next one another session."""

CANCEL_S = 0.5
"""What a late statement gets to be cancelled on the server."""

ATTEMPTS = 3

LONGEST_REST_S = 4.0
"""After failures: other servers must soon hear of this one when the database is back."""

UNAVAILABLE = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.ReadOnlySqlTransaction,  # a standby, which another server is to replace
    TimeoutError,
)

SHUT_DOWN = {"57P01", "57P02", "57P03", "57P05"}
CONNECTION_FAILURE = "08"
"""By these codes a server ends a connection, and a pooler such as Neon's; other codes are the answer to a statement."""

log = structlog.get_logger(__name__)

Connection = psycopg.AsyncConnection[DictRow]
T = TypeVar("T")


class Database:
    def __init__(self, settings: Settings) -> None:
        self.breaker = Breaker("postgres", _resting, is_outage, longest_open_s=LONGEST_REST_S)
        self._pool_size = settings.database_pool_size
        self._in_use = 0
        self._timeout_s = settings.database_timeout_s
        self._url = settings.database_url
        self._options = UNPREPARED | {"connect_timeout": max(1, round(self._timeout_s))}
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            self._url.reveal(),
            connection_class=psycopg.AsyncConnection[DictRow],
            min_size=1,
            max_size=settings.database_pool_size,
            open=False,
            timeout=self._timeout_s,
            max_idle=120,
            max_lifetime=1800,
            reconnect_timeout=10,
            check=self._check,
            reset=_nothing,
            kwargs=self._options,
        )

    async def open(self) -> None:
        """Does not wait for the server: it may come later."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        await self._pool.close(timeout=2)

    async def dial(self) -> None:
        """One try past the pool, which would go on trying until its time is over.

        Raises DatabaseUnavailableError, with the reason.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                connection = await psycopg.AsyncConnection.connect(self._url.reveal(), **self._options)
        except (psycopg.Error, TimeoutError) as error:
            raise translate(error) from error
        await connection.close()

    async def check_migrations(self) -> None:
        """Raises MigrationError when some are pending, and DatabaseUnavailableError."""
        async with self.connection() as connection:
            pending = await pending_migrations(connection)
        if pending:
            raise MigrationError(f"the database lacks {', '.join(pending)}: run `book-agent migrate`")

    async def _check(self, connection: Connection) -> None:
        """Where one connection was cut the others were too, and the pool would pause 1, 2, 4 s between finding them."""
        try:
            await AsyncConnectionPool.check_connection(connection)
        except psycopg.OperationalError:
            await self._pool.drain()
            raise

    async def run(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """What `work` gives; it is done again when its connection is lost, maybe after its last statement.

        Raises DatabaseUnavailableError, in the time that the settings give.
        """
        async with self._guarded() as call:
            async for attempt in stamina.retry_context(
                on=is_lost, attempts=ATTEMPTS, timeout=None, wait_initial=0.05, wait_jitter=0.05, wait_max=1.0
            ):
                with attempt:
                    async with self._borrowed(call) as connection:
                        return await work(connection)
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def fetch(self, statement: Any, values: Sequence[Any] | Mapping[str, Any], kind: type[T]) -> list[T]:
        """The rows of one statement that may be repeated, each as `kind(**row)`; none of one that gives no rows."""

        async def execute(connection: Connection) -> list[T]:
            cursor = connection.cursor(row_factory=class_row(kind))
            await cursor.execute(statement, values)
            return await cursor.fetchall() if cursor.description else []

        return await self.run(execute)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """One transaction a statement. Raises DatabaseUnavailableError, in the time that the settings give."""
        async with self._guarded() as call, self._borrowed(call) as connection:
            yield connection

    async def transact(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """All of `work`, which may be repeated, or nothing.

        Raises DatabaseUnavailableError, and OutcomeUnknownError where the reply to a commit was lost: all may be done.
        """
        is_done = False

        async def all_of_it(connection: Connection) -> T:
            nonlocal is_done
            async with connection.transaction():
                result = await work(connection)
                is_done = True
            return result

        try:
            return await self.run(all_of_it)
        except DatabaseUnavailableError as error:
            if is_done:
                raise OutcomeUnknownError from error
            raise

    @asynccontextmanager
    async def _borrowed(self, call: "_Call") -> AsyncIterator[Connection]:
        task = asyncio.current_task()
        cancelled = task.cancelling() if task else 0
        async with self._pool.connection() as connection:
            if task and task.cancelling() > cancelled:  # before Python 3.12 the pool's `wait_for` may swallow it
                raise asyncio.CancelledError
            self._in_use += 1
            call.has_connection = True
            try:
                yield connection
            finally:
                self._in_use -= 1

    @asynccontextmanager
    async def _guarded(self) -> AsyncIterator["_Call"]:
        """Within the deadline.

        A statement that is late is cancelled on the server; where that takes too long as well, as it does when the
        server is silent (psycopg waits 10 s), a second cancellation ends the wait and the connection.
        """
        call = _Call()
        with self.breaker.guarding():
            try:
                async with asyncio.timeout(self._timeout_s + CANCEL_S), asyncio.timeout(self._timeout_s):
                    yield call
            except (psycopg.Error, TimeoutError) as error:
                has_waited = isinstance(error, TimeoutError | PoolTimeout) and not call.has_connection
                if has_waited and self._in_use >= self._pool_size:
                    raise DatabaseBusyError from error
                raise translate(error) from error


async def _nothing(_connection: Connection) -> None:
    """With a `reset` connections go back by a worker of the pool: a cancellation cannot come between."""


@dataclass
class _Call:
    has_connection: bool = False
    """Or has had one."""


def is_outage(error: Exception) -> bool | None:
    """Who only waited for a connection that others had learned nothing of the server."""
    return None if isinstance(error, DatabaseBusyError) else isinstance(error, DatabaseUnavailableError)


def is_lost(error: Exception) -> bool:
    """The connection, and not for want of time: nobody knows whether the statement was done."""
    code: str | None = getattr(error, "sqlstate", None)
    if code is None:
        return type(error) is psycopg.OperationalError
    return code in SHUT_DOWN or code.startswith(CONNECTION_FAILURE)


def _resting(left_s: int) -> DatabaseUnavailableError:
    return DatabaseUnavailableError(
        f"The database is resting after failures; it is tried again in {left_s} s.", retry_after_s=left_s
    )


def translate(error: Exception) -> BookAgentError:
    """Our error for what psycopg raises."""
    if isinstance(error, psycopg.errors.UndefinedTable | psycopg.errors.UndefinedColumn):
        return MigrationError("the database lacks a table or column: run `book-agent migrate`")
    if isinstance(error, UNAVAILABLE):
        return DatabaseUnavailableError(reason=reason_of(error))
    return BookAgentError("The database refused a statement.")
