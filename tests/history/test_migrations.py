import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from app.errors import DatabaseUnavailableError, MigrationError
from app.history.database import UNPREPARED
from app.history.migrations import MIGRATIONS, migrate, migration_files, pending_migrations
from tests.fakes.loopback import HOST, bind, port_of

PLANTED = "planted-password"
SLOW = "create table {}_table (); select pg_sleep(0.05)"


@pytest.fixture
def empty_database_url(postgres) -> Iterator[str]:
    name = f"empty_{uuid.uuid4().hex}"
    with psycopg.connect(make_conninfo(postgres, dbname="postgres"), autocommit=True) as admin:
        admin.execute(f"create database {name} template template0".encode())
        yield make_conninfo(postgres, dbname=name)
        admin.execute(f"drop database {name} with (force)".encode())


@pytest.fixture
def folder(tmp_path) -> Path:
    """With two migrations, one table each."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    for name in ("0001_first", "0002_second"):
        (folder / f"{name}.sql").write_text(SLOW.format(f"m{name}"))
    return folder


def tables(url: str) -> set[str]:
    with psycopg.connect(url) as session:
        rows = session.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
    return {name for (name,) in rows}


async def pending(url: str, folder: Path) -> list[str]:
    async with await psycopg.AsyncConnection.connect(url, **UNPREPARED) as session:
        return await pending_migrations(session, folder)


class TestMigrate:
    def test_applies_the_files_in_the_order_of_their_names(self, empty_database_url, folder):
        (folder / "0003_third.sql").write_text("alter table m0002_second_table add column a int")
        assert migrate(empty_database_url, folder) == ["0001_first", "0002_second", "0003_third"]
        assert tables(empty_database_url) == {"book_agent_migrations", "m0001_first_table", "m0002_second_table"}

    def test_applies_only_what_is_new(self, empty_database_url, folder):
        migrate(empty_database_url, folder)
        (folder / "0003_third.sql").write_text("create table third ()")
        assert migrate(empty_database_url, folder) == ["0003_third"]
        assert migrate(empty_database_url, folder) == []

    def test_by_three_at_once_applies_each_file_once(self, empty_database_url, folder):
        together = Barrier(3)

        def start() -> list[str]:
            together.wait()
            return migrate(empty_database_url, folder)

        with ThreadPoolExecutor(3) as threads:
            applied = [future.result() for future in [threads.submit(start) for _ in range(3)]]
        assert sorted(applied) == [[], [], ["0001_first", "0002_second"]]

    def test_refuses_a_file_that_was_changed_after_it_was_applied(self, empty_database_url, folder):
        migrate(empty_database_url, folder)
        (folder / "0001_first.sql").write_text("create table other ()")
        (folder / "0003_third.sql").write_text("create table third ()")
        with pytest.raises(MigrationError, match=r"0001_first\.sql was changed after it was applied"):
            migrate(empty_database_url, folder)
        assert not tables(empty_database_url) & {"other", "third"}

    @pytest.mark.parametrize(
        "last_statement",
        ["select 1/0", "insert into book_agent_migrations values ('0002_second', 'other')"],
        ids=["it fails", "it cannot be recorded"],
    )
    def test_rolls_a_failing_file_back_wholly_and_keeps_those_before(self, empty_database_url, folder, last_statement):
        failing = folder / "0002_second.sql"
        failing.write_text(f"create table half (); {last_statement}")
        with pytest.raises(MigrationError, match="a migration failed and was rolled back"):
            migrate(empty_database_url, folder)
        assert tables(empty_database_url) == {"book_agent_migrations", "m0001_first_table"}
        failing.write_text("create table whole ()")
        assert migrate(empty_database_url, folder) == ["0002_second"]

    def test_of_a_server_that_is_down_is_unavailable(self):
        with bind() as nobody, pytest.raises(DatabaseUnavailableError) as refused:
            migrate(f"postgresql://ann:{PLANTED}@{HOST}:{port_of(nobody)}/book")
        assert refused.value.reason.endswith("Connection refused")
        assert PLANTED not in refused.value.for_operator

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"dbname": "nowhere"}, 'FATAL:  database "nowhere" does not exist'),
            ({"user": "nobody", "password": PLANTED}, 'FATAL:  role "nobody" does not exist'),
            ({"host": "no-such-host.invalid"}, "failed to resolve host 'no-such-host.invalid'"),
        ],
        ids=["no such database", "no such role", "no such host"],
    )
    def test_says_in_one_line_why_there_is_no_connection(self, empty_database_url, change, reason):
        with pytest.raises(DatabaseUnavailableError) as refused:
            migrate(make_conninfo(empty_database_url, **change))
        said = refused.value.for_operator
        assert reason in said
        assert said.endswith(". Check DATABASE_URL, and that the server runs.")
        assert "\n" not in said
        assert PLANTED not in said
        assert reason not in refused.value.detail

    def test_makes_the_tables_that_the_service_needs(self, empty_database_url):
        assert migrate(empty_database_url) == [path.stem for path in sorted(MIGRATIONS.glob("*.sql"))]
        assert {"conversations", "messages"} <= tables(empty_database_url)


class TestPending:
    async def test_are_all_in_an_empty_database(self, empty_database_url, folder):
        assert await pending(empty_database_url, folder) == ["0001_first", "0002_second"]

    async def test_are_those_that_were_not_applied(self, empty_database_url, folder):
        migrate(empty_database_url, folder)
        (folder / "0003_third.sql").write_text("select 1")
        assert await pending(empty_database_url, folder) == ["0003_third"]

    async def test_are_refused_when_an_applied_file_was_changed(self, empty_database_url, folder):
        migrate(empty_database_url, folder)
        (folder / "0002_second.sql").write_text("select 2")
        with pytest.raises(MigrationError, match=r"0002_second\.sql was changed"):
            await pending(empty_database_url, folder)


def test_only_numbered_sql_files_are_migrations(folder):
    (folder / "notes.sql").write_text("drop table conversations")
    (folder / "0009_notes.md").touch()
    assert [migration.name for migration in migration_files(folder)] == ["0001_first", "0002_second"]
