import asyncio
import time
from contextlib import AsyncExitStack

import psycopg
import psycopg_pool
import pytest
from psycopg.conninfo import make_conninfo

from app import breaker as breakers
from app.breaker import FAILURES
from app.chat import presence
from app.errors import BookAgentError, DatabaseBusyError, DatabaseUnavailableError, MigrationError
from app.history.database import LONGEST_REST_S, Connection, Database, _Call, is_lost
from app.history.embedded_postgres import EmbeddedPostgres
from app.resources import check_database
from app.settings import Secret, Settings
from tests.fakes.loopback import HOST, bind, port_of
from tests.fakes.proxy import FaultProxy

TIMEOUT_S = 0.5
LATE_S = 2.0
OPEN_S = 0.2


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
            await asyncio.sleep(0.01)  # while the breaker refuses at once


class TestConnection:
    async def test_nobody_listens_is_unavailable_in_time(self):
        with bind() as nobody:
            database = await opened(f"postgresql://{HOST}:{port_of(nobody)}/book")
            async with asyncio.timeout(LATE_S):
                with pytest.raises(DatabaseUnavailableError):
                    await answers(database)
            await database.close()

    async def test_that_is_refused_once_is_told_at_once_by_whoever_only_dials(self, server_url):
        database = Database(Settings(database_url=Secret(make_conninfo(server_url, dbname="nowhere"))))
        async with asyncio.timeout(LATE_S):
            with pytest.raises(DatabaseUnavailableError) as refused:
                await database.dial()
        assert refused.value.reason.endswith('database "nowhere" does not exist')

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
    async with database.connection() as connection:
        await connection.execute("select 1")
        proxy.switch("blackhole")
        await connection.execute("select 2")


async def execute(database: Database, statement: str) -> list[dict]:
    async with database.connection() as connection:
        return await (await connection.execute(statement)).fetchall()


class TestRun:
    @pytest.fixture
    def calls(self) -> list[int]:
        """One for each time that the work was done."""
        return []

    async def test_repeats_what_lost_its_connection_between_two_statements(self, proxy, through_proxy, calls):
        async def work(connection):
            await connection.execute("select 1")
            calls.append(1)
            if len(calls) == 1:
                proxy.drop_all()
            return await (await connection.execute("select 2 as two")).fetchone()

        assert await through_proxy.run(work) == {"two": 2}
        assert len(calls) == 2

    async def test_repeats_within_the_deadline_three_times_at_the_most(self, proxy, through_proxy, calls):
        async def work(connection):
            calls.append(1)
            proxy.drop_all()
            await connection.execute("select 1")

        async with asyncio.timeout(LATE_S):
            with pytest.raises(DatabaseUnavailableError):
                await through_proxy.run(work)
        assert len(calls) == 3

    @pytest.mark.parametrize(
        "statement",
        ["select 1 / 0", "select nothing", "do $$ begin raise sqlstate '57014'; end $$"],
        ids=["wrong data", "wrong name", "cancelled"],
    )
    async def test_does_not_repeat_what_the_server_refused(self, through_proxy, calls, statement):
        async def work(connection):
            calls.append(1)
            await connection.execute(statement)

        with pytest.raises(BookAgentError):
            await through_proxy.run(work)
        assert len(calls) == 1

    async def test_repeats_what_the_server_ended(self, through_proxy, calls):
        async def work(connection):
            calls.append(1)
            if len(calls) == 1:
                await connection.execute("select pg_terminate_backend(pg_backend_pid())")
            return len(calls)

        assert await through_proxy.run(work) == 2


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (psycopg.OperationalError("server closed the connection unexpectedly"), True),
        (psycopg.errors.AdminShutdown(), True),
        (psycopg.errors.CannotConnectNow(), True),
        (psycopg.errors.ConnectionFailure(), True),
        (psycopg.errors.QueryCanceled(), False),
        (psycopg.errors.UniqueViolation(), False),
        (psycopg.errors.TooManyConnections(), False),
        (psycopg_pool.PoolTimeout(), False),
        (psycopg_pool.PoolClosed(), False),
        (psycopg.InterfaceError(), False),
        (TimeoutError(), False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_only_a_lost_connection_is_worth_another_try(error, lost):
    assert is_lost(error) is lost


class TestBreaker:
    @pytest.fixture(autouse=True)
    def short_rest(self, monkeypatch):
        monkeypatch.setattr(breakers, "FIRST_OPEN_S", OPEN_S)

    @pytest.fixture
    async def resting(self, proxy, through_proxy) -> Database:
        """A database that fell silent."""
        proxy.switch("blackhole")
        await asyncio.gather(*(fail(through_proxy) for _ in range(FAILURES)))
        assert through_proxy.breaker.is_open
        return through_proxy

    async def test_keeps_calls_from_a_server_that_keeps_failing(self, proxy, resting):
        accepted = proxy.accepted
        for _ in range(20):
            refusal = await fail(resting)
            assert "resting after failures" in refusal.detail
            assert refusal.retry_after_s == 1
        assert proxy.accepted == accepted

    async def test_lets_the_server_return(self, proxy, resting):
        proxy.switch("pass")
        proxy.drop_all()
        assert await returns(resting)
        assert not resting.breaker.is_open

    async def test_rests_no_longer_than_the_others_take_a_silent_server_for_gone(self, resting, monkeypatch):
        monkeypatch.setattr(resting.breaker, "_clock", lambda: now)
        now = time.monotonic()
        for _ in range(6):
            now += resting.breaker.rests_s
            await fail(resting)
            assert 0 < resting.breaker.rests_s <= LONGEST_REST_S < presence.SILENT_S / 2

    async def test_lets_one_of_many_calls_probe(self, resting):
        await asyncio.sleep(OPEN_S)
        refusals = await asyncio.gather(*(fail(resting) for _ in range(20)))
        assert sum("resting" not in refusal.detail for refusal in refusals) == 1

    async def test_does_not_mind_what_the_server_refuses(self, database):
        for _ in range(FAILURES * 2):
            with pytest.raises(BookAgentError):
                await execute(database, "select 1 / 0")
        assert not database.breaker.is_open


async def fail(database: Database) -> DatabaseUnavailableError:
    with pytest.raises(DatabaseUnavailableError) as failure:
        await answers(database)
    return failure.value


class TestTransaction:
    async def test_keeps_all_or_nothing(self, database):
        async with database.connection() as connection:
            await connection.execute("create table notes (number int)")
        with pytest.raises(BookAgentError):
            await insert_twice(database)
        assert await execute(database, "select * from notes") == []


async def insert_twice(database: Database) -> None:
    async def insert(connection: Connection) -> None:
        await connection.execute("insert into notes values (1)")
        await connection.execute("insert into notes values (1 / 0)")

    await database.transact(insert)


class TestErrors:
    async def test_of_a_statement_that_is_refused_do_not_show_it(self, database):
        with pytest.raises(BookAgentError, match="refused a statement") as refusal:
            await execute(database, "select 'secret'::int")
        assert not isinstance(refusal.value, DatabaseUnavailableError)
        assert "secret" not in refusal.value.detail

    async def test_of_a_server_that_only_reads_is_that_there_is_none_to_write_to(self, database):
        async def write(connection: Connection) -> None:
            await connection.execute("set transaction read only")
            await connection.execute("create table notes (number int)")

        with pytest.raises(DatabaseUnavailableError):
            await database.transact(write)

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

    async def test_of_a_server_that_is_down_is_left_to_later_at_the_start(self, proxy, through_proxy):
        proxy.switch("refuse")
        proxy.drop_all()
        with pytest.raises(DatabaseUnavailableError):
            await through_proxy.check_migrations()
        await check_database(through_proxy)


class TestBusy:
    async def test_who_waits_in_vain_for_a_connection_that_others_have_says_nothing_of_the_server(self, make_settings):
        database = Database(make_settings(database_pool_size=1, database_timeout_s=0.3))
        await database.open()
        async with database._borrowed(_Call()):
            waiting = [execute(database, "select 1") for _ in range(FAILURES * 2)]
            found = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(each) for each in found} == {DatabaseBusyError}
        assert not database.breaker.is_open
        assert await execute(database, "select 1 as one") == [{"one": 1}]
        await database.close()
