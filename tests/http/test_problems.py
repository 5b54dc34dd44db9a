"""What a client is told when its request cannot be served."""

import asyncio

import pytest
import structlog
from litestar.exceptions import InternalServerException

CHAT = "/api/v1/chat"


@pytest.mark.parametrize("path", [CHAT, "/api/v1/chat/stream"])
@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"content"}),
        ({"content": ""}, {"content"}),
        ({"content": " \n\t"}, {"content"}),
        ({"content": "x" * 4001}, {"content"}),
        ({"content": 7, "conversation_id": "no-uuid", "colour": "red"}, {"content", "conversation_id", "colour"}),
        ([], {"body"}),
    ],
    ids=["missing", "empty", "blank", "too long", "three at once", "no object"],
)
async def test_every_bad_field_is_named(client, path, body, fields):
    response = await client.post(path, json=body)
    problem = response.json()
    assert response.status_code == 400
    assert {error["field"] for error in problem["errors"]} == fields
    assert all(field in problem["detail"] for field in fields)


async def test_bad_fields_inside_filters_are_named_with_their_path(client):
    body = {
        "query": "x",
        "limit": 0,
        "whole_sections": "yes",
        "filters": {"source": 3, "page": ["/intro"], "colour": "red"},
    }
    problem = (await client.post("/api/v1/retrieve", json=body)).json()
    assert {error["field"] for error in problem["errors"]} == {
        "limit",
        "whole_sections",
        "filters.source",
        "filters.page",
        "filters.colour",
    }


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        pytest.param(b"{", "is not JSON: it ends too early", id="cut"),
        pytest.param(b'{"content": "\\ud800"}', "the first half of a surrogate pair", id="half a surrogate pair"),
        pytest.param(b'{"content": "x",}', "is not JSON: trailing comma in object (byte 16)", id="a comma too many"),
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(b"\xff\xfe", "is not JSON", id="no text"),
        pytest.param(b'{"content": "\xff"}', "is not UTF-8", id="no UTF-8"),
        pytest.param(b'{"content": ' + b"[" * 30000 + b"]" * 30000 + b"}", "is nested too deeply", id="too deep"),
        pytest.param(b'{"content":"hi","n":1e999999}', "", id="too large a number"),
    ],
)
async def test_a_body_that_is_no_json_is_a_bad_request(client, content, detail):
    response = await client.post(CHAT, content=content, headers={"content-type": "application/json"})
    assert response.status_code == 400
    assert detail in response.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", CHAT, 405),
        ("GET", "/api/v1/conversations/not-a-uuid/messages", 404),
        ("GET", "/api/v1/conversations/8d7e6f26-4b5a-4c5e-9f3a-0d6c1f2b3a4d/messages?limit=1000", 400),
        ("GET", "/api/v1/conversations/8d7e6f26-4b5a-4c5e-9f3a-0d6c1f2b3a4d/messages?before=9223372036854775808", 400),
    ],
)
async def test_the_frameworks_own_errors_are_problems_with_the_request_id(client, method, path, status):
    response = await client.request(method, path, headers={"x-request-id": "mine-1"})
    problem = response.json()
    assert response.status_code == problem["status"] == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["x-request-id"] == problem["request_id"] == "mine-1"
    assert problem["instance"] == path.split("?")[0]


async def test_a_wrong_method_says_which_are_right(client):
    response = await client.get(CHAT)
    assert "POST" in response.headers["allow"]
    assert response.json()["detail"] == f"GET is not possible here, but {response.headers['allow']} is."


async def test_a_wrong_path_is_named(client):
    assert (await client.get("/nowhere")).json()["detail"] == "There is nothing at /nowhere."


async def test_too_long_a_body_is_refused(client):
    response = await client.post(CHAT, json={"content": "x" * 100_000})
    assert response.status_code == 413
    assert response.json()["status"] == 413
    assert "65536 bytes" in response.json()["detail"]


async def test_a_wrong_parameter_is_told_in_plain_words(client):
    response = await client.post(CHAT, json={"content": "x"}, headers={"Idempotency-Key": "a b"})
    assert response.json()["errors"] == [{"field": "Idempotency-Key", "message": r"must match ^[\x21-\x7e]+$"}]
    query = "/api/v1/conversations/8d7e6f26-4b5a-4c5e-9f3a-0d6c1f2b3a4d/messages?limit=many"
    assert (await client.get(query)).json()["detail"] == "limit: must be a whole number"


@pytest.mark.parametrize("name", ["%00", "x" * 300, "..%2f..%2fetc%2fpasswd", "nowhere.js", "a%20b", ""])
async def test_an_asset_that_is_not_there_is_not_found(client, name):
    assert (await client.get(f"/schema/assets/{name}")).status_code == 404


async def test_an_error_of_the_framework_is_in_the_log_under_the_request_id(client, monkeypatch):
    async def broken(*_args: object, **_options: object) -> None:
        raise InternalServerException("planted-secret") from OSError("planted-cause")

    monkeypatch.setattr("app.book.retrieval.Retriever.search", broken)
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logged:
        response = await client.post("/api/v1/retrieve", json={"query": "x"}, headers={"x-request-id": "r-5"})
    assert response.status_code == 500
    assert "planted" not in response.text
    [line] = [line for line in logged if line["event"] == "request.broken"]
    assert (line["request_id"], str(line["exc_info"].__cause__)) == ("r-5", "planted-cause")


async def test_a_harmful_request_id_is_replaced(client):
    response = await client.get("/health/live", headers={"x-request-id": 'a" b{}'})
    assert response.headers["x-request-id"].isalnum()


async def test_an_unexpected_error_shows_nothing_of_itself(client, monkeypatch):
    async def broken(*_args: object, **_options: object) -> None:
        raise RuntimeError("planted-secret")

    monkeypatch.setattr("app.book.retrieval.Retriever.search", broken)
    response = await client.post("/api/v1/retrieve", json={"query": "tides"})
    assert response.status_code == 500
    assert "planted-secret" not in response.text
    assert response.json()["request_id"]


async def test_nul_and_broken_surrogates_in_a_question_are_survived(client):
    response = await client.post(CHAT, content=b'{"content": "What is a tide\\u0000?"}')
    assert response.status_code == 200
    response = await client.post(CHAT, content=b'{"content": "\\ud800 tide"}')
    assert response.status_code in {200, 400}


async def test_a_client_that_leaves_while_it_sends_is_no_error_of_ours(client):
    _, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
    writer.write(b"POST /api/v1/chat HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    async with asyncio.timeout(10):
        while 'status="499"' not in (text := (await client.get("/metrics")).text):
            pass
    assert 'status="500"' not in text
