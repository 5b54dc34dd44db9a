"""`serve`, `check` and `migrate` as operators run them: processes, with the environment that a test gives."""

import gc
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
import uvicorn
from psycopg.conninfo import make_conninfo

from app.cli.server import AnnouncingServer, listening_socket
from app.errors import ConfigurationError
from tests.conftest import SMALL_BOOK
from tests.fakes.loopback import ThreadServer
from tests.fakes.provider import ScriptedProvider, answer_from_passages
from tests.fakes.qdrant import FakeQdrant

BOOK_AGENT = Path(sys.executable).parent / "book-agent"
QDRANT_KEY, MODEL_KEY, PASSWORD = "planted-qdrant-key", "planted-model-key", "planted-password"
PLANTED = (QDRANT_KEY, MODEL_KEY, PASSWORD)


def run(*words: str, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run([BOOK_AGENT, *words], env=inherited | environ, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def qdrant() -> Iterator[str]:
    with ThreadServer(FakeQdrant(api_key=QDRANT_KEY).app) as server:
        yield server.url


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    provider = ScriptedProvider(answer_from_passages, api_key=MODEL_KEY)
    with ThreadServer(provider.app) as server:
        yield server.url + provider.prefix


@pytest.fixture
def environ(qdrant: str, provider: str, database_url: str) -> dict[str, str]:
    """All that `serve` needs, with every secret planted."""
    return {
        "QDRANT_CLUSTER_ENDPOINT": qdrant,
        "QDRANT_API_KEY": QDRANT_KEY,
        "DATABASE_URL": make_conninfo(database_url, password=PASSWORD),
        "MODEL_PROVIDER": "openai",
        "OPENAI_API_KEY": MODEL_KEY,
        "OPENAI_BASE_URL": provider,
        "PORT": "0",
    }


@pytest.fixture
def empty_database(postgres: str) -> Iterator[str]:
    admin = make_conninfo(postgres, dbname="postgres")
    with psycopg.connect(admin, autocommit=True) as session:
        session.execute("create database empty_one")
    yield make_conninfo(postgres, dbname="empty_one")
    with psycopg.connect(admin, autocommit=True) as session:
        session.execute("drop database empty_one with (force)")


def test_serve_lists_all_that_is_missing_and_exits_with_2():
    result = run("serve", environ={})
    assert result.returncode == 2
    for name in ("QDRANT_CLUSTER_ENDPOINT", "QDRANT_API_KEY", "DATABASE_URL", "OPENAI_API_KEY"):
        assert f"{name}: is missing" in result.stderr


def test_serve_lists_all_that_is_wrong_without_a_secret(environ):
    wrong = {
        "QDRANT_CLUSTER_ENDPOINT": "http://qdrant.example:6333",
        "DATABASE_URL": f"mysql://user:{PASSWORD}@host/name",
        "SEARCH_LIMIT": "many",
        "PORT": "70000",
    }
    result = run("serve", environ=environ | wrong)
    assert result.returncode == 2
    assert {line.split(":")[0].strip() for line in result.stderr.replace("book-agent: ", "").splitlines()} == set(wrong)
    assert not [secret for secret in PLANTED if secret in result.stderr]


def test_serve_names_a_wrong_qdrant_key(environ):
    result = run("serve", environ=environ | {"QDRANT_API_KEY": "another"})
    assert result.returncode == 2
    assert "QDRANT_API_KEY" in result.stderr


def test_serve_names_pending_migrations(environ, empty_database):
    result = run("serve", environ=environ | {"DATABASE_URL": empty_database})
    assert result.returncode == 2
    assert "book-agent migrate" in result.stderr


def test_migrate_brings_an_empty_database_up_to_date_once(environ, empty_database):
    environ |= {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/x", "DATABASE_DIRECT_URL": empty_database}
    first, second = (run("migrate", environ=environ) for _ in range(2))
    assert (first.returncode, second.returncode) == (0, 0)
    assert "0001_conversations" in first.stdout
    assert "nothing to apply" in second.stdout


@pytest.mark.timeout(180)
def test_an_indexed_book_is_served_and_no_secret_is_logged(environ):
    indexed = run("index", "--source", str(SMALL_BOOK), environ=environ)
    assert indexed.returncode == 0, indexed.stderr
    checked = run("check", "--json", environ=environ)
    assert checked.returncode == 0, checked.stdout
    report = json.loads(checked.stdout)
    assert {one["name"] for one in report["dependencies"]} == {"postgres", "qdrant", "embedding", "prompts", "model"}
    assert report["settings"]["OPENAI_API_KEY"] == "set"

    process = subprocess.Popen([BOOK_AGENT, "serve"], env=dict(os.environ) | environ, stderr=subprocess.PIPE, text=True)
    address = next(json.loads(line)["address"] for line in process.stderr if '"serving"' in line)
    body = {"content": "What is a stilling well?"}
    answer = httpx.post(f"{address}/api/v1/chat", json=body, timeout=30).json()
    metrics = httpx.get(f"{address}/metrics").text
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=30)
    assert answer["status"] == "answered"
    assert process.returncode == 0
    assert [line for line in log.splitlines() if not line.startswith("{")] == []
    seen = [indexed.stderr, checked.stdout, checked.stderr, metrics, log, json.dumps(answer)]
    assert not [secret for secret in PLANTED for text in seen if secret in text]


@pytest.mark.parametrize(
    ("change", "dependency", "hint"),
    [
        ({"QDRANT_API_KEY": "another"}, "qdrant", "QDRANT_API_KEY"),
        ({"QDRANT_COLLECTION": "unknown_one"}, "qdrant", "book-agent index"),
        ({"OPENAI_API_KEY": "another"}, "model", "OPENAI_API_KEY"),
        ({"PROMPT_VERSION": "v99"}, "prompts", "PROMPT_VERSION"),
        ({"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/x"}, "postgres", "DATABASE_URL"),
    ],
    ids=["wrong Qdrant key", "no collection", "wrong model key", "no such prompt", "no database"],
)
def test_check_says_what_to_do_about_a_dependency(environ, change, dependency, hint):
    result = run("check", "--json", environ=environ | change | {"DATABASE_TIMEOUT_S": "1"})
    assert result.returncode == 1
    found = {one["name"]: one for one in json.loads(result.stdout)["dependencies"]}
    assert not found[dependency]["ok"]
    assert hint in found[dependency]["detail"]


def test_check_says_at_once_why_there_is_no_database(environ, database_url):
    nowhere = make_conninfo(database_url, dbname="nowhere", password=PASSWORD)
    result = run("check", "--json", environ=environ | {"DATABASE_URL": nowhere, "DATABASE_TIMEOUT_S": "20"})
    found = {one["name"]: one for one in json.loads(result.stdout)["dependencies"]}
    assert 'database "nowhere" does not exist' in found["postgres"]["detail"]
    assert found["postgres"]["latency_ms"] < 10_000
    assert PASSWORD not in result.stdout + result.stderr


def test_check_shows_a_table_and_every_wrong_setting():
    result = run("check", environ={"MODEL_PROVIDER": "oracle"})
    assert result.returncode == 1
    assert "QDRANT_API_KEY: is missing" in result.stdout
    assert re.search(r"MODEL_PROVIDER: is none of openai, gemini, offline", result.stdout)


async def test_a_server_that_listens_does_not_look_through_what_was_loaded_again(monkeypatch):
    async def started(self: uvicorn.Server, sockets: object) -> None:
        self.started = True

    monkeypatch.setattr(uvicorn.Server, "startup", started)
    frozen: list[int] = []
    server = AnnouncingServer(uvicorn.Config(lambda: None), lambda: frozen.append(gc.get_freeze_count()), None)
    await server.startup()
    gc.unfreeze()
    assert frozen[0] > 10_000


def test_a_listening_socket_turns_nagle_off_for_its_connections():
    with listening_socket("127.0.0.1", 0) as listener:
        assert listener.proto == socket.IPPROTO_TCP


@pytest.mark.parametrize(
    ("host", "advice"), [("no-such-host.invalid", "check HOST or --host"), ("127.0.0.1", "choose another --port")]
)
def test_what_cannot_be_listened_on_is_told_with_what_to_change(host, advice):
    with listening_socket("127.0.0.1", 0) as taken, pytest.raises(ConfigurationError, match=advice):
        listening_socket(host, taken.getsockname()[1])


def test_a_prompt_that_cannot_be_used_ends_serve_before_anything_is_opened(environ):
    result = run("serve", environ=environ | {"PROMPT_VERSION": "v99", "EMBEDDING_MODEL": "no/such"})
    assert result.returncode == 2
    assert "PROMPT_VERSION: there is no prompt book_agent/v99.md" in result.stderr
    assert "EMBEDDING_MODEL: is neither" in result.stderr
