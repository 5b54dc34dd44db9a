"""What only a server has: a network, other clients, a key."""

import asyncio
import math

import httpx
import pytest
import stamina
import structlog
from qdrant_client import models

from app.book.bm25 import SparseVector
from app.book.qdrant_store import QdrantStore, QdrantWriter, open_client
from app.book.vector_store import Filters, IndexIdentity
from app.errors import (
    CollectionMissingError,
    IndexMismatchError,
    VectorStoreUnauthorizedError,
    VectorStoreUnavailableError,
)
from app.settings import Secret, Settings
from tests.book.points import IDENTITY, point, write
from tests.fakes.loopback import HOST, bind, port_of, serve
from tests.fakes.proxy import FaultProxy
from tests.fakes.qdrant import FakeQdrant, Fault, Seen

COLLECTION = Settings().qdrant_collection
SEARCH_PATH = f"/collections/{COLLECTION}/points/query/batch"
DEADLINE_S = 1.0
LATE_S = 1.9
"""Less than two attempts of a second each: after the connection that was dropped there are two more."""


@pytest.fixture(autouse=True)
def retries_at_once():
    """As many as the settings say, without the waiting between them."""
    with stamina.set_testing(True, attempts=10, cap=True):
        yield


@pytest.fixture
def qdrant() -> FakeQdrant:
    return FakeQdrant()


@pytest.fixture
async def proxy(qdrant):
    async with serve(qdrant.app) as url, FaultProxy(httpx.URL(url).port) as proxy:
        yield proxy


@pytest.fixture
def settings(proxy) -> Settings:
    return Settings(qdrant_cluster_endpoint=proxy.url, qdrant_timeout_s=DEADLINE_S)


@pytest.fixture
async def client(settings):
    client = open_client(settings)
    yield client
    await client.close()


@pytest.fixture
async def store(qdrant, client, settings) -> QdrantStore:
    """With one point in it."""
    await write(QdrantWriter(client, settings, IDENTITY), [point(0)])
    qdrant.seen.clear()
    return QdrantStore(client, settings)


async def search(store: QdrantStore, **options) -> list[int]:
    legs = await store.search([1.0, 0.0], SparseVector([1], [1.0]), limit=5, **options)
    return [hit.payload["number"] for hit in legs.dense]


class TestSearch:
    async def test_asks_for_both_legs_in_one_request(self, qdrant, store):
        assert await search(store) == [0]
        assert qdrant.seen == [Seen("POST", SEARCH_PATH)]

    async def test_keeps_its_connection(self, proxy, store):
        for _ in range(3):
            await search(store)
        assert proxy.accepted == 1


class TestFaults:
    @pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
    async def test_that_pass_are_not_seen(self, qdrant, store, status):
        qdrant.faults.append(Fault(SEARCH_PATH, times=2, status=status, headers={"Retry-After": "1"}))
        assert await search(store) == [0]
        assert len(qdrant.seen) == 3

    @pytest.mark.parametrize(
        ("fault", "expected", "attempts"),
        [
            (Fault(status=503), VectorStoreUnavailableError, 3),
            (Fault(status=429, headers={"Retry-After": "7"}), VectorStoreUnavailableError, 3),
            (Fault(status=400), VectorStoreUnavailableError, 1),
            (Fault(status=401), VectorStoreUnauthorizedError, 1),
            (Fault(status=403), VectorStoreUnauthorizedError, 1),
            (Fault(status=404), CollectionMissingError, 1),
            (Fault(body='{"result": [{"poi'), VectorStoreUnavailableError, 1),
            (Fault(body="<html>maintenance</html>"), VectorStoreUnavailableError, 1),
            (Fault(body='{"result": "of another shape"}'), VectorStoreUnavailableError, 1),
            (Fault(status=502, body="<html>bad gateway</html>"), VectorStoreUnavailableError, 3),
        ],
        ids=lambda value: f"{value.status or 200} {value.body or ''}" if isinstance(value, Fault) else None,
    )
    async def test_that_stay_are_an_error_after_the_attempts_that_make_sense(
        self, qdrant, store, fault, expected, attempts
    ):
        fault.times = math.inf
        qdrant.faults.append(fault)
        with pytest.raises(VectorStoreUnavailableError) as failure:
            await search(store)
        assert type(failure.value) is expected
        assert len(qdrant.seen) == attempts

    async def test_tell_the_server_s_retry_after(self, qdrant, store):
        qdrant.faults.append(Fault(times=math.inf, status=429, headers={"Retry-After": "7"}))
        with pytest.raises(VectorStoreUnavailableError) as failure:
            await search(store)
        assert failure.value.retry_after_s == 7

    @pytest.mark.parametrize(
        ("mode", "options"),
        [("refuse", {}), ("cut", {"cut_after": 20}), ("blackhole", {}), ("delay", {"delay_s": 30})],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    async def test_of_the_network_are_an_error_within_the_deadline_and_pass(self, proxy, store, mode, options):
        await search(store)
        proxy.drop_all()
        proxy.switch(mode, **options)
        async with asyncio.timeout(LATE_S):
            with pytest.raises(VectorStoreUnavailableError):
                await search(store)
        proxy.switch("pass")
        assert await search(store) == [0]

    async def test_of_a_connection_that_the_server_dropped_are_not_seen(self, proxy, store):
        await search(store)
        proxy.drop_all()
        assert await search(store) == [0]

    async def test_a_late_answer_within_the_deadline_is_an_answer(self, proxy, store):
        proxy.switch("delay", delay_s=0.2)
        assert await search(store) == [0]

    async def test_a_port_where_nobody_listens_is_an_error(self):
        with bind() as nobody:
            settings = Settings(qdrant_cluster_endpoint=f"http://{HOST}:{port_of(nobody)}")
            client = open_client(settings)
            with pytest.raises(VectorStoreUnavailableError):
                await QdrantStore(client, settings).state()
            await client.close()

    async def test_are_logged_without_what_was_asked(self, qdrant, store, caplog, capsys):
        caplog.set_level("DEBUG")
        qdrant.faults.append(Fault(times=math.inf, status=503))
        with structlog.testing.capture_logs() as entries, pytest.raises(VectorStoreUnavailableError):
            await search(store, filters=Filters(section="a private question"))
        logged = f"{entries} {caplog.text} {capsys.readouterr()}"
        assert "retry_scheduled" in logged
        assert "private" not in logged


@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")
class TestKey:
    @pytest.fixture
    def qdrant(self):
        return FakeQdrant(api_key="right")

    @pytest.fixture
    def settings(self, proxy, request):
        return Settings(qdrant_cluster_endpoint=proxy.url, qdrant_api_key=Secret(request.param))

    @pytest.mark.parametrize("settings", ["right"], indirect=True)
    async def test_that_is_right_is_sent(self, store):
        assert await search(store) == [0]

    @pytest.mark.parametrize("settings", ["wrong", ""], indirect=True)
    async def test_that_is_refused_is_named_after_one_attempt(self, qdrant, client, settings):
        with pytest.raises(VectorStoreUnauthorizedError) as refusal:
            await QdrantStore(client, settings).state()
        assert len(qdrant.seen) == 1
        assert (refusal.value.detail, refusal.value.hint) == ("Qdrant refused the API key.", "Check QDRANT_API_KEY.")


class TestCollection:
    async def test_is_made_once_with_indexes_for_what_is_filtered(self, client, settings):
        writer = QdrantWriter(client, settings, IDENTITY)
        assert [await writer.ensure_collection(), await writer.ensure_collection()] == [True, False]
        schema = (await client.get_collection(COLLECTION)).payload_schema
        assert {name: index.data_type for name, index in schema.items()} == {
            "source": models.PayloadSchemaType.KEYWORD,
            "heading_path": models.PayloadSchemaType.KEYWORD,
        }

    async def test_may_be_made_by_two_indexers_at_once(self, qdrant, client, settings):
        qdrant.faults.append(Fault("/exists", times=2, delay_s=0.1))
        writers = [QdrantWriter(client, settings, IDENTITY) for _ in range(2)]
        assert sorted(await asyncio.gather(*(writer.ensure_collection() for writer in writers))) == [False, True]

    async def test_of_another_model_is_not_written_to(self, qdrant, store, client, settings):
        with pytest.raises(IndexMismatchError, match=r"model@1 in the index and other@2 here"):
            await write(QdrantWriter(client, settings, IndexIdentity("other@2", 2)), [point(1)])
        assert await search(store) == [0]
        assert "PUT" not in {request.method for request in qdrant.seen}

    async def test_of_somebody_else_is_named_as_such(self, client, settings):
        await client.create_collection(COLLECTION, models.VectorParams(size=2, distance=models.Distance.COSINE))
        with pytest.raises(CollectionMissingError, match="set QDRANT_COLLECTION to another name"):
            await write(QdrantWriter(client, settings, IDENTITY), [point(0)])
