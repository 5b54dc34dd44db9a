"""The postmaster over one data folder, started by us or found running: is it there, does it answer, stop it."""

import contextlib
import functools
import hashlib
import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from app.errors import EmbeddedPostgresError
from app.history.postgres_binaries import ROLE, PostgresBinaries

MAINTENANCE_DATABASE: Final = "postgres"
DEFAULT_PORT: Final = 5432
"""Without TCP it is only part of the socket's name."""

SETTINGS: Final = {
    "logging_collector": "off",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "timezone": "UTC",
    "unix_socket_permissions": "0700",
}
# A commit is still handed to the kernel before it is acknowledged: only a power cut loses it.
NOT_DURABLE: Final = {"fsync": "off", "full_page_writes": "off"}

POLL_S: Final = 0.02
CONNECT_TIMEOUT_S: Final = 5
STOP_TIMEOUT_S: Final = 30.0
LOG_TAIL_LINES: Final = 20

PID_FILE_ADDRESS: Final = slice(3, 5)
"""The lines of postmaster.pid with the port and the socket's folder; its first line is the pid."""
MAX_SOCKET_FOLDER_BYTES: Final = 85
"""A socket's whole path has at most 103 bytes on macOS and 107 on Linux."""
SEPARATORS: Final = frozenset(',"')
"""Between the hosts of a DSN, and around the folders of `unix_socket_directories`."""

STILL_IN_USE: Final = "pre-existing shared memory block"
"""Logged by a postmaster that finds a busy session of a killed one still running."""


class Postmaster:
    def __init__(self, folder: Path, *, durable: bool, port: int | None) -> None:
        self.folder = folder
        self.port = port or DEFAULT_PORT
        self.socket_folder = socket_folder_of(folder)
        self.log = folder / "postgres.log"
        self._data = folder / "data"
        self._pid_file = self._data / "postmaster.pid"
        self._durable = durable
        self._listen_addresses = "127.0.0.1" if port else ""
        self._launched_pid: int | None = None
        self._log_start = 0

    def conninfo(self, database: str) -> str:
        return make_conninfo(host=str(self.socket_folder), port=self.port, user=ROLE, dbname=database)

    def create(self, start_lock: int) -> None:
        """The folders that aren't there yet."""
        make_private(self.socket_folder, owners={os.geteuid(), self.folder.stat().st_uid})
        if not (self._data / "PG_VERSION").exists():
            self._binaries.create(self._data, durable=self._durable, start_lock=start_lock)

    def start(self, timeout_s: float) -> None:
        """Launch it unless it runs; return when it answers."""
        deadline = time.monotonic() + timeout_s
        self._launched_pid = None
        while not self.answers():
            self._launch_unless_running()
            time.sleep(POLL_S)
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(f"PostgreSQL doesn't answer after {timeout_s:g} s:\n{self.log_tail()}")

    def create_database(self, name: str) -> None:
        """Unless it exists."""
        with self._connection() as connection:
            if not connection.execute("select from pg_database where datname = %s", [name]).rowcount:
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))

    def stop(self) -> None:
        if (pid := self.pid()) is not None:
            self._end(pid)
        with contextlib.suppress(OSError):
            self.socket_folder.rmdir()

    def answers(self) -> bool:
        """Whether a server for this very data folder accepts connections. A pid would prove nothing."""
        try:
            with self._connection() as connection:
                row = connection.execute("show data_directory").fetchone()
        except psycopg.OperationalError:
            return False
        return row == (str(self._data),)

    def pid(self) -> int | None:
        """The living postmaster's. The pid in the file may be a zombie's by now, or another program's."""
        candidates = (self._launched_pid, self._pid_in_file())
        return next((pid for pid in candidates if pid is not None and self._is_ours(pid)), None)

    def log_tail(self) -> str:
        """The last lines since the last launch."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return "\n".join(log.read().decode(errors="replace").splitlines()[-LOG_TAIL_LINES:])

    def _launch_unless_running(self) -> None:
        pid = self.pid()
        if pid is None and self._launched_pid is not None and STILL_IN_USE not in self.log_tail():
            raise EmbeddedPostgresError(f"PostgreSQL did not start:\n{self.log_tail()}")
        if pid is None:
            self._launch()
        elif pid != self._launched_pid:
            self._require_our_address(pid)

    def _require_our_address(self, pid: int) -> None:
        address, ours = self._pid_file_lines()[PID_FILE_ADDRESS], [str(self.port), str(self.socket_folder)]
        if len(address) == len(ours) and all(address) and address != ours:
            raise EmbeddedPostgresError(
                f"{self.folder} is already served at {' in '.join(address)}: stop process {pid}, or use that port"
            )

    def _launch(self) -> None:
        self._binaries.require_same_major(self._data)
        command = [*self._overlook_stale_pid(), *self._binaries.command("postgres", *self._arguments())]
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            # Its own session: a Ctrl-C is for the application, which then stops the server.
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", start_new_session=True
            )
        self._launched_pid = process.pid
        # It may outlive this object, and is reaped whenever it ends.
        threading.Thread(target=process.wait, name="reap-postgres", daemon=True).start()

    @functools.cached_property
    def _binaries(self) -> PostgresBinaries:
        return PostgresBinaries(self.folder, self.socket_folder)

    def _arguments(self) -> list[str]:
        settings = SETTINGS | {
            "port": str(self.port),
            "listen_addresses": self._listen_addresses,
            "unix_socket_directories": f'"{self.socket_folder}"',
        }
        if not self._durable:
            settings |= NOT_DURABLE
        return ["-D", str(self._data), *(f"--{name}={value}" for name, value in settings.items())]

    def _overlook_stale_pid(self) -> list[str]:
        """Postgres takes any living pid in its lock file for a postmaster, except this one.

        Removing the file instead would also remove its guard against the sessions of a killed postmaster.
        """
        (self.socket_folder / f".s.PGSQL.{self.port}.lock").unlink(missing_ok=True)
        if (stale := self._pid_in_file()) is not None:
            return ["env", f"PG_GRANDPARENT_PID={stale}"]
        self._pid_file.unlink(missing_ok=True)  # cut short while it was written
        return []

    def _pid_in_file(self) -> int | None:
        lines = self._pid_file_lines()
        return int(lines[0]) if lines and lines[0].isdigit() else None

    def _pid_file_lines(self) -> list[str]:
        """Empty if there is no file; fewer than it should have if it was cut short."""
        try:
            return self._pid_file.read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return []

    def _is_ours(self, pid: int) -> bool:
        return f" -D {self._data} --" in command_line(pid)

    def _end(self, pid: int) -> None:
        for kind in (signal.SIGINT, signal.SIGQUIT):  # "fast", then "immediate"; no acknowledged row is lost by either
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, kind)
            if self._gone(pid, time.monotonic() + STOP_TIMEOUT_S):
                return
        raise EmbeddedPostgresError(f"PostgreSQL doesn't stop: end process {pid}, see {self.log}")

    def _gone(self, pid: int, deadline: float) -> bool:
        while self._is_ours(pid) and time.monotonic() < deadline:
            time.sleep(POLL_S)
        return not self._is_ours(pid)

    def _connection(self) -> psycopg.Connection:
        return psycopg.connect(self.conninfo(MAINTENANCE_DATABASE), autocommit=True, connect_timeout=CONNECT_TIMEOUT_S)


def command_line(pid: int) -> str:
    """Empty if there is no such process, or only its zombie."""
    if sys.platform != "linux":
        ps = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
        return subprocess.run(ps, capture_output=True, text=True, check=False).stdout
    try:
        return os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" "))
    except OSError:
        return ""


def socket_folder_of(folder: Path) -> Path:
    beside = folder / "run"
    if len(os.fsencode(beside)) <= MAX_SOCKET_FOLDER_BYTES and not SEPARATORS.intersection(str(beside)):
        return beside
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"book-agent-{name}"


def make_private(folder: Path, *, owners: set[int]) -> None:
    """Whoever can enter it is the database's superuser."""
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid not in owners or status.st_mode & 0o077:
        raise EmbeddedPostgresError(f"{folder} is not a private folder of this user: remove it")
