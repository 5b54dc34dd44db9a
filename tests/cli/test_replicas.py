"""Two `book-agent serve` over one database: what the other one does when one is cut, killed or told to stop."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.conftest import SMALL_BOOK
from tests.fakes.loopback import ThreadServer
from tests.fakes.provider import Reply, ScriptedProvider
from tests.fakes.qdrant import FakeQdrant
from tests.http.streams import asking, data_of, resuming

BOOK_AGENT = Path(sys.executable).parent / "book-agent"
QUESTION = "What is a stilling well?"
WELL = "A stilling well is a vertical pipe with a small opening that filters out waves [1]."
FLOAT = "Its float follows the mean level [1]."
pytestmark = pytest.mark.timeout(180)


class Server:
    """A process."""

    def __init__(self, environ: dict[str, str]) -> None:
        self.process = subprocess.Popen([BOOK_AGENT, "serve"], env=environ, stderr=subprocess.PIPE, text=True)
        lines = (json.loads(line) for line in self.process.stderr if line.startswith("{"))
        self.client = httpx.AsyncClient(
            base_url=next(line["address"] for line in lines if line["event"] == "serving"), timeout=30
        )

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        self.process.communicate(timeout=30)
        return self.process.returncode


@pytest.fixture(scope="module")
def provider() -> Iterator[ScriptedProvider]:
    provider = ScriptedProvider([])
    with ThreadServer(provider.app) as server:
        provider.url = server.url + provider.prefix
        yield provider


@pytest.fixture(scope="module")
def qdrant() -> Iterator[str]:
    with ThreadServer(FakeQdrant().app) as server:
        environ = dict(os.environ) | {"QDRANT_CLUSTER_ENDPOINT": server.url, "QDRANT_API_KEY": "k"}
        words = [BOOK_AGENT, "index", "--source", SMALL_BOOK]
        subprocess.run(words, env=environ, check=True, capture_output=True)
        yield server.url


@pytest.fixture
async def serve(qdrant: str, provider: ScriptedProvider, database_url: str) -> AsyncIterator[Callable[..., Server]]:
    provider.abandoned = 0
    started: list[Server] = []

    def serve(**settings: str) -> Server:
        environ = {
            "QDRANT_CLUSTER_ENDPOINT": qdrant,
            "QDRANT_API_KEY": "k",
            "DATABASE_URL": database_url,
            "OPENAI_API_KEY": "k",
            "OPENAI_BASE_URL": provider.url,
            "PORT": "0",
        }
        started.append(Server(dict(os.environ) | environ | settings))
        return started[-1]

    yield serve
    for server in started:
        await server.client.aclose()
        server.process.kill()
        server.process.wait()
        server.process.stderr.close()


def answering(text: str, chunk_s: float) -> Callable[[dict], Reply]:
    return lambda _: Reply.text(text).paced(chunk_s=chunk_s)


async def last_message(server: Server, started: dict) -> dict:
    path = f"/api/v1/conversations/{started['conversation_id']}/messages"
    return (await server.client.get(path)).json()["messages"][-1]


def wait_until_written(database_url: str, event: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as session:
        while not session.execute("select 1 from turn_events where type = %s", [event]).fetchone():
            pass


async def test_a_stream_that_was_cut_on_one_goes_on_on_the_other_byte_for_byte(serve, provider):
    provider.script = answering(f"{WELL} {FLOAT} {WELL}", 0.05)
    one, other = serve(), serve()
    async with asking(one.client, QUESTION) as cut:
        await cut.until("answer.delta")
    started = data_of(cut.raw[0])
    async with resuming(other.client, started["turn_id"], cut.last_id) as rest:
        await rest.all()
    async with resuming(one.client, started["turn_id"]) as whole:
        assert await whole.all() == b"".join(cut.raw + rest.raw)
    last = data_of(rest.raw[-1])
    assert (last["type"], last["answer"]) == ("answer.completed", f"{WELL} {FLOAT} {WELL}")
    assert (await last_message(other, started))["content"] == last["answer"]


async def test_when_one_is_killed_the_other_tells_who_follows_that_the_turn_failed(serve, provider):
    provider.script = answering(f"{WELL} {FLOAT} " + "And more " * 1000, 0.05)
    one, other = serve(), serve()
    async with asking(one.client, QUESTION) as cut:
        await cut.until("answer.delta")
        started = data_of(cut.raw[0])
        async with resuming(other.client, started["turn_id"]) as followed:
            await followed.until("answer.delta")
            one.signal(signal.SIGKILL)
            async with asyncio.timeout(60):
                last = await followed.until("turn.failed")
    assert last["answer"].startswith(WELL)
    assert last["error"]["status"] == 503
    message = await last_message(other, started)
    assert (message["status"], message["content"]) == ("failed", last["answer"])


async def test_what_a_killed_one_left_running_has_failed_at_the_next_start(serve, provider, database_url):
    provider.script = answering(f"{WELL} {FLOAT} " + "And more " * 1000, 0.05)
    one = serve()
    async with asking(one.client, QUESTION) as cut:
        await cut.until("answer.delta")
        wait_until_written(database_url, "answer.delta")
        one.signal(signal.SIGKILL)
        one.end()
    again = serve()
    message = await last_message(again, data_of(cut.raw[0]))
    assert (message["status"], message["content"].startswith(WELL)) == ("failed", True)
    assert message["error"]["detail"] == "The server that was answering is gone."


async def test_a_stopping_one_takes_no_questions_and_lets_answers_end_read_or_not(serve, provider):
    provider.script = answering(f"{WELL} {FLOAT}", 0.1)
    one, other = serve(SHUTDOWN_GRACE_S="20"), serve()
    async with asking(one.client, QUESTION) as left:
        unread = await left.until("turn.started")
    async with asking(one.client, QUESTION) as read:
        await read.until("turn.started")
        one.signal(signal.SIGTERM)
        assert (await read.until("answer.completed"))["answer"] == f"{WELL} {FLOAT}"
    assert one.end() == 0
    with pytest.raises(httpx.TransportError):
        await one.client.post("/api/v1/chat", json={"content": QUESTION})
    assert (await last_message(other, unread))["status"] == "answered"


async def test_what_is_not_done_when_the_grace_time_is_over_has_failed_for_a_reason(serve, provider):
    provider.script = answering(f"{WELL} {FLOAT} " + "And more " * 1000, 0.05)
    one, other = serve(SHUTDOWN_GRACE_S="1"), serve()
    async with asking(one.client, QUESTION) as left:
        unread = await left.until("turn.started")
    async with asking(one.client, QUESTION) as read:
        await read.until("answer.delta")
        one.signal(signal.SIGTERM)
        last = await read.until("turn.failed")
    assert one.end() == 0
    assert last["error"] | {"title": ""} == {
        "title": "",
        "status": 503,
        "detail": "The server stopped before the answer was complete.",
        "retry_after_s": 1,
    }
    for started in (unread, data_of(read.raw[0])):
        message = await last_message(other, started)
        assert (message["status"], message["error"]["detail"]) == ("failed", last["error"]["detail"])
        assert message["content"].startswith(WELL)


async def test_who_follows_on_a_stopping_one_can_go_on_elsewhere(serve, provider):
    provider.script = answering(f"{WELL} {FLOAT} " + "And more " * 60, 0.05)
    one, other = serve(), serve(SHUTDOWN_GRACE_S="20")
    async with asking(one.client, QUESTION) as stream:
        turn_id = (await stream.until("answer.delta")) and data_of(stream.raw[0])["turn_id"]
        async with resuming(other.client, turn_id) as followed:
            await followed.until("answer.delta")
            other.signal(signal.SIGTERM)
            await followed.all()
        assert "answer.completed" not in str(followed.raw)
        assert other.end() == 0
        async with resuming(one.client, turn_id, followed.last_id) as rest:
            await rest.until("answer.completed")


async def test_a_second_signal_ends_it_at_once(serve, provider):
    provider.script = answering(f"{WELL} " + "And more " * 1000, 0.05)
    one, other = serve(SHUTDOWN_GRACE_S="100"), serve()
    async with asking(one.client, QUESTION) as stream:
        await stream.until("answer.delta")
        for _ in range(2):
            one.signal(signal.SIGINT)
            await asyncio.sleep(0.5)
        assert one.end() == 0
    assert (await last_message(other, data_of(stream.raw[0])))["status"] == "failed"
