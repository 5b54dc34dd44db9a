"""FakeQdrant, ThreadServer and FaultProxy, asked by the real clients."""

import asyncio
import json
import math
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from litestar import Litestar
from qdrant_client import AsyncQdrantClient, models
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from tests.fakes.loopback import ThreadServer, in_thread, serve
from tests.fakes.proxy import FaultProxy
from tests.fakes.qdrant import FakeQdrant, Fault, Seen

SPARSE = models.SparseVectorParams(modifier=models.Modifier.IDF)
DENSE = models.VectorParams(size=2, distance=models.Distance.COSINE)
POINTS = [
    models.PointStruct(
        id=number,
        vector={"dense": dense, "bm25": models.SparseVector(indices=terms, values=[1.0] * len(terms))},
        payload={"chapter": chapter},
    )
    for number, (dense, terms, chapter) in enumerate([([1, 0], [7], "a"), ([0, 1], [7, 8], "b"), ([1, 1], [7], "b")])
]


def qdrant_client(url: str, **options: Any) -> AsyncQdrantClient:
    limits = httpx.Limits(max_keepalive_connections=4)
    return AsyncQdrantClient(url=url, check_compatibility=False, limits=limits, **options)


@pytest.fixture
def qdrant() -> FakeQdrant:
    return FakeQdrant()


@pytest.fixture
async def qdrant_url(qdrant: FakeQdrant) -> AsyncIterator[str]:
    async with serve(qdrant.app) as url:
        yield url


@pytest.fixture
async def store(qdrant_url: str) -> AsyncIterator[AsyncQdrantClient]:
    client = qdrant_client(qdrant_url)
    yield client
    await client.close()


@pytest.fixture
async def book(store: AsyncQdrantClient) -> AsyncQdrantClient:
    """A store with the three points in the collection `book`."""
    await store.create_collection("book", {"dense": DENSE}, {"bm25": SPARSE}, metadata={"model": "minilm"})
    await store.create_payload_index("book", "chapter", models.PayloadSchemaType.KEYWORD)
    await store.upsert("book", POINTS)
    return store


class TestFakeQdrant:
    async def test_answers_with_what_was_created(self, book):
        info = await book.get_collection("book")
        assert info.config.metadata == {"model": "minilm"}
        assert info.config.params.sparse_vectors["bm25"].modifier is models.Modifier.IDF
        assert info.payload_schema["chapter"].data_type is models.PayloadSchemaType.KEYWORD
        assert await book.collection_exists("book")
        assert not await book.collection_exists("other")
        assert [each.name for each in (await book.get_collections()).collections] == ["book"]

    async def test_merges_metadata_on_update(self, book):
        await book.update_collection("book", metadata={"version": "2"})
        assert (await book.get_collection("book")).config.metadata == {"model": "minilm", "version": "2"}

    async def test_ranks_dense_and_sparse_queries_and_filters_them(self, book):
        chapter = models.Filter(must=[models.FieldCondition(key="chapter", match=models.MatchValue(value="b"))])
        dense = await book.query_points("book", [1.0, 0.0], using="dense", query_filter=chapter)
        assert [(point.id, point.payload) for point in dense.points] == [(2, {"chapter": "b"}), (1, {"chapter": "b"})]
        sparse = models.SparseVector(indices=[8], values=[1.0])
        assert [point.id for point in (await book.query_points("book", sparse, using="bm25")).points] == [1]
        requests = [models.QueryRequest(query=[0.0, 1.0], using="dense", limit=1)] * 2
        assert [answer.points[0].id for answer in await book.query_batch_points("book", requests)] == [1, 1]

    async def test_reads_pages_counts_and_facets(self, book):
        page, offset = await book.scroll("book", limit=2)
        assert ([point.id for point in page], offset) == ([0, 1], 2)
        assert [point.payload for point in await book.retrieve("book", [2])] == [{"chapter": "b"}]
        assert (await book.count("book")).count == 3
        assert {hit.value: hit.count for hit in (await book.facet("book", "chapter")).hits} == {"a": 1, "b": 2}

    async def test_deletes_by_ids_and_by_filter_and_sets_payload(self, book):
        chapter = models.Filter(must=[models.FieldCondition(key="chapter", match=models.MatchValue(value="b"))])
        await book.set_payload("book", {"chapter": "b"}, [0])
        await book.delete("book", [1])
        assert (await book.count("book", chapter)).count == 2
        await book.delete("book", models.FilterSelector(filter=chapter))
        assert (await book.count("book")).count == 0
        await book.delete_collection("book")
        assert not await book.collection_exists("book")

    async def test_swaps_an_alias(self, book):
        alias = models.CreateAlias(collection_name="book", alias_name="current")
        await book.update_collection_aliases([models.CreateAliasOperation(create_alias=alias)])
        assert (await book.count("current")).count == 3
        assert (await book.get_collection("current")).payload_schema
        assert (await book.get_collection_aliases("book")).aliases[0].alias_name == "current"

    @pytest.mark.parametrize(
        ("status", "call"),
        [
            (404, lambda store: store.count("missing")),
            (409, lambda store: store.create_collection("book", {"dense": DENSE})),
            (400, lambda store: store.query_points("book", [1.0], using="dense")),
            (400, lambda store: store.query_points("book", [1.0, 0.0], using="other")),
            (400, lambda store: store.upsert("book", [models.PointStruct(id="no-uuid", vector={"dense": [1, 0]})])),
            (404, lambda store: store.set_payload("book", {"chapter": "c"}, [99])),
        ],
        ids=["no such collection", "collection exists", "dimension", "vector name", "point id", "no such point"],
    )
    async def test_refuses_as_the_server_does(self, book, status, call):
        with pytest.raises(UnexpectedResponse) as refusal:
            await call(book)
        assert refusal.value.status_code == status
        assert json.loads(refusal.value.content)["status"]["error"]

    @pytest.mark.parametrize(("key", "text"), [(None, b"Must provide an API key"), ("wrong", b"Invalid API key")])
    @pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")
    async def test_answers_a_missing_or_wrong_key_in_plain_text(self, qdrant, qdrant_url, key, text):
        qdrant.api_key = "right"
        client = qdrant_client(qdrant_url, api_key=key)
        with pytest.raises(UnexpectedResponse) as refusal:
            await client.get_collections()
        await client.close()
        assert (refusal.value.status_code, refusal.value.content[: len(text)]) == (401, text)

    async def test_injects_a_status_as_often_as_it_is_told(self, qdrant, book):
        qdrant.faults.append(Fault("/points/count", times=2, status=503))
        for _ in range(2):
            with pytest.raises(UnexpectedResponse, match="503"):
                await book.count("book")
        assert (await book.count("book")).count == 3
        assert qdrant.seen[-1] == Seen("POST", "/collections/book/points/count")

    async def test_injects_a_retry_after_and_cut_json(self, qdrant, store):
        qdrant.faults += [Fault(status=429, headers={"Retry-After": "7"}), Fault(body='{"result": {"coll')]
        with pytest.raises(ResourceExhaustedResponse) as refusal:
            await store.get_collections()
        assert refusal.value.retry_after_s == 7
        with pytest.raises(json.JSONDecodeError):
            await store.get_collections()

    async def test_injects_a_delay_and_forgets_it_when_the_client_leaves(self, qdrant, book):
        fault = Fault(times=math.inf, delay_s=30)
        qdrant.faults.append(fault)
        with pytest.raises(ResponseHandlingException) as failure:
            await book.count("book", timeout=1)
        assert isinstance(failure.value.source, httpx.ReadTimeout)
        qdrant.faults.remove(fault)
        assert (await book.count("book")).count == 3


class TestServe:
    async def test_leaves_no_task_and_closes_the_app_though_a_request_is_open(self):
        asked, closed = asyncio.Event(), []

        async def app(scope, receive, send):
            if scope["type"] == "lifespan":
                await receive()
                await send({"type": "lifespan.startup.complete"})
                await receive()
                closed.append(True)
                await send({"type": "lifespan.shutdown.complete"})
                return
            asked.set()
            while (await receive())["type"] != "http.disconnect":
                pass

        before = asyncio.all_tasks()
        async with httpx.AsyncClient() as client:
            async with serve(app) as url:
                asking = asyncio.create_task(client.get(url))
                await asked.wait()
            with pytest.raises(httpx.TransportError):
                await asking
        assert closed
        assert asyncio.all_tasks() == before

    async def test_says_so_when_the_app_cannot_start(self):
        async def broken(app: Litestar) -> None:
            raise OSError(app)

        with pytest.raises(RuntimeError, match="lifespan"):
            async with serve(Litestar(on_startup=[broken], logging_config=None)):
                pytest.fail("it started")


class TestThreadServer:
    def test_goes_down_and_returns_on_the_same_port(self, qdrant):
        with ThreadServer(qdrant.app) as server:
            url = server.url
            assert httpx.get(url).json()["version"] == "1.20.0"
            server.stop()
            with pytest.raises(httpx.ConnectError):
                httpx.get(url)
            server.start()
            assert (server.url, httpx.get(url).status_code) == (url, 200)
            server.restart()
            assert httpx.get(url).status_code == 200

    async def test_resets_an_idle_connection_when_it_stops(self, qdrant):
        with ThreadServer(qdrant.app) as server:
            async with httpx.AsyncClient(base_url=server.url) as client:
                await client.get("/")
                await asyncio.to_thread(server.restart)
                assert (await client.get("/")).status_code == 200


class TestFaultProxy:
    @pytest.fixture
    async def proxy(self, qdrant_url):
        async with FaultProxy(httpx.URL(qdrant_url).port) as proxy:
            yield proxy

    @pytest.fixture
    async def client(self, proxy):
        async with httpx.AsyncClient(base_url=proxy.url) as client:
            yield client

    async def test_passes_and_keeps_the_connection(self, proxy, client):
        for _ in range(3):
            assert (await client.get("/")).status_code == 200
        assert proxy.accepted == 1

    async def test_refuses_new_connections_and_recovers(self, proxy, client):
        proxy.switch("refuse")
        with pytest.raises((httpx.ReadError, httpx.WriteError)):
            await client.get("/")
        proxy.switch("pass")
        assert (await client.get("/")).status_code == 200

    async def test_swallows_what_an_open_connection_says_and_recovers(self, proxy, client):
        await client.get("/")
        proxy.switch("blackhole")
        with pytest.raises(httpx.ReadTimeout):
            await client.get("/", timeout=0.2)
        proxy.switch("pass")
        assert (await client.get("/")).status_code == 200

    async def test_cuts_a_reply_after_so_many_bytes(self, proxy, client):
        proxy.switch("cut", cut_after=20)
        with pytest.raises(httpx.ReadError):
            await client.get("/")
        proxy.switch("pass")
        assert (await client.get("/")).status_code == 200

    async def test_delays_replies(self, proxy, client):
        proxy.switch("delay", delay_s=0.1)
        started = time.perf_counter()
        await client.get("/")
        assert time.perf_counter() - started >= 0.1

    async def test_loses_one_reply_to_a_request_that_the_upstream_has_answered(self, qdrant, proxy, client):
        proxy.lose_reply_to(b"GET /collections ")
        assert (await client.get("/readyz")).is_success
        with pytest.raises(httpx.TransportError):
            await client.get("/collections")
        assert qdrant.seen[-1].path == "/collections"
        assert proxy.has_lost_reply
        assert (await client.get("/collections")).is_success

    async def test_drops_every_connection(self, proxy, client):
        await client.get("/")
        proxy.drop_all()
        await asyncio.sleep(0)
        assert (await client.get("/")).status_code == 200
        assert proxy.accepted == 2

    def test_runs_in_a_thread_and_is_switched_from_another(self, qdrant):
        with (
            ThreadServer(qdrant.app) as server,
            in_thread(FaultProxy(httpx.URL(server.url).port)) as proxy,
            httpx.Client(base_url=proxy.url, timeout=2) as client,
        ):
            assert client.get("/").status_code == 200
            proxy.switch("refuse")
            proxy.drop_all()
            with pytest.raises(httpx.TransportError):
                client.get("/")
            proxy.switch("pass")
            assert client.get("/").status_code == 200
