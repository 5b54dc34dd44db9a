"""How many requests an address may make."""

from types import SimpleNamespace

import limits.aio.storage.memory
import limits.aio.strategies
import pytest

import app.http.limits
from tests.fakes.clock import Clock

LIMITED = [
    ("POST", "/api/v1/chat", {"content": "What is a tide?"}),
    ("POST", "/api/v1/chat/stream", {"content": "What is a tide?"}),
    ("POST", "/api/v1/retrieve", {"query": "tide"}),
]


@pytest.fixture
def clock(monkeypatch):
    """The limiter weighs the minute before: what it admits depends on the second at which it is asked."""
    clock = Clock(1_700_000_010.0 // 60 * 60 + 30)  # in the middle of a minute
    for module in (limits.aio.storage.memory, limits.aio.strategies, app.http.limits):
        monkeypatch.setattr(module, "time", SimpleNamespace(time=clock))
    return clock


@pytest.fixture
async def client(start, make_settings, clock):
    return await start(make_settings(rate_limit_per_minute=2))


@pytest.mark.parametrize(("method", "path", "body"), LIMITED)
async def test_beyond_the_limit_a_request_is_refused_before_it_is_served(client, database, method, path, body):
    responses = [await client.request(method, path, json=body) for _ in range(3)]
    assert [response.status_code for response in responses] == [200, 200, 429]
    refused = responses[-1]
    assert refused.headers["content-type"] == "application/problem+json"
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    async with database.connection() as connection:
        row = await (await connection.execute("select count(*) as turns from conversations")).fetchone()
    assert row["turns"] == (0 if "retrieve" in path else 2)


async def test_every_answer_says_how_much_is_left(client):
    responses = [await client.post("/api/v1/retrieve", json={"query": "tide"}) for _ in range(2)]
    assert [response.headers["ratelimit-remaining"] for response in responses] == ["1", "0"]
    assert {response.headers["ratelimit-limit"] for response in responses} == {"2"}
    assert all(int(response.headers["ratelimit-reset"]) > 0 for response in responses)


@pytest.mark.parametrize("second", [0.5, 1, 30, 59])
async def test_who_waits_as_long_as_told_is_served(client, clock, second):
    clock.now += second - 30
    while (response := await client.post("/api/v1/retrieve", json={"query": "tide"})).status_code == 200:
        pass
    clock.now += int(response.headers["retry-after"])
    assert (await client.post("/api/v1/retrieve", json={"query": "tide"})).status_code == 200


async def test_health_and_metrics_are_not_limited(client):
    assert {(await client.get(path)).status_code for path in ["/health/live", "/metrics"] * 3} == {200}


async def test_no_limit_means_no_headers(start, settings):
    response = await (await start(settings)).post("/api/v1/retrieve", json={"query": "tide"})
    assert "ratelimit-limit" not in response.headers
