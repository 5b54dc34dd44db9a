"""Health, metrics, logs, and the description of the API."""

import io
import json
import logging
import re

import pytest

from app.errors import BookAgentError
from app.history.conversations import Conversations
from app.logs import configure_logs
from app.settings import Secret

PLANTED = {
    "qdrant_api_key": "planted-qdrant-key",
    "openai_api_key": "planted-openai-key",
    "gemini_api_key": "planted-gemini-key",
}
QUESTION = "What is a stilling well, planted-question?"


@pytest.fixture
def json_logs():
    """Log lines so far, parsed; logging is put back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logs("info", stream=stream)

    def lines() -> list[dict]:
        return [json.loads(line) for line in stream.getvalue().splitlines()]

    yield lines
    root.handlers, root.level = handlers, level


async def test_a_living_process_says_so(client):
    assert (await client.get("/health/live")).json() == {"status": "ok"}


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/api/v1/health"])
async def test_a_probe_may_ask_without_wanting_the_body(client, path):
    response = await client.head(path)
    assert (response.status_code, response.content) == (200, b"")
    assert f'method="HEAD",route="{path}",status="200"' in (await client.get("/metrics")).text


@pytest.mark.parametrize("path", ["/health/ready", "/api/v1/health"])
async def test_health_names_each_dependency_with_its_latency(client, path):
    response = await client.get(path)
    body = response.json()
    assert (response.status_code, body["status"]) == (200, "ok")
    expected = {"postgres", "qdrant"} | ({"model"} if "api" in path else set())
    assert set(body["dependencies"]) == expected
    assert all(one["status"] == "ok" and one["latency_ms"] >= 0 for one in body["dependencies"].values())


async def test_a_server_whose_migrations_cannot_be_looked_at_is_not_ready(
    start, make_settings, proxied_url, postgres_proxy
):
    client = await start(make_settings(database_url=Secret(proxied_url)))
    postgres_proxy.lose_reply_to(b"to_regclass")
    response = await client.get("/health/ready")
    assert postgres_proxy.has_lost_reply
    assert (response.status_code, response.json()["dependencies"]["postgres"]["status"]) == (503, "down")


async def test_an_answer_that_the_database_refuses_is_counted_as_it_is_told(client, monkeypatch):
    store = Conversations.store_answer

    async def refuse_answered(self, owner, message_id, answer, *last):
        if answer.status == "answered":
            raise BookAgentError("The database refused it.")
        await store(self, owner, message_id, answer, *last)

    monkeypatch.setattr(Conversations, "store_answer", refuse_answered)
    assert (await client.post("/api/v1/chat", json={"content": "What is a stilling well?"})).status_code == 500
    counted = re.findall(
        r'^book_agent_turns_total{.*status="(\w+)".*} 1', (await client.get("/metrics")).text, re.MULTILINE
    )
    assert counted == ["failed"]


async def test_metrics_count_requests_by_route_and_answers_by_prompt(client, ask):
    await ask(client, "What is a tide?")
    await client.get("/nowhere/at/all")
    text = (await client.get("/metrics")).text
    assert 'book_agent_requests_total{method="POST",route="/api/v1/chat",status="200"} 1.0' in text
    assert 'route="(none)",status="404"' in text
    assert "nowhere" not in text
    turns = r'book_agent_turns_total\{model="offline-extractive",prompt="book_agent/v2@\w+",.*"answered"\} 1'
    assert re.search(turns, text)
    assert "book_agent_search_seconds_count 1.0" in text
    assert 'book_agent_tokens_total{direction="input",model="offline-extractive"}' in text


async def test_one_log_line_a_request_says_what_it_cost_and_not_what_was_asked(json_logs, start, make_settings, stream):
    client = await start(make_settings())
    await client.post("/api/v1/chat", json={"content": QUESTION}, headers={"x-request-id": "r-1"})
    await stream(client, QUESTION)
    await client.get("/nowhere")
    lines = json_logs()
    requests = [line for line in lines if line["event"] == "request"]
    assert [line["route"] for line in requests] == ["/api/v1/chat", "/api/v1/chat/stream", "(none)"]
    first = requests[0]
    assert first["request_id"] == "r-1"
    assert {"method", "status", "duration_ms", "input_tokens", "output_tokens", "search_ms", "model_ms"} <= set(first)
    assert "planted-question" not in json.dumps(lines)


async def test_no_secret_shows_anywhere(json_logs, start, make_settings, database_url, ask):
    settings = make_settings(**{name: Secret(value) for name, value in PLANTED.items()})
    client = await start(settings)
    await ask(client, "What is a tide?")
    paths = ["/metrics", "/api/v1/health", "/health/ready", "/schema/openapi.json", "/nowhere"]
    seen = [repr(settings), json.dumps(json_logs()), *[(await client.get(path)).text for path in paths]]
    for secret in [*PLANTED.values(), database_url]:
        assert not [text for text in seen if secret in text]


async def test_the_api_is_described_with_a_page_that_needs_no_network(client):
    page = await client.get("/schema")
    assert page.status_code == 200
    assert not re.findall(r"https?://", page.text.split("<body")[0])
    for asset in re.findall(r'(?:src|href)="(/schema/assets/[^"]+)"', page.text):
        assert (await client.get(asset)).status_code == 200
    described = (await client.get("/schema/openapi.json")).json()
    assert {"/api/v1/chat", "/api/v1/chat/stream", "/api/v1/retrieve"} <= set(described["paths"])
    assert "content" in described["components"]["schemas"]["ChatRequest"]["properties"]
    assert {"409", "413"} <= described["paths"]["/api/v1/chat"]["post"]["responses"].keys()
    for path, method in (("turns/{turn_id}/cancel", "post"), ("conversations/{conversation_id}/messages", "get")):
        assert {"409", "413"}.isdisjoint(described["paths"][f"/api/v1/{path}"][method]["responses"])


async def test_the_description_is_as_strict_as_the_server(client):
    described = (await client.get("/schema/openapi.json")).json()
    schemas = described["components"]["schemas"]
    assert [
        name for name in ("ChatRequest", "RetrieveRequest", "Filters") if schemas[name]["additionalProperties"]
    ] == []
    text, null = schemas["ChatRequest"]["properties"]["selected_text"]["oneOf"]
    assert text == {"type": "string", "minLength": 1, "maxLength": 4000, "pattern": r"\S"}
    assert null == {"type": "null"}
    assert schemas["ChatRequest"]["properties"]["page"]["oneOf"][0]["maxLength"] == 2000
    parameters = {
        one["name"]: one["schema"]
        for methods in described["paths"].values()
        for operation in methods.values()
        for one in operation.get("parameters", [])
    }
    assert [parameters[name]["minimum"] for name in ("before", "Last-Event-ID", "after")] == [0, 0, 0]
    assert parameters["Idempotency-Key"]["maxLength"] == 255
