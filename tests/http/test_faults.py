"""When Qdrant, Postgres or the model is down, slow or talks nonsense: a 503 in time, and service again after."""

import asyncio
import math
from contextlib import AsyncExitStack
from functools import partial

import pytest

from app.book.identity import identity_of
from app.book.qdrant_store import QdrantStore, open_client
from app.errors import ConfigurationError, DatabaseUnavailableError, OutcomeUnknownError
from app.history.database import Database
from app.resources import check_store, open_server_store
from app.settings import Secret
from tests.fakes.loopback import bind, port_of, serve
from tests.fakes.provider import Reply, ScriptedProvider, answer_from_passages
from tests.fakes.proxy import FaultProxy
from tests.fakes.qdrant import Fault

QUESTION = "What is a stilling well?"
KEY = "planted-qdrant-key"
TIMEOUT_S = 1.0


def port_in(url: str) -> int:
    return int(url.rsplit(":", 1)[1])


@pytest.fixture
async def stack():
    async with AsyncExitStack() as stack:
        yield stack


async def assert_unavailable(client, path="/api/v1/chat", body=None):
    """A 503 problem, with a hint when to come back, within the time that the settings give."""
    async with asyncio.timeout(TIMEOUT_S * 4 + 3):
        response = await client.post(path, json=body or {"content": QUESTION})
    assert response.status_code == 503, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert int(response.headers["retry-after"]) > 0
    return response.json()


class TestQdrant:
    @pytest.fixture
    async def client(self, start_over_qdrant):
        return await start_over_qdrant(search_cache_s=0.0)

    async def test_answers_over_a_server(self, client, ask):
        assert "vertical pipe" in (await ask(client, QUESTION))["answer"]

    @pytest.mark.parametrize(
        "switch",
        [
            partial(FaultProxy.switch, mode="refuse"),
            partial(FaultProxy.switch, mode="blackhole"),
            partial(FaultProxy.switch, mode="cut", cut_after=20),
        ],
        ids=["refuses", "is silent", "breaks off"],
    )
    async def test_a_failing_network_is_a_503_and_then_service_returns(self, client, qdrant_proxy, ask, switch):
        await ask(client, QUESTION)
        switch(qdrant_proxy)
        qdrant_proxy.drop_all()
        await assert_unavailable(client)
        await assert_unavailable(client, "/api/v1/retrieve", {"query": QUESTION})
        assert (await client.get("/health/ready")).status_code == 503
        qdrant_proxy.switch("pass")
        qdrant_proxy.drop_all()
        assert (await ask(client, QUESTION))["status"] == "answered"
        assert (await client.get("/health/ready")).status_code == 200

    @pytest.mark.parametrize(
        "fault",
        [
            Fault(path="query", status=500, times=math.inf),
            Fault(path="query", status=429, times=math.inf, headers={"retry-after": "7"}),
            Fault(path="query", body="<html>bad gateway", times=math.inf),
            Fault(path="query", body='{"result": [', times=math.inf),
        ],
        ids=["500", "429", "a proxy's page", "cut JSON"],
    )
    async def test_a_failing_server_is_never_a_refusal(self, client, qdrant, fault):
        qdrant.faults.append(fault)
        await assert_unavailable(client)

    async def test_when_to_come_back_is_told_to_the_client(self, client, qdrant):
        qdrant.faults.append(Fault(path="query", status=429, times=math.inf, headers={"retry-after": "7"}))
        for path, body in (("/api/v1/chat", {"content": QUESTION}), ("/api/v1/retrieve", {"query": QUESTION})):
            response = await client.post(path, json=body)
            assert (response.status_code, response.headers["retry-after"]) == (503, "7")

    async def test_a_stream_that_lost_qdrant_ends_with_a_failure_that_names_it(self, client, qdrant_proxy, stream):
        qdrant_proxy.switch("refuse")
        qdrant_proxy.drop_all()
        last = (await stream(client, QUESTION))[-1]
        assert last["type"] == "turn.failed"
        assert last["error"]["status"] == 503
        assert last["refusal"] is None

    async def test_a_passing_fault_is_not_noticed(self, client, qdrant, ask):
        qdrant.faults.append(Fault(path="query", status=503, times=2))
        assert (await ask(client, QUESTION))["status"] == "answered"

    async def test_a_missing_collection_is_said(self, start, qdrant_settings):
        client = await start(qdrant_settings(), open_store=open_server_store)
        assert "not indexed" in (await assert_unavailable(client))["detail"]

    async def test_a_wrong_key_is_named_at_the_start(self, qdrant_settings, embedder):
        settings = qdrant_settings(qdrant_api_key=Secret("wrong"))
        store = QdrantStore(open_client(settings), settings)
        with pytest.raises(ConfigurationError, match="QDRANT_API_KEY"):
            await check_store(store, identity_of(embedder))
        await store.close()


class TestPostgres:
    @pytest.fixture
    async def client(self, start, make_settings, proxied_url):
        return await start(make_settings(database_url=Secret(proxied_url), database_timeout_s=TIMEOUT_S))

    @pytest.mark.parametrize("mode", ["refuse", "blackhole"])
    async def test_a_failing_network_is_a_503_and_then_service_returns(
        self, client, postgres_proxy, ask, become_ready, mode
    ):
        await ask(client, QUESTION)
        postgres_proxy.switch(mode)
        postgres_proxy.drop_all()
        await assert_unavailable(client)
        assert (await client.get("/health/ready")).status_code == 503
        postgres_proxy.switch("pass")
        postgres_proxy.drop_all()
        await become_ready(client)
        assert (await ask(client, QUESTION))["status"] == "answered"

    async def test_dropped_connections_are_replaced(self, client, postgres_proxy, ask):
        await ask(client, QUESTION)
        postgres_proxy.drop_all()
        await asyncio.sleep(0)
        assert (await ask(client, QUESTION))["status"] == "answered"

    async def test_only_what_breaks_at_the_end_of_a_transaction_may_be_stored(
        self, stack, make_settings, proxied_url, postgres_proxy
    ):
        database = Database(make_settings(database_url=Secret(proxied_url)))
        stack.push_async_callback(database.close)
        await database.open()

        async def transact(*steps):
            async def work(connection):
                for step in steps:
                    await step(connection)

            await database.transact(work)

        async def ask(connection):
            await connection.execute("select 1")

        async def drop(_):
            postgres_proxy.drop_all()

        with pytest.raises(OutcomeUnknownError):
            await transact(ask, drop)
        with pytest.raises(DatabaseUnavailableError) as early:
            await transact(drop, ask)
        assert early.type is DatabaseUnavailableError

    async def test_no_connection_is_held_while_the_model_runs(self, start, make_settings, database_url, stack):
        provider = ScriptedProvider([Reply.text("NO_ANSWER").paced(first_byte_s=1.5) for _ in range(10)])
        url = await stack.enter_async_context(serve(provider.app))
        client = await start(
            make_settings(
                database_pool_size=1,
                database_timeout_s=TIMEOUT_S,
                model_provider="openai",
                openai_base_url=url + provider.prefix,
                openai_api_key=Secret("k"),
            )
        )
        responses = await asyncio.gather(*(client.post("/api/v1/chat", json={"content": QUESTION}) for _ in range(3)))
        assert {response.status_code for response in responses} == {200}


class TestModel:
    @pytest.fixture
    async def provider(self):
        return ScriptedProvider(answer_from_passages)

    @pytest.fixture
    async def proxy(self, stack, provider):
        return await stack.enter_async_context(
            FaultProxy(port_in(await stack.enter_async_context(serve(provider.app))))
        )

    @pytest.fixture
    async def client(self, start, make_settings, provider, proxy):
        return await start(
            make_settings(
                model_provider="openai",
                openai_base_url=proxy.url + provider.prefix,
                openai_api_key=Secret("planted-model-key"),
                model_timeout_s=TIMEOUT_S,
                model_attempts=2,
            )
        )

    @pytest.mark.parametrize("mode", ["refuse", "blackhole"])
    async def test_a_failing_network_is_a_503_and_then_service_returns(self, client, proxy, ask, mode):
        proxy.switch(mode)
        proxy.drop_all()
        await assert_unavailable(client)
        assert (await client.get("/health/ready")).status_code == 200
        proxy.switch("pass")
        proxy.drop_all()
        assert (await ask(client, QUESTION))["status"] == "answered"

    @pytest.mark.parametrize(
        ("reply", "detail"),
        [
            (Reply.error(500), "not available"),
            (Reply.error(500).paced(cut_after=1), "not available"),
            (Reply.error(401), "refused the API key"),
            (Reply.error(404), "MODEL_NAME"),
            (Reply.error(429, headers={"retry-after": "1"}), "too many requests"),
            (Reply.error(400), "refused the request"),
        ],
        ids=["500", "500, cut", "401", "404", "429", "400"],
    )
    async def test_a_failing_provider_is_a_problem_and_the_turn_is_kept_as_failed(
        self, client, provider, database, reply, detail
    ):
        provider.script = lambda _: reply
        response = await client.post("/api/v1/chat", json={"content": QUESTION})
        assert response.status_code == 503
        assert detail in response.json()["detail"]
        assert "planted-model-key" not in response.text
        async with database.connection() as connection:
            rows = await (await connection.execute("select status from messages order by position")).fetchall()
        assert [row["status"] for row in rows] == ["complete", "failed"]

    async def test_an_endless_loop_of_searches_ends(self, client, provider):
        provider.script = lambda _: Reply.tool_calls([("search_book", {"query": "tides"})])
        problem = await assert_unavailable(client)
        assert "kept calling tools" in problem["detail"]

    async def test_an_answer_that_takes_too_long_is_a_503(self, start, make_settings, provider, proxy):
        provider.script = lambda _: Reply.text("word " * 100).paced(chunk_s=0.5)
        client = await start(
            make_settings(
                model_provider="openai",
                openai_base_url=proxy.url + provider.prefix,
                openai_api_key=Secret("k"),
                turn_timeout_s=TIMEOUT_S,
            )
        )
        assert "too long" in (await assert_unavailable(client))["detail"]


async def test_the_app_starts_while_qdrant_and_postgres_are_down(start, make_settings):
    with bind() as reserved:
        nowhere = port_of(reserved)
    client = await start(
        make_settings(
            qdrant_cluster_endpoint=f"http://127.0.0.1:{nowhere}",
            qdrant_api_key=Secret(KEY),
            database_url=Secret(f"postgresql://a@127.0.0.1:{nowhere}/b"),
            database_timeout_s=TIMEOUT_S,
            qdrant_timeout_s=TIMEOUT_S,
        ),
        open_store=open_server_store,
    )
    assert (await client.get("/health/live")).status_code == 200
    health = await client.get("/health/ready")
    assert health.status_code == 503
    assert {one["status"] for one in health.json()["dependencies"].values()} == {"down"}
    await assert_unavailable(client)
