"""Several providers: who is asked when one fails, and that nobody else is told anything."""

import asyncio
import sys
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

import pytest
from psycopg.conninfo import conninfo_to_dict

from app.breaker import FAILURES
from app.chat import chances
from app.chat.signatures import FOREIGN
from app.settings import Secret
from tests.fakes.loopback import bind, port_of, serve
from tests.fakes.provider import Reply, ScriptedProvider, answer_from_passages

QUESTION = "What is a stilling well?"
MODELS = {"openai": "gpt-test", "gemini": "gemini-2.5-flash"}
WELL = "A stilling well is a vertical pipe with a small opening that filters out waves [1]."
ANSWER = Reply.text(WELL)
SEARCH = Reply.tool_calls([("search_book", {"query": QUESTION})])
KEY = "planted-provider-key"


@pytest.fixture(autouse=True)
def unhurried(monkeypatch):
    monkeypatch.setattr(chances, "FIRST_WAIT_S", 0.01)


@pytest.fixture
async def stack():
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
async def providers(stack):
    """OpenAI, and Gemini to fall back on."""
    served = [ScriptedProvider(lambda _: ANSWER, flavour=flavour, api_key=KEY) for flavour in MODELS]
    for provider in served:
        provider.url = await stack.enter_async_context(serve(provider.app)) + provider.prefix
    return served


@pytest.fixture
def settings_of(make_settings, providers):
    first, second = providers

    def settings_of(**changes):
        given = {
            "model_provider": "openai",
            "model_name": MODELS["openai"],
            "model_fallback": "openai, gemini",
            "openai_base_url": first.url,
            "gemini_base_url": second.url,
            "openai_api_key": Secret(KEY),
            "gemini_api_key": Secret(KEY),
            "model_attempts": 2,
            "model_timeout_s": 1.0,
        }
        return make_settings(**given | changes)

    return settings_of


@pytest.fixture
async def client(start, settings_of):
    return await start(settings_of())


async def counted(client, name: str) -> float:
    lines = (await client.get("/metrics")).text.splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"book_agent_model_{name}_total"))


@pytest.mark.parametrize(
    ("reply", "asked"),
    [
        (Reply.error(500), 2),
        (Reply.error(429), 2),
        (Reply.error(429, headers={"retry-after": "60"}), 1),
        (Reply.error(401), 1),
        (Reply.error(403), 1),
        (Reply.error(404), 1),
        (Reply.error(400), 1),
        (ANSWER.paced(first_byte_s=30), 2),
        (ANSWER.paced(cut_after=1), 2),
        (Reply.raw([b"data: {{{\n\n"]), 2),
    ],
    ids=["500", "429", "a long 429", "401", "403", "404", "400", "a timeout", "a cut", "garbage"],
)
async def test_a_provider_that_fails_hands_over_and_the_answer_names_who_wrote_it(client, providers, ask, reply, asked):
    providers[0].script = lambda _: reply
    answer = await ask(client, QUESTION)
    assert (answer["answer"], answer["model"]) == (WELL, MODELS["gemini"])
    assert [len(provider.requests) for provider in providers] == [asked, 1]
    assert (await counted(client, "retries"), await counted(client, "fallbacks")) == (asked - 1, 1)


async def test_each_provider_is_sent_what_is_its_own(client, providers, ask):
    providers[0].script = lambda _: Reply.error(404)
    await ask(client, QUESTION)
    bodies = [provider.requests[0].body for provider in providers]
    assert [body["model"] for body in bodies] == list(MODELS.values())
    assert [body.get("store") for body in bodies] == [False, None]
    assert bodies[0]["messages"] == bodies[1]["messages"]


async def test_a_provider_that_is_not_there_hands_over(start, settings_of, ask):
    with bind() as reserved:
        client = await start(settings_of(openai_base_url=f"http://127.0.0.1:{port_of(reserved)}/v1"))
        assert (await ask(client, QUESTION))["model"] == MODELS["gemini"]


@pytest.mark.parametrize(
    "reply",
    [
        ANSWER.paced(cut_after=4),
        Reply.raw([*(f"data: {line}\n\n".encode() for line in ('{"choices": [{"delta": {"content": "A"}}]}', "{{{"))]),
    ],
    ids=["a cut", "garbage"],
)
async def test_nobody_is_asked_after_a_reply_has_begun(client, providers, stream, reply):
    providers[0].script = lambda _: reply
    last = (await stream(client, QUESTION))[-1]
    assert (last["type"], last["model"]) == ("turn.failed", MODELS["openai"])
    assert [len(provider.requests) for provider in providers] == [1, 0]


async def test_the_last_providers_error_is_told_when_all_fail(client, providers):
    providers[0].script = lambda _: Reply.error(401)
    providers[1].script = lambda _: Reply.error(429, headers={"retry-after": "60"})
    response = await client.post("/api/v1/chat", json={"content": QUESTION})
    assert (response.status_code, response.headers["retry-after"]) == (503, "60")
    assert "too many requests" in response.json()["detail"]


async def test_the_one_that_replied_is_asked_for_the_rest_of_the_turn(start, settings_of, providers, ask):
    providers[0].script = lambda _: Reply.error(500)
    providers[1].script = answer_from_passages
    answer = await ask(await start(settings_of(retrieval="agentic")), QUESTION)
    assert answer["status"] == "answered"
    assert [len(provider.requests) for provider in providers] == [2, 2]


async def test_one_that_fails_halfway_through_a_turn_hands_over_its_tool_calls(start, settings_of, providers, ask):
    providers[0].script = [SEARCH, Reply.error(401)]
    answer = await ask(await start(settings_of(retrieval="agentic")), QUESTION)
    assert (answer["answer"], answer["model"]) == (WELL, MODELS["gemini"])
    assert [message["role"] for message in providers[1].requests[0].body["messages"][-2:]] == ["assistant", "tool"]


async def test_a_model_may_fall_back_on_another_one_of_its_provider(start, settings_of, providers, ask):
    providers[0].models = ["gpt-other"]
    client = await start(settings_of(model_fallback="openai:gpt-other"))
    assert (await ask(client, QUESTION))["model"] == "gpt-other"


async def test_a_provider_that_keeps_failing_is_left_alone(client, providers, ask):
    providers[0].script = lambda _: Reply.error(500)
    models = [(await ask(client, QUESTION))["model"] for _ in range(5)]
    assert models == [MODELS["gemini"]] * 5
    assert [len(provider.requests) for provider in providers] == [5, 5]


async def test_refused_requests_and_rate_limits_are_no_reason_to_leave_a_provider_alone(client, providers, ask):
    providers[0].script = lambda _: Reply.error(429, headers={"retry-after": "60"})
    for _ in range(7):
        await ask(client, QUESTION)
    providers[0].script = lambda _: ANSWER
    assert (await ask(client, QUESTION))["model"] == MODELS["openai"]


async def test_no_attempt_gets_more_time_than_the_turn_has(start, settings_of, providers):
    for provider in providers:
        provider.script = lambda _: ANSWER.paced(first_byte_s=30)
    client = await start(settings_of(turn_timeout_s=1.0, model_timeout_s=20.0))
    async with asyncio.timeout(5):
        response = await client.post("/api/v1/chat", json={"content": QUESTION})
    assert response.status_code == 503
    assert float(providers[0].requests[0].headers["x-stainless-read-timeout"]) <= 1.0


async def test_no_wait_is_longer_than_the_turn_has_time(start, settings_of, providers, ask):
    providers[0].script = lambda _: Reply.error(429, headers={"retry-after": "4"})
    client = await start(settings_of(turn_timeout_s=3.0))
    async with asyncio.timeout(2):
        assert (await ask(client, QUESTION))["model"] == MODELS["gemini"]


async def test_the_health_of_the_models_is_that_of_those_that_answer(client, providers):
    for provider, models in zip(providers, ([], [MODELS["gemini"]]), strict=True):
        provider.models = models
    model = (await client.get("/api/v1/health")).json()["dependencies"]["model"]
    assert model["status"] == "ok"
    assert "MODEL_NAME" in model["detail"]
    assert MODELS["gemini"] in model["detail"]


@pytest.mark.parametrize(
    "reply",
    [ANSWER.paced(first_byte_s=30), Reply.raw([b": waiting\n\n"] * 100, chunk_s=0.1)],
    ids=["is silent", "only comments"],
)
async def test_who_accepts_and_says_nothing_leaves_time_for_the_next_one(start, settings_of, providers, ask, reply):
    providers[0].script = lambda _: reply
    client = await start(settings_of(model_attempts=3, model_timeout_s=1.0, turn_timeout_s=3.0))
    answer = await ask(client, QUESTION)
    assert (answer["answer"], answer["model"]) == (WELL, MODELS["gemini"])
    assert len(providers[0].requests) <= 2


async def test_a_provider_that_is_back_serves_everybody_from_its_first_words_on(start, settings_of, providers, ask):
    client = await start(settings_of(model_fallback="", model_attempts=1))
    providers[0].script = lambda _: Reply.error(500)
    for _ in range(FAILURES):
        assert (await client.post("/api/v1/chat", json={"content": QUESTION})).status_code == 503
    providers[0].script = lambda _: Reply.text(f"{WELL} " * 8).paced(chunk_s=0.1)
    async with asyncio.timeout(20):
        while not providers[0].replying:
            asking = asyncio.create_task(client.post("/api/v1/chat", json={"content": QUESTION}))
            while not (asking.done() or providers[0].replying):
                await asyncio.wait({asking}, timeout=0.05)
        providers[0].script = lambda _: ANSWER
        while (await client.post("/api/v1/chat", json={"content": QUESTION})).status_code != 200:
            pass
    assert not asking.done()
    asking.cancel()


async def test_an_error_that_passes_is_told_rather_than_one_that_lasts(client, providers):
    providers[0].script = lambda _: Reply.error(429, headers={"retry-after": "30"})
    providers[1].script = lambda _: Reply.error(401)
    response = await client.post("/api/v1/chat", json={"content": QUESTION})
    assert (response.status_code, response.headers["retry-after"]) == (503, "30")
    assert "too many requests" in response.json()["detail"]


class TestThoughtSignatures:
    @pytest.fixture
    async def client(self, start, settings_of):
        gemini = {"model_provider": "gemini", "model_name": MODELS["gemini"], "model_fallback": "openai"}
        return await start(settings_of(retrieval="agentic", **gemini))

    @pytest.fixture
    def gemini(self, providers):
        providers[1].script = answer_from_passages
        return providers[1]

    @staticmethod
    def calls_in(request) -> list:
        return [call for message in request.body["messages"] for call in message.get("tool_calls") or ()]

    async def test_go_back_with_their_call_inside_a_turn(self, client, gemini, ask):
        assert (await ask(client, QUESTION))["status"] == "answered"
        (call,) = self.calls_in(gemini.requests[1])
        assert call["extra_content"]["google"]["thought_signature"] == f"signature-of-{call['id']}"

    async def test_are_not_needed_by_a_follow_up_which_has_no_calls_of_earlier_turns(self, client, gemini, ask):
        first = await ask(client, QUESTION)
        gemini.requests.clear()
        await ask(client, "And its float?", conversation_id=first["conversation_id"])
        before, after = gemini.requests
        assert self.calls_in(before) == []
        (call,) = self.calls_in(after)
        assert call["extra_content"]["google"]["thought_signature"]

    @pytest.mark.parametrize(
        ("model", "signature"), [("gemini-3-pro", FOREIGN), ("gemini-2.5-pro", None)], ids=["Gemini 3", "before it"]
    )
    async def test_of_another_providers_calls_are_said_to_be_foreign(
        self, start, settings_of, providers, ask, model, signature
    ):
        providers[0].script = [SEARCH, Reply.error(401)]
        client = await start(settings_of(retrieval="agentic", model_fallback=f"gemini:{model}"))
        assert (await ask(client, QUESTION))["model"] == model
        (call,) = self.calls_in(providers[1].requests[0])
        assert call.get("extra_content", {}).get("google", {}).get("thought_signature") == signature

    async def test_do_not_go_to_another_provider(self, client, gemini, providers, ask):
        gemini.script = [SEARCH, Reply.error(401)]
        assert (await ask(client, QUESTION))["model"] == "gpt-4.1-mini"
        (call,) = self.calls_in(providers[0].requests[0])
        assert "extra_content" not in call


class TestSecrecy:
    @pytest.fixture
    def environment(self, monkeypatch):
        """Of a machine where the openai library is used for other things."""
        for name in ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_ADMIN_KEY"):
            monkeypatch.setenv(name, "planted-elsewhere")
        monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Team: planted-elsewhere\nAuthorization: planted-elsewhere")
        monkeypatch.setenv("OPENAI_BASE_URL", "https://elsewhere.example/v1")

    async def test_only_the_provider_and_the_database_are_connected_to(
        self, environment, start, settings_of, providers, database_url, stream, ask
    ):
        """Whoever is connected to, by whatever library, is seen by the interpreter's own audit."""
        connected: set[tuple] = set()
        client = await start(settings_of(retrieval="agentic"))
        own = {(urlsplit(str(client.base_url)).hostname, urlsplit(str(client.base_url)).port)}
        providers[0].script = answer_from_passages
        listening = True

        def note(event: str, arguments: tuple) -> None:
            if listening and event in {"socket.connect", "socket.getaddrinfo"}:
                address = arguments[1] if event == "socket.connect" else arguments
                connected.add(address if isinstance(address, str | bytes) else tuple(address[:2]))

        sys.addaudithook(note)  # it stays for good
        first = await ask(client, QUESTION)
        await stream(client, "And its float?", conversation_id=first["conversation_id"])
        await asyncio.sleep(0)
        listening = False
        database = conninfo_to_dict(database_url)
        allowed = {("127.0.0.1", urlsplit(providers[0].url).port), (database["host"], int(database["port"]))} | own
        assert ("127.0.0.1", urlsplit(providers[0].url).port) in connected
        assert connected <= allowed

    async def test_a_provider_cannot_send_a_request_on_to_another_host(self, client, providers, ask):
        elsewhere = Reply.error(307, headers={"location": f"{providers[1].url}/chat/completions"})
        providers[0].script = lambda _: elsewhere
        providers[1].api_key = None
        await ask(client, QUESTION)
        (request,) = providers[1].requests  # its own, as a fallback
        assert request.body["model"] == MODELS["gemini"]

    async def test_the_environment_adds_nothing_to_a_request(self, environment, client, providers, ask):
        await ask(client, QUESTION)
        (request,) = providers[0].requests
        assert "planted-elsewhere" not in str(request)
        assert request.headers["authorization"] == f"Bearer {KEY}"
        assert [name for name in request.headers if name.startswith(("openai-", "x-stainless-os"))] == []
        assert request.body["store"] is False
