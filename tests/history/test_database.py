import asyncio
from contextlib import AsyncExitStack

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from app.errors import BookAgentError, DatabaseUnavailableError, MigrationError
from app.history.database import Database
from app.history.embedded_postgres import EmbeddedPostgres
from app.settings import Secret, Settings
from tests.fakes.loopback import HOST, bind, port_of
from tests.fakes.proxy import FaultProxy

TIMEOUT_S = 0.5
LATE_S = 2.0


@pytest.fixture(scope="module")
def server_url(tmp_path_factory):
    """Of a server that listens on a port too."""
    with bind() as free:
        port = port_of(free)
    with EmbeddedPostgres(tmp_path_factory.mktemp("pg"), durable=False, port=port) as url:
        yield make_conninfo(url, host=HOST)


@pytest.fixture
async def proxy(server_url):
    async with FaultProxy(psycopg.conninfo.conninfo_to_dict(server_url)["port"]) as proxy:
        yield proxy


@pytest.fixture
async def through_proxy(server_url, proxy):
    """A database that has been reached once."""
    database = await opened(make_conninfo(server_url, port=proxy.port))
    assert await answers(database)
    yield database
    proxy.switch("pass")
    proxy.drop_all()
    await database.close()


async def opened(url: str) -> Database:
    database = Database(Settings(database_url=Secret(url), database_timeout_s=TIMEOUT_S))
    await database.open()
    return database


async def answers(database: Database) -> bool:
    async with database.connection() as connection:
        return await (await connection.execute("select 1 as one")).fetchone() == {"one": 1}


async def returns(database: Database) -> bool:
    """When the pool, which tries again with growing pauses, has a connection."""
    while True:
        try:
            return await answers(database)
        except DatabaseUnavailableError:
            pass


class TestConnection:
    async def test_nobody_listens_is_unavailable_in_time(self):
        with bind() as nobody:
            database = await opened(f"postgresql://{HOST}:{port_of(nobody)}/book")
            async with asyncio.timeout(LATE_S):
                with pytest.raises(DatabaseUnavailableError):
                    await answers(database)
            await database.close()

    async def test_is_replaced_unseen_when_a_failover_drops_all_of_them(self, proxy, through_proxy):
        async with AsyncExitStack() as several:
            for _ in range(5):
                await several.enter_async_context(through_proxy.connection())
        proxy.drop_all()
        assert await answers(through_proxy)

    async def test_recovers_when_the_server_returns(self, proxy, through_proxy):
        proxy.switch("refuse")
        proxy.drop_all()
        with pytest.raises(DatabaseUnavailableError):
            await answers(through_proxy)
        proxy.switch("pass")
        assert await returns(through_proxy)

    async def test_to_a_silent_server_is_unavailable_in_time(self, proxy, through_proxy):
        proxy.switch("blackhole")
        async with asyncio.timeout(LATE_S):
            with pytest.raises(DatabaseUnavailableError):
                await answers(through_proxy)
        proxy.switch("pass")
        assert await returns(through_proxy)

    async def test_that_falls_silent_within_a_transaction_is_unavailable_in_time(self, proxy, through_proxy):
        async with asyncio.timeout(LATE_S):
            with pytest.raises(DatabaseUnavailableError):
                await fall_silent(proxy, through_proxy)

    async def test_is_free_again_on_the_server_after_a_statement_that_took_too_long(self, server_url):
        database = await opened(server_url)
        with pytest.raises(DatabaseUnavailableError):
            await execute(database, "select pg_sleep(30)")
        assert await execute(database, "select query from pg_stat_activity where state = 'active'") == [
            {"query": "select query from pg_stat_activity where state = 'active'"}
        ]
        await database.close()


async def fall_silent(proxy: FaultProxy, database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute("select 1")
        proxy.switch("blackhole")
        await connection.execute("select 2")


async def execute(database: Database, statement: str) -> list[dict]:
    async with database.connection() as connection:
        return await (await connection.execute(statement)).fetchall()


class TestTransaction:
    async def test_keeps_all_or_nothing(self, database):
        async with database.connection() as connection:
            await connection.execute("create table notes (number int)")
        with pytest.raises(BookAgentError):
            await insert_twice(database)
        assert await execute(database, "select * from notes") == []


async def insert_twice(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute("insert into notes values (1)")
        await connection.execute("insert into notes values (1 / 0)")


class TestErrors:
    async def test_of_a_statement_that_is_refused_do_not_show_it(self, database):
        with pytest.raises(BookAgentError, match="refused a statement") as refusal:
            await execute(database, "select 'secret'::int")
        assert not isinstance(refusal.value, DatabaseUnavailableError)
        assert "secret" not in refusal.value.detail

    @pytest.mark.parametrize("missing", ["select * from nothing", "select nothing from messages"])
    async def test_of_a_table_or_column_that_is_missing_name_the_command(self, database, missing):
        with pytest.raises(MigrationError, match="`book-agent migrate`"):
            await execute(database, missing)


class TestMigrationCheck:
    async def test_passes_when_the_tables_are_there(self, database):
        await database.check_migrations()

    async def test_names_what_is_missing_and_the_command(self, server_url):
        database = await opened(server_url)
        with pytest.raises(MigrationError, match=r"lacks 0001_conversations.*`book-agent migrate`"):
            await database.check_migrations()
        await database.close()

    async def test_leaves_a_server_that_is_down_to_later(self, proxy, through_proxy):
        proxy.switch("refuse")
        proxy.drop_all()
        await through_proxy.check_migrations()
