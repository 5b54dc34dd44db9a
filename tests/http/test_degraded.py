"""What is still done while Qdrant or Postgres is down, what is not even tried, and how it is told."""

import asyncio
import math
import re

import pytest

from app import breaker as breakers
from app.breaker import FAILURES, Breaker
from app.errors import ModelUnavailableError
from app.http.health import by_breakers
from app.http.schemas import DependencyHealth
from app.settings import Secret
from tests.fakes.loopback import serve
from tests.fakes.provider import ScriptedProvider, answer_from_passages
from tests.fakes.qdrant import Fault
from tests.http.streams import data_of, resuming

QUESTION = "What is a stilling well?"
OTHER_QUESTION = "How often do spring tides come in a month?"
QUERY_PATH = "points/query"
TIMEOUT_S = 1.0


async def retrieve(client, query=QUESTION, **fields):
    return await client.post("/api/v1/retrieve", json={"query": query, **fields})


async def chat(client, content=QUESTION, **fields):
    return await client.post("/api/v1/chat", json={"content": content, **fields})


async def events_of(client, turn_id, after=0):
    async with resuming(client, turn_id, after) as stream:
        await stream.all()
        return [data_of(frame) for frame in stream.raw]


def cut_off(proxy):
    proxy.switch("refuse")
    proxy.drop_all()


async def open_breaker(call):
    """By failures of calls that find nothing to fall back on."""
    for _ in range(FAILURES):
        assert (await call()).status_code == 503


async def breaker_shown(client, dependency: str) -> float:
    metrics = (await client.get("/metrics")).text
    return float(re.search(rf'book_agent_breaker_open{{dependency="{dependency}"}} (\S+)', metrics)[1])


class TestCachedSearches:
    @pytest.fixture
    async def client(self, start_over_qdrant):
        return await start_over_qdrant()

    async def test_a_question_asked_before_is_answered_while_qdrant_is_down_and_the_answer_says_so(
        self, client, ask, qdrant_proxy
    ):
        before = await ask(client, QUESTION)
        assert [one["cached_s"] for one in before["grounding"]["searches"]] == [None]
        cut_off(qdrant_proxy)
        answer = await ask(client, QUESTION)
        assert answer["status"] == "answered"
        assert [type(one["cached_s"]) for one in answer["grounding"]["searches"]] == [int]
        assert [one["quote"] for one in answer["citations"]] == [one["quote"] for one in before["citations"]]
        assert answer["index_version"] == before["index_version"]
        assert "book_agent_cached_searches_total 1.0" in (await client.get("/metrics")).text

    async def test_a_stream_says_so_too(self, client, stream, qdrant_proxy):
        await stream(client, QUESTION)
        cut_off(qdrant_proxy)
        last = (await stream(client, QUESTION))[-1]
        assert last["type"] == "answer.completed"
        assert last["grounding"]["searches"][0]["cached_s"] is not None

    async def test_passages_are_given_again_and_marked(self, client, qdrant_proxy):
        before = (await retrieve(client)).json()
        assert before["cached_s"] is None
        cut_off(qdrant_proxy)
        found = (await retrieve(client)).json()
        assert isinstance(found["cached_s"], int)
        assert found | {"cached_s": None} == before

    async def test_another_question_is_a_503(self, client, ask, qdrant_proxy):
        await ask(client, QUESTION)
        cut_off(qdrant_proxy)
        assert (await chat(client, OTHER_QUESTION)).status_code == 503
        assert (await retrieve(client, OTHER_QUESTION)).status_code == 503
        assert (await chat(client, filters={"source": "intro.md"})).status_code == 503

    @pytest.mark.parametrize("kept_s", [0.0, 0.001], ids=["never kept", "kept long ago"])
    async def test_a_question_that_was_asked_too_long_ago_is_a_503(self, start_over_qdrant, ask, qdrant_proxy, kept_s):
        client = await start_over_qdrant(search_cache_s=kept_s)
        await ask(client, QUESTION)
        assert (await retrieve(client)).status_code == 200
        cut_off(qdrant_proxy)
        assert (await chat(client)).status_code == 503
        assert (await retrieve(client)).status_code == 503

    @pytest.mark.parametrize(("status", "detail"), [(401, "refused the API key"), (404, "not indexed")])
    async def test_what_qdrant_itself_says_is_told(self, client, ask, qdrant, status, detail):
        await ask(client, QUESTION)
        qdrant.faults.append(Fault(QUERY_PATH, status=status, times=math.inf))
        response = await chat(client)
        assert (response.status_code, detail in response.json()["detail"]) == (503, True)

    async def test_a_server_that_is_there_and_fails_is_as_good_as_down(self, client, ask, qdrant):
        await ask(client, QUESTION)
        qdrant.faults.append(Fault(QUERY_PATH, status=500, times=math.inf))
        assert (await ask(client, QUESTION))["grounding"]["searches"][0]["cached_s"] is not None

    async def test_a_resting_qdrant_is_not_waited_for(self, client, ask, qdrant_proxy):
        await ask(client, QUESTION)
        cut_off(qdrant_proxy)
        await open_breaker(lambda: retrieve(client, OTHER_QUESTION))
        accepted = qdrant_proxy.accepted
        assert (await ask(client, QUESTION))["grounding"]["searches"][0]["cached_s"] is not None
        assert qdrant_proxy.accepted == accepted

    async def test_a_search_is_a_new_one_when_qdrant_is_back(self, client, ask, qdrant_proxy, become_ready):
        await ask(client, QUESTION)
        cut_off(qdrant_proxy)
        await ask(client, QUESTION)
        qdrant_proxy.switch("pass")
        await become_ready(client)
        assert (await ask(client, QUESTION))["grounding"]["searches"][0]["cached_s"] is None


class TestQdrantDown:
    @pytest.fixture
    async def client(self, start_over_qdrant, qdrant_proxy):
        """Of a service whose breaker is open."""
        client = await start_over_qdrant()
        assert await breaker_shown(client, "qdrant") == 0
        cut_off(qdrant_proxy)
        await open_breaker(lambda: retrieve(client))
        return client

    async def test_nothing_asks_it_and_everybody_is_told_when_to_come_back(self, client, qdrant_proxy):
        accepted = qdrant_proxy.accepted
        responses = [await chat(client), await retrieve(client), *[await client.get("/health/ready") for _ in range(9)]]
        assert {response.status_code for response in responses} == {503}
        assert all(int(response.headers["retry-after"]) > 0 for response in responses)
        assert qdrant_proxy.accepted == accepted

    async def test_health_and_metrics_say_so(self, client):
        body = (await client.get("/health/ready")).json()
        qdrant = body["dependencies"]["qdrant"]
        assert (body["status"], qdrant["status"], body["dependencies"]["postgres"]["status"]) == (
            "degraded",
            "down",
            "ok",
        )
        assert re.search(r"resting after failures; it is tried again in \d s", qdrant["detail"])
        assert await breaker_shown(client, "qdrant") == 1
        assert await breaker_shown(client, "postgres") == 0

    async def test_looking_whether_it_is_ready_is_enough_to_bring_it_back(
        self, client, qdrant_proxy, become_ready, ask
    ):
        qdrant_proxy.switch("pass")
        await become_ready(client)
        assert await breaker_shown(client, "qdrant") == 0
        assert (await ask(client, QUESTION))["status"] == "answered"

    async def test_one_of_twenty_requests_tries_it(self, client, qdrant_proxy):
        accepted = qdrant_proxy.accepted
        qdrant_proxy.switch("blackhole")
        await asyncio.sleep(breakers.FIRST_OPEN_S)
        responses = await asyncio.gather(*(retrieve(client) for _ in range(20)))
        assert {response.status_code for response in responses} == {503}
        assert qdrant_proxy.accepted == accepted + 1


class TestPostgresDown:
    @pytest.fixture
    async def provider(self):
        return ScriptedProvider(answer_from_passages)

    @pytest.fixture
    async def client(self, start, make_settings, proxied_url, provider):
        async with serve(provider.app) as url:
            yield await start(
                make_settings(
                    database_url=Secret(proxied_url),
                    database_timeout_s=TIMEOUT_S,
                    model_provider="openai",
                    openai_base_url=url + provider.prefix,
                    openai_api_key=Secret("k"),
                )
            )

    async def test_is_a_503_before_anything_is_embedded_or_a_model_asked(
        self, client, ask, postgres_proxy, provider, embedder, monkeypatch
    ):
        await ask(client, QUESTION)
        cut_off(postgres_proxy)
        provider.requests.clear()
        embedded = []
        monkeypatch.setattr(embedder, "embed_query", embedded.append)
        for path in ("/api/v1/chat", "/api/v1/chat/stream"):
            response = await client.post(path, json={"content": QUESTION})
            assert response.status_code == 503
            assert int(response.headers["retry-after"]) > 0
        assert (provider.requests, embedded) == ([], [])

    @pytest.fixture
    def cut_off_in_mid_answer(self, postgres_proxy, provider):
        def cut_off_and_answer(request):
            cut_off(postgres_proxy)
            return answer_from_passages(request)

        provider.script = cut_off_and_answer

    async def test_an_answer_that_was_begun_before_is_there_when_it_is_back(
        self, client, cut_off_in_mid_answer, postgres_proxy, become_ready
    ):
        failed = await chat(client)
        assert failed.status_code == 503
        assert int(failed.headers["retry-after"]) > 0
        postgres_proxy.switch("pass")
        await become_ready(client)
        events = await events_of(client, failed.json()["turn_id"])
        assert [events[0]["type"], events[-1]["type"]] == ["turn.started", "answer.completed"]

    async def test_a_stream_goes_no_further_than_what_is_stored_and_on_from_there_when_it_is_back(
        self, client, stream, cut_off_in_mid_answer, postgres_proxy, become_ready
    ):
        begun = await stream(client, QUESTION)
        assert "answer.delta" not in {event["type"] for event in begun}
        postgres_proxy.switch("pass")
        await become_ready(client)
        rest: list[dict] = []
        async with asyncio.timeout(30):  # readers are let go until the end is stored
            while not rest or rest[-1]["type"] != "answer.completed":
                rest += await events_of(client, begun[0]["turn_id"], after=len(begun) + len(rest))
        assert begun + rest == await events_of(client, begun[0]["turn_id"])

    async def test_nothing_asks_it_once_it_rests_until_it_is_found_to_be_back(
        self, client, ask, postgres_proxy, become_ready
    ):
        await ask(client, QUESTION)
        postgres_proxy.switch("blackhole")
        responses = await asyncio.gather(*(chat(client) for _ in range(FAILURES)))
        assert {response.status_code for response in responses} == {503}
        accepted = postgres_proxy.accepted
        health = await client.get("/health/ready")
        assert health.status_code == (await chat(client)).status_code == 503
        assert "resting after failures" in health.json()["dependencies"]["postgres"]["detail"]
        assert postgres_proxy.accepted == accepted
        assert await breaker_shown(client, "postgres") == 1
        postgres_proxy.switch("pass")
        postgres_proxy.drop_all()
        await become_ready(client)
        assert await breaker_shown(client, "postgres") == 0
        assert (await ask(client, QUESTION))["status"] == "answered"

    @pytest.mark.parametrize(
        "lost",
        [
            b"insert into conversations",
            b"insert into messages",
            b"COMMIT",
            b"from exchanges",
            b"finished_at = now(), status",
        ],
        ids=["conversation", "question", "commit", "history", "answer"],
    )
    async def test_a_reply_lost_anywhere_in_a_chat_is_not_noticed(self, client, ask, postgres_proxy, lost):
        postgres_proxy.lose_reply_to(lost)
        answer = await ask(client, QUESTION)
        assert postgres_proxy.has_lost_reply
        stored = (await client.get(f"/api/v1/conversations/{answer['conversation_id']}/messages")).json()["messages"]
        assert [message["status"] for message in stored] == ["complete", "answered"]


class TestOtherDependencies:
    """Those with a breaker, such as a model's provider, which nobody needs for every answer."""

    ANSWERS = DependencyHealth("ok", 3.0, "openai, gpt-test")
    FAILS = DependencyHealth("down", 3.0, "refused the API key")

    @pytest.fixture
    def breaker(self):
        return Breaker("model", lambda left: ModelUnavailableError(retry_after_s=left), lambda _: True)

    @pytest.fixture
    def open_breaker(self, breaker):
        for _ in range(FAILURES):
            with pytest.raises(ModelUnavailableError), breaker.guarding():
                raise ModelUnavailableError
        return breaker

    def test_are_ok_without_failures(self, breaker):
        assert by_breakers({}, [breaker])["model"].status == "ok"
        assert by_breakers({"model": self.ANSWERS}, [breaker]) == {}

    def test_are_degraded_while_they_rest(self, open_breaker):
        health = by_breakers({}, [open_breaker])["model"]
        assert (health.status, health.latency_ms) == ("degraded", None)
        assert health.detail == "resting after failures; tried again in 2 s"

    def test_are_degraded_where_they_answer_a_probe_and_nothing_else(self, open_breaker):
        health = by_breakers({"model": self.ANSWERS}, [open_breaker])["model"]
        assert (health.status, health.latency_ms) == ("degraded", 3.0)

    def test_are_down_where_they_fail_a_probe(self, open_breaker):
        assert by_breakers({"model": self.FAILS}, [open_breaker]) == {}
