"""Connections to Postgres, through a pool; psycopg's errors become ours here."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import structlog
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

from app.errors import BookAgentError, DatabaseUnavailableError, MigrationError, OutcomeUnknownError
from app.history.migrations import pending_migrations
from app.settings import Settings

UNPREPARED: dict[str, Any] = {"autocommit": True, "prepare_threshold": None, "row_factory": dict_row}
"""Statements are not prepared: a pooler such as Neon's may give the next one another session."""

CANCEL_S = 0.5
"""What a late statement gets to be cancelled on the server."""

log = structlog.get_logger(__name__)

Connection = psycopg.AsyncConnection[DictRow]


class Database:
    def __init__(self, settings: Settings) -> None:
        self._timeout_s = settings.database_timeout_s
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            settings.database_url.reveal(),
            connection_class=psycopg.AsyncConnection[DictRow],
            min_size=1,
            max_size=settings.database_pool_size,
            open=False,
            timeout=self._timeout_s,
            max_idle=120,
            max_lifetime=1800,
            reconnect_timeout=10,
            check=self._check,
            kwargs=UNPREPARED | {"connect_timeout": max(1, round(self._timeout_s))},
        )

    async def open(self) -> None:
        """Does not wait for the server: it may come later."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        await self._pool.close(timeout=2)

    async def check_migrations(self) -> None:
        """Raises MigrationError when some are pending; a database that is down is none of this check's business."""
        try:
            async with self.connection() as connection:
                pending = await pending_migrations(connection)
        except DatabaseUnavailableError as error:
            log.warning("postgres.unavailable", cause=type(error.__cause__).__name__)
            return
        if pending:
            raise MigrationError(f"the database lacks {', '.join(pending)}: run `book-agent migrate`")

    async def _check(self, connection: Connection) -> None:
        """Where one connection was cut the others were too, and the pool would pause 1, 2, 4 s between finding them."""
        try:
            await AsyncConnectionPool.check_connection(connection)
        except psycopg.OperationalError:
            await self._pool.drain()
            raise

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """One transaction a statement. Raises DatabaseUnavailableError, in the time that the settings give.

        A statement that is late is cancelled on the server; where that takes too long as well, as it does when the
        server is silent (psycopg waits 10 s), a second cancellation ends the wait and the connection.
        """
        deadline = asyncio.timeout(self._timeout_s)
        try:
            async with asyncio.timeout(self._timeout_s + CANCEL_S), deadline, self._pool.connection() as connection:
                yield connection
        except (psycopg.Error, TimeoutError) as error:
            raise translate(error) from error

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """All of it, or nothing. Raises OutcomeUnknownError where the connection breaks at the very end."""
        is_done = False
        try:
            async with self.connection() as connection, connection.transaction():
                yield connection
                is_done = True
        except DatabaseUnavailableError as error:
            if is_done:
                raise OutcomeUnknownError from error
            raise


def translate(error: Exception) -> BookAgentError:
    """Our error for what psycopg raises."""
    if isinstance(error, psycopg.errors.UndefinedTable | psycopg.errors.UndefinedColumn):
        return MigrationError("the database lacks a table or column: run `book-agent migrate`")
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError | TimeoutError):
        return DatabaseUnavailableError()
    return BookAgentError("The database refused a statement.")
