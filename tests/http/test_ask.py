"""`book-agent ask` where the connection does not hold, and where its user does not wait."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app.cli.turn_stream import ATTEMPTS
from tests.fakes.loopback import in_thread
from tests.fakes.provider import Reply
from tests.fakes.proxy import FaultProxy

BOOK_AGENT = Path(sys.executable).parent / "book-agent"
QUESTION = "What is a stilling well?"
WELL = "A stilling well is a vertical pipe with a small opening that filters out waves [1]."
FLOAT = "Its float follows the mean level [1]."


@pytest.fixture(scope="module")
def server(scripted):
    return scripted()


@pytest.fixture
def proxy(server):
    with in_thread(FaultProxy(server.client.base_url.port)) as proxy:
        yield proxy


def ask(proxy, *options):
    words = [BOOK_AGENT, "ask", QUESTION, "--url", proxy.url, *options]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_an_answer_is_whole_though_its_connection_broke(server, proxy):
    server.provider.script = [Reply.text(f"{WELL} {FLOAT}").paced(chunk_s=0.02)]
    proxy.switch("cut", cut_after=3000)
    result = ask(proxy)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(f"{WELL} {FLOAT}\n\nSources\n")
    assert proxy.accepted > 1


def test_it_is_the_same_turn_that_is_gone_on_with(server, proxy):
    server.provider.script = [Reply.text(f"{WELL} {FLOAT}").paced(chunk_s=0.02)]
    proxy.switch("cut", cut_after=3000)
    answer = json.loads(ask(proxy, "--json").stdout)
    messages = server.client.get(f"/api/v1/conversations/{answer['conversation_id']}/messages").json()["messages"]
    assert [message["status"] for message in messages] == ["complete", "answered"]
    assert messages[1]["content"] == answer["answer"] == f"{WELL} {FLOAT}"


def test_a_server_that_does_not_come_back_is_said(server, proxy):
    server.provider.script = [Reply.text(WELL)]
    proxy.switch("cut", cut_after=1000)  # never the last event
    result = ask(proxy)
    assert result.returncode == 2
    assert "broke" in result.stderr
    assert proxy.accepted >= ATTEMPTS


def test_an_interrupt_cancels_the_answer(server):
    server.provider.script = [Reply.text(f"{WELL} " + "And more " * 1000).paced(chunk_s=0.02)]
    abandoned = server.provider.abandoned
    words = [BOOK_AGENT, "ask", QUESTION, "--url", str(server.client.base_url)]
    asking = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert asking.stdout.read(len(WELL)).decode() == WELL
    asking.send_signal(signal.SIGINT)
    _, said = asking.communicate(timeout=20)
    assert asking.returncode == 1
    assert b"Aborted" in said
    while server.provider.abandoned == abandoned:
        pass
