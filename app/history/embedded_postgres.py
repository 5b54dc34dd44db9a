"""PostgreSQL with nothing installed, for `book-agent dev` and the tests. Unix only.

Every user of a folder holds a shared lock on its `users.lock`, which the kernel drops even on `kill -9`. The last user
out stops the server; one that was left behind is adopted by the next start.
"""

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psycopg
import structlog

from app.errors import EmbeddedPostgresError
from app.history.postgres_process import Postmaster

if sys.platform != "win32":
    import fcntl

DATABASE: Final = "book_agent"
START_TIMEOUT_S: Final = 60.0
WATCH_S: Final = 2.0
LONGEST_WATCH_S: Final = 60.0
"""After starts that failed."""

log = structlog.get_logger(__name__)


class EmbeddedPostgres:
    """`with EmbeddedPostgres(folder) as dsn:`."""

    def __init__(
        self, folder: Path, *, durable: bool = True, port: int | None = None, start_timeout_s: float = START_TIMEOUT_S
    ) -> None:
        """Only prepares; `start` does the work.

        Args:
            folder: Holds the data, the log and the locks; made if it isn't there.
            durable: False for tests: no fsync, so a power cut loses rows. `kill -9` loses none either way.
            port: Also listen there on 127.0.0.1, for every user of this machine; None is the Unix socket only.
            start_timeout_s: How long a server may take to answer, crash recovery included.
        """
        if sys.platform == "win32":
            raise EmbeddedPostgresError("The embedded PostgreSQL needs Linux or macOS: set DATABASE_URL")
        self._folder = folder.expanduser().resolve()
        self._postmaster = Postmaster(self._folder, durable=durable, port=port)
        self._start_timeout_s = start_timeout_s
        self._users_lock: int | None = None

    @property
    def dsn(self) -> str:
        return self._postmaster.conninfo(DATABASE)

    def start(self) -> str:
        """Return the DSN. Harmless if already started, and restarts a server that was killed."""
        with self._exclusively() as start_lock, contextlib.ExitStack() as on_failure:
            on_failure.callback(self._leave)
            self._join()
            self._postmaster.create(start_lock)
            self._postmaster.start(self._start_timeout_s)
            self._postmaster.create_database(DATABASE)
            on_failure.pop_all()
        return self.dsn

    def stop(self) -> None:
        """Let go of the server; its last user shuts it down."""
        if self._users_lock is not None:
            with self._exclusively():
                self._leave()

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Meanwhile a server that ends, as the system ends one when it is short of memory, is started again."""
        done = threading.Event()
        watch = threading.Thread(target=self._watch, args=[done], name="watch-postgres", daemon=True)
        watch.start()
        try:
            yield
        finally:
            done.set()
            watch.join()

    def _watch(self, done: threading.Event) -> None:
        wait_s = WATCH_S
        while not done.wait(wait_s):
            if self._postmaster.pid() is not None:
                wait_s = WATCH_S
                continue
            try:
                self.start()
                log.warning("postgres.restarted")
            except EmbeddedPostgresError as error:
                wait_s = min(LONGEST_WATCH_S, wait_s * 2)
                log.error("postgres.does_not_start", reason=str(error))  # noqa: TRY400 - the reason says all

    def __enter__(self) -> str:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @contextlib.contextmanager
    def _exclusively(self) -> Iterator[int]:
        """One start or stop at a time, over all processes: the lock's file descriptor."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            lock = self._open_lock("start.lock")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield lock
            finally:
                os.close(lock)
        except (OSError, psycopg.Error) as error:
            raise EmbeddedPostgresError(f"The embedded PostgreSQL in {self._folder} failed: {error}") from error

    def _open_lock(self, name: str) -> int:
        return os.open(self._folder / name, os.O_RDWR | os.O_CREAT, 0o600)

    def _join(self) -> None:
        if self._users_lock is None:
            self._users_lock = self._open_lock("users.lock")
            fcntl.flock(self._users_lock, fcntl.LOCK_SH)

    def _leave(self) -> None:
        if self._users_lock is None:
            return
        lock, self._users_lock = self._users_lock, None
        try:
            if is_last(lock):
                self._postmaster.stop()
        finally:
            os.close(lock)


def is_last(lock: int) -> bool:
    """Whether no other process or object holds the lock that `lock`, a file descriptor, shares."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
