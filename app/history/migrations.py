"""Plain SQL migrations, applied in the order of their names, each in one transaction, under an advisory lock."""

import hashlib
from pathlib import Path
from typing import NamedTuple

import psycopg
from psycopg.rows import DictRow

from app.errors import DatabaseUnavailableError, MigrationError
from app.history.reasons import reason_of

MIGRATIONS = Path(__file__).parents[2] / "migrations"
LOCK = 0x626F6F6B
CONNECT_TIMEOUT_S = 5
CREATE_TABLE = """
create table if not exists book_agent_migrations (
    name text primary key, digest text not null, applied_at timestamptz not null default now()
)
"""
APPLIED = "select name, digest from book_agent_migrations"


class Migration(NamedTuple):
    name: str
    sql: str
    digest: str


def migration_files(folder: Path = MIGRATIONS) -> list[Migration]:
    files = sorted(folder.glob("[0-9]*.sql"))
    texts = [(file.stem, file.read_text(encoding="utf-8")) for file in files]
    return [Migration(name, sql, hashlib.sha256(sql.encode()).hexdigest()) for name, sql in texts]


def migrate(url: str, folder: Path = MIGRATIONS) -> list[str]:
    """Names of the migrations that this call applied; several callers at once apply each one once.

    Raises MigrationError or DatabaseUnavailableError. The lock is a session's: a pooler in front would leak it, so the
    URL must be the database's own.
    """
    try:
        with psycopg.connect(
            url, autocommit=True, prepare_threshold=None, connect_timeout=CONNECT_TIMEOUT_S
        ) as session:
            session.execute("select pg_advisory_lock(%s)", [LOCK])
            session.execute(CREATE_TABLE)
            applied: dict[str, str] = dict(session.execute(APPLIED).fetchall())
            return [_apply(session, migration) for migration in _missing(applied, migration_files(folder))]
    except psycopg.OperationalError as error:
        raise DatabaseUnavailableError(reason=reason_of(error)) from error
    except psycopg.Error as error:
        raise MigrationError(f"a migration failed and was rolled back: {error}") from error


async def pending_migrations(session: psycopg.AsyncConnection[DictRow], folder: Path = MIGRATIONS) -> list[str]:
    """Raises MigrationError when an applied file was changed since."""
    cursor = await session.execute("select to_regclass('book_agent_migrations') as found")
    row = await cursor.fetchone()
    applied: dict[str, str] = {}
    if row and row["found"]:
        applied = {row["name"]: row["digest"] async for row in await session.execute(APPLIED)}
    return [migration.name for migration in _missing(applied, migration_files(folder))]


def _missing(applied: dict[str, str], files: list[Migration]) -> list[Migration]:
    for migration in files:
        if applied.get(migration.name, migration.digest) != migration.digest:
            raise MigrationError(f"{migration.name}.sql was changed after it was applied: put the change in a new file")
    return [migration for migration in files if migration.name not in applied]


def _apply(session: psycopg.Connection, migration: Migration) -> str:
    with session.transaction():
        session.execute(migration.sql.encode())
        session.execute(
            "insert into book_agent_migrations (name, digest) values (%s, %s)", [migration.name, migration.digest]
        )
    return migration.name
