"""`book-agent dev` as its users run it: a process of its own, real stores, killed and started again."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import SMALL_BOOK
from tests.fakes.loopback import ThreadServer
from tests.fakes.provider import Reply, ScriptedProvider

BOOK_AGENT = Path(sys.executable).parent / "book-agent"
START_S = 60
QUESTION = {"content": "What is a stilling well?"}
ADDRESS = re.compile(r"Serving at (http://\S+)")


class Dev:
    """A running `book-agent dev`."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.process = subprocess.Popen(
            [BOOK_AGENT, "dev", "--port", "0", "--data-dir", "data folder", *options],
            cwd=folder,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.output = ""
        self.address = self._address()

    def _address(self) -> str:
        for line in self.process.stderr:
            self.output += line
            if match := ADDRESS.search(line):
                return match[1]
        raise AssertionError(f"it did not start:\n{self.output}")

    def stop(self, number: int) -> int:
        self.process.send_signal(number)
        _, rest = self.process.communicate(timeout=START_S)
        self.output += rest
        return self.process.returncode

    def ask(self, **fields: str) -> dict:
        response = httpx.post(f"{self.address}/api/v1/chat", json=QUESTION | fields, timeout=30)
        assert response.status_code == 200, response.text
        return response.json()


@pytest.fixture
def dev(tmp_path: Path) -> Iterator:
    """Starts `dev` in a folder with a space in its data folder's name; ends what still runs."""
    started: list[Dev] = []

    def dev(*options: str) -> Dev:
        started.append(Dev(tmp_path, *options))
        return started[-1]

    yield dev
    for one in started:
        if one.process.poll() is None:
            one.stop(signal.SIGTERM)


def processes_of(folder: Path) -> list[str]:
    """Command lines of the other processes that have something to do with a folder."""
    found = []
    for entry in set(Path("/proc").glob("[0-9]*")) - {Path(f"/proc/{os.getpid()}")}:
        with contextlib.suppress(OSError):
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if str(folder) in command or str(folder) in str((entry / "cwd").readlink()):
                found.append(command)
    return found


@pytest.mark.timeout(180)
def test_one_command_serves_a_book_and_ctrl_c_ends_everything_it_started(dev, tmp_path):
    server = dev("--book", str(SMALL_BOOK))
    assert "Indexed 3 documents" in server.output
    assert "indexed 3 of 3 documents" in server.output
    answer = server.ask()
    assert "vertical pipe" in answer["answer"]
    for citation in answer["citations"]:
        text = (SMALL_BOOK / citation["source"]).read_bytes().decode()
        assert text[citation["start"] : citation["end"]] == citation["quote"]
    assert server.stop(signal.SIGINT) == 0
    assert processes_of(tmp_path) == []


@pytest.mark.timeout(180)
def test_after_kill_9_nothing_acknowledged_is_lost_and_a_follow_up_works(dev, tmp_path):
    first = dev("--book", str(SMALL_BOOK))
    answer = first.ask()
    first.process.kill()
    first.process.communicate()
    second = dev("--book", str(SMALL_BOOK))
    assert "Indexed" not in second.output
    url = f"{second.address}/api/v1/conversations/{answer['conversation_id']}/messages"
    messages = httpx.get(url).json()["messages"]
    assert [message["content"] for message in messages] == [QUESTION["content"], answer["answer"]]
    follow_up = second.ask(content="And its float?", conversation_id=answer["conversation_id"])
    assert "follows the mean level" in follow_up["answer"]
    assert second.stop(signal.SIGTERM) in {0, 143}
    assert processes_of(tmp_path) == []


@pytest.mark.timeout(180)
def test_it_goes_on_when_its_postgres_was_killed(dev, tmp_path):
    server = dev("--book", str(SMALL_BOOK))
    conversation_id = server.ask()["conversation_id"]
    os.kill(int((tmp_path / "data folder/postgres/data/postmaster.pid").read_text().split()[0]), signal.SIGKILL)
    deadline = time.monotonic() + START_S
    body = QUESTION | {"conversation_id": conversation_id}
    while (response := httpx.post(f"{server.address}/api/v1/chat", json=body, timeout=30)).status_code == 503:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert "vertical pipe" in response.json()["answer"]
    assert server.stop(signal.SIGINT) == 0
    assert "postgres.restarted" in server.output
    assert processes_of(tmp_path) == []


@pytest.mark.timeout(180)
def test_a_changed_book_is_indexed_again_at_the_next_start(dev, tmp_path):
    book = tmp_path / "book"
    book.mkdir()
    (book / "a.md").write_text("# Wells\n\nA stilling well is made of brick.\n")
    (book / "b.md").write_text("# Moons\n\nA moon pulls at the sea.\n")
    dev("--book", str(book)).stop(signal.SIGTERM)
    (book / "a.md").write_text("# Wells\n\nA stilling well is made of steel.\n")
    server = dev("--book", str(book))
    assert "(1 documents changed, 0 removed; 1 chunks embedded, 0 moved, 1 deleted)" in server.output
    assert "steel" in server.ask()["answer"]


@pytest.mark.timeout(180)
def test_what_is_indexed_beside_a_running_server_is_answered_from_at_once(dev, tmp_path):
    book = tmp_path / "book"
    book.mkdir()
    (book / "a.md").write_text("# Wells\n\nA stilling well is made of brick.\n")
    server = dev("--book", str(book))

    def index(*options: str) -> str:
        command = [BOOK_AGENT, "index", "--data-dir", "data folder", *options]
        return subprocess.run(command, cwd=tmp_path, text=True, check=True, capture_output=True).stderr

    before = server.ask()
    (book / "a.md").write_text("# Wells\n\nA stilling well is made of steel.\n")
    index("--source", str(book))
    after = server.ask()
    assert "brick" in before["answer"]
    assert "steel" in after["answer"]
    assert before["index_version"] != after["index_version"]
    index("--rollback")
    back = server.ask()
    assert "brick" in back["answer"]
    assert back["index_version"] == before["index_version"]
    server.stop(signal.SIGTERM)
    assert "brick" in dev("--book", str(book)).ask()["answer"], "`dev` leaves alone what was rolled back"


@pytest.mark.timeout(180)
def test_the_shell_commands_find_the_running_server(dev, tmp_path):
    server = dev("--book", str(SMALL_BOOK))

    def run(*words: str) -> str:
        command = [BOOK_AGENT, *words, "--url", server.address]
        return subprocess.run(command, cwd=tmp_path, text=True, check=True, capture_output=True).stdout

    asked = run("ask", "What is a stilling well?")
    assert "vertical pipe" in asked
    assert "Measuring tides > Stilling wells" in asked
    conversation = asked.split("conversation ")[1].strip()
    assert QUESTION["content"] in run("ask", "What did I ask before?", "--conversation", conversation)
    assert json.loads(run("ask", "What is a stilling well?", "--json"))["status"] == "answered"
    assert "Neap tides" in run("search", "neap tides", "--limit", "2")
    assert json.loads(run("search", "neap tides", "--json"))["passages"]


@pytest.mark.timeout(180)
def test_a_stop_ends_a_stream_with_an_event_that_says_so(dev, monkeypatch):
    told = (
        "A stilling well is a vertical pipe with a small opening that filters out waves [1]. "
        "Its float follows the mean level [1]. "
    )
    provider = ScriptedProvider([Reply.text(told + "And more " * 5000).paced(chunk_s=0.05)])
    with ThreadServer(provider.app) as upstream:
        monkeypatch.setenv("MODEL_PROVIDER", "openai")
        monkeypatch.setenv("OPENAI_API_KEY", "k")
        monkeypatch.setenv("OPENAI_BASE_URL", upstream.url + provider.prefix)
        monkeypatch.setenv("SHUTDOWN_GRACE_S", "1")
        server = dev("--book", str(SMALL_BOOK))
        with httpx.stream("POST", f"{server.address}/api/v1/chat/stream", json=QUESTION, timeout=30) as response:
            names = []
            for line in response.iter_lines():
                if line.startswith("event: "):
                    names.append(line.removeprefix("event: "))
                    if names.count("answer.delta") == 2 and names[-1] == "answer.delta":
                        server.process.send_signal(signal.SIGTERM)
        assert names[-1] == "turn.failed"
        _, log = server.process.communicate(timeout=START_S)
        assert server.process.returncode == 0
        assert "Traceback" not in log


@pytest.mark.timeout(180)
def test_a_second_one_is_told_what_is_in_its_way(dev, tmp_path):
    server = dev("--book", str(SMALL_BOOK))
    port = server.address.rsplit(":", 1)[1]

    def second(*options: str) -> str:
        command = [BOOK_AGENT, "dev", *options]
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert result.returncode == 2
        return result.stderr

    assert f"cannot listen on 127.0.0.1 port {port}" in second("--port", port, "--data-dir", "other")
    assert "another `book-agent dev` runs on data folder" in second("--port", "0", "--data-dir", "data folder")
    assert server.ask()["status"] == "answered"
    assert (tmp_path / "data folder" / "server.json").exists()


def test_a_copy_of_the_settings_example_is_no_obstacle(tmp_path):
    shutil.copy(Path(__file__).parents[2] / ".env.example", tmp_path / ".env")
    command = [BOOK_AGENT, "dev", "--data-dir", "/proc/nowhere"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr.startswith("book-agent: cannot write to /proc/nowhere")


def test_dev_refuses_a_prompt_that_cannot_be_used_before_it_makes_anything(tmp_path):
    environ = {"PATH": os.environ["PATH"], "PROMPT_VERSION": "v99"}
    command = [BOOK_AGENT, "dev", "--data-dir", "data"]
    result = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "PROMPT_VERSION: there is no prompt book_agent/v99.md" in result.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.timeout(180)
def test_a_second_interrupt_ends_what_the_first_one_waits_for_without_a_traceback(dev, monkeypatch):
    provider = ScriptedProvider([Reply.text("A stilling well is a vertical pipe [1]. " * 5000).paced(chunk_s=0.05)])
    with ThreadServer(provider.app) as upstream:
        monkeypatch.setenv("MODEL_PROVIDER", "openai")
        monkeypatch.setenv("OPENAI_API_KEY", "k")
        monkeypatch.setenv("OPENAI_BASE_URL", upstream.url + provider.prefix)
        monkeypatch.setenv("SHUTDOWN_GRACE_S", "60")
        server = dev("--book", str(SMALL_BOOK))
        with httpx.stream("POST", f"{server.address}/api/v1/chat/stream", json=QUESTION, timeout=30) as response:
            next(line for line in response.iter_lines() if line.startswith("event: answer.delta"))
            server.process.send_signal(signal.SIGINT)
            with contextlib.suppress(httpx.ConnectError):
                while httpx.get(f"{server.address}/health/live").status_code == 200:
                    pass
            server.process.send_signal(signal.SIGINT)
            _, log = server.process.communicate(timeout=START_S)
    assert server.process.returncode == 0
    assert "Traceback" not in log
    assert '"level":"error"' not in log
