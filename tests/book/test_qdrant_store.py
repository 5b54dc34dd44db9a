"""What only a server has: a network, other clients, a key."""

import asyncio
import math
import re
import time

import numpy as np
import pytest
import stamina
import structlog
from qdrant_client import models

from app.book import qdrant_lease
from app.book.bm25 import SparseVector
from app.book.qdrant_lease import Lease
from app.book.qdrant_store import QdrantStore, open_client
from app.book.qdrant_writer import QdrantWriter, roll_back
from app.book.vector_store import FILTERED_FIELDS, Filters, IndexIdentity
from app.errors import (
    CollectionMissingError,
    ConfigurationError,
    IndexLockedError,
    IndexMismatchError,
    VectorStoreRefusedError,
    VectorStoreUnauthorizedError,
    VectorStoreUnavailableError,
)
from app.settings import Secret, Settings
from tests.book.points import IDENTITY, point, write
from tests.fakes.loopback import HOST, bind, port_of
from tests.fakes.qdrant import FakeQdrant, Fault, Seen

COLLECTION = Settings().qdrant_collection
SEARCH_PATH = f"/collections/{COLLECTION}/points/query/batch"
DEADLINE_S = 1.5
LATE_S = 2.9
"""Less than two attempts as long as the deadline: after the connection that was dropped there are two more."""


@pytest.fixture(autouse=True)
def retries_at_once():
    """As many as the settings say, without the waiting between them."""
    with stamina.set_testing(True, attempts=10, cap=True):
        yield


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
            (Fault(status=429), VectorStoreUnavailableError, 3),
            (Fault(status=429, headers={"Retry-After": "1"}), VectorStoreUnavailableError, 3),
            (Fault(status=400), VectorStoreRefusedError, 1),
            (Fault(status=401), VectorStoreUnauthorizedError, 1),
            (Fault(status=403), VectorStoreUnauthorizedError, 1),
            (Fault(status=404), CollectionMissingError, 1),
            (Fault(status=404, body="<html>nothing here</html>"), VectorStoreUnavailableError, 1),
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

    async def test_tell_the_server_s_retry_after_at_once_where_it_is_too_late_to_try_again(self, qdrant, store):
        qdrant.faults.append(Fault(times=math.inf, status=429, headers={"Retry-After": "7"}))
        with pytest.raises(VectorStoreUnavailableError) as failure:
            await search(store)
        assert failure.value.retry_after_s == 7
        assert len(qdrant.seen) == 1

    async def test_are_tried_again_when_the_server_says_and_not_before(self, qdrant, store):
        qdrant.faults.append(Fault(status=429, headers={"Retry-After": "1"}))
        with stamina.set_testing(False):
            started = time.monotonic()
            assert await search(store) == [0]
        assert time.monotonic() - started >= 1
        assert len(qdrant.seen) == 2

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
    async def test_is_made_once_with_indexes_for_what_is_filtered(self, qdrant, client, settings):
        writer = QdrantWriter(client, settings, IDENTITY)
        assert [await writer.ensure_collection(), await writer.ensure_collection()] == [True, False]
        schema = (await client.get_collection(COLLECTION)).payload_schema
        assert {name: index.data_type for name, index in schema.items()} == dict.fromkeys(
            FILTERED_FIELDS, models.PayloadSchemaType.KEYWORD
        )
        [physical] = (await client.get_collections()).collections
        assert re.fullmatch(rf"{COLLECTION}--\d{{8}}T\d{{6}}-[0-9a-f]{{8}}", physical.name)

    async def test_has_token_vectors_without_a_graph_in_half_precision(self, client, settings):
        await QdrantWriter(client, settings, IDENTITY).ensure_collection()
        vectors = (await client.get_collection(COLLECTION)).config.params.vectors
        assert vectors["tokens"].multivector_config.comparator == models.MultiVectorComparator.MAX_SIM
        assert (vectors["tokens"].size, vectors["tokens"].datatype) == (2, models.Datatype.FLOAT16)
        assert (vectors["tokens"].hnsw_config.m, vectors["tokens"].on_disk) == (0, True)

    async def test_keeps_the_whole_identity(self, store, client):
        metadata = (await client.get_collection(COLLECTION)).config.metadata
        assert metadata["embedding"] == IDENTITY.embedding
        assert metadata["chunker"] == IDENTITY.chunker
        assert (metadata["published"], metadata["index_version"]) == (True, (await store.state()).version)

    async def test_of_another_model_is_not_written_to(self, qdrant, store, client, settings):
        with pytest.raises(IndexMismatchError, match=r"model@1 in the index and other@2 here"):
            await write(QdrantWriter(client, settings, IndexIdentity("other@2", 2)), [point(1)])
        assert await search(store) == [0]
        assert not [request for request in qdrant.seen if request.method == "PUT" and "points" in request.path]

    async def test_of_somebody_else_is_named_as_such(self, client, settings):
        await client.create_collection(COLLECTION, models.VectorParams(size=2, distance=models.Distance.COSINE))
        with pytest.raises(CollectionMissingError, match="set QDRANT_COLLECTION to another name"):
            await write(QdrantWriter(client, settings, IDENTITY), [point(0)])
        assert [one.name for one in (await client.get_collections()).collections] == [COLLECTION]

    @pytest.mark.parametrize("rebuild", [False, True])
    async def test_of_an_older_version_serves_on_and_is_told_to_be_left_for_a_new_name(self, client, settings, rebuild):
        await client.create_collection(
            COLLECTION,
            {"dense": models.VectorParams(size=2, distance=models.Distance.COSINE)},
            sparse_vectors_config={"bm25": models.SparseVectorParams(modifier=models.Modifier.IDF)},
            metadata={"embedding": "model@1", "index_version": "abc"},
        )
        with pytest.raises(ConfigurationError, match="Set QDRANT_COLLECTION to a new name, run `book-agent index`"):
            await write(QdrantWriter(client, settings, IDENTITY, rebuild=rebuild), [point(0)])
        assert (await QdrantStore(client, settings).state()).version == "abc"

    async def test_that_a_killed_writer_left_half_changed_gets_a_new_version_from_the_next(
        self, store, client, settings
    ):
        first = await store.state()
        async with QdrantWriter(client, settings, IDENTITY) as writer:
            await writer.upsert([point(1)])
        between = await store.state()
        last = await write(QdrantWriter(client, settings, IDENTITY), [])
        assert len({first.version, between.version, last.version}) == 3
        assert await write(QdrantWriter(client, settings, IDENTITY), []) == last

    async def test_whose_indexes_were_not_all_made_gets_them_when_it_is_gone_on_with(self, qdrant, client, settings):
        qdrant.faults.append(Fault("/index", times=math.inf, status=400))
        with pytest.raises(VectorStoreUnavailableError):
            await write(QdrantWriter(client, settings, IDENTITY), [point(0)])
        qdrant.faults.clear()
        await write(QdrantWriter(client, settings, IDENTITY), [point(0)])
        assert set((await client.get_collection(COLLECTION)).payload_schema) == set(FILTERED_FIELDS)

    async def test_whose_making_was_answered_too_late_is_there(self, qdrant, client, settings):
        qdrant.faults.append(Fault(f"/{COLLECTION}--2", times=1, status=503, after=True))
        assert (await write(QdrantWriter(client, settings, IDENTITY), [point(0)])).chunks == 1

    async def test_with_a_name_like_ours_that_is_not_ours_is_left_alone(self, store, client, settings):
        for name in (f"{COLLECTION}--mine", f"{COLLECTION}2--20260101T000000-0123abcd"):
            await client.create_collection(name, models.VectorParams(size=2, distance=models.Distance.COSINE))
        for _ in range(3):
            await write(QdrantWriter(client, settings, IDENTITY, rebuild=True), [point(0)])
        names = {one.name for one in (await client.get_collections()).collections}
        assert {f"{COLLECTION}--mine", f"{COLLECTION}2--20260101T000000-0123abcd"} < names
        assert len(names) == 4


class TestSwitching:
    async def test_is_one_request(self, qdrant, store, client, settings):
        await write(QdrantWriter(client, settings, IDENTITY, rebuild=True), [point(1)])
        assert [request.path for request in qdrant.seen].count("/collections/aliases") == 1

    async def test_that_was_not_noted_before_a_kill_is_as_good(self, qdrant, store, client, settings):
        """The collection serves, though it does not say that it was published."""
        async with QdrantWriter(client, settings, IDENTITY, rebuild=True) as writer:
            await writer.upsert([point(1)])
            qdrant.faults.append(Fault(f"/collections/{COLLECTION}--2", times=math.inf, status=400))
            with pytest.raises(VectorStoreUnavailableError):
                await writer.publish()
            qdrant.faults.clear()
        assert await search(store) == [1]
        await write(QdrantWriter(client, settings, IDENTITY, rebuild=True), [point(2)])
        assert await search(store) == [2]
        assert (await roll_back(client, settings)).chunks == 1
        assert await search(store) == [1]


class TestLease:
    LOCK = f"{COLLECTION}--lock"

    async def other(self, client, **changes) -> None:
        """Somebody else's lease."""
        now = time.time()
        held = {
            "token": "other",
            "user": "ann",
            "host": "farm",
            "machine": "m",
            "pid": 7,
            "since": now,
            "until": now + 60,
        }
        await client.create_collection(
            self.LOCK, models.VectorParams(size=1, distance=models.Distance.DOT), metadata=held | changes
        )

    async def test_of_another_says_who_since_when_and_for_how_long(self, client, settings):
        await self.other(client)
        with pytest.raises(IndexLockedError) as locked:
            await write(QdrantWriter(client, settings, IDENTITY), [point(0)])
        assert re.search(
            r"ann@farm, process 7 is indexing .* since \d\d:\d\d:\d\d; its lease ends in (59|60) s", locked.value.detail
        )
        assert [one.name for one in (await client.get_collections()).collections] == [self.LOCK]

    async def test_is_released_at_the_end_and_on_an_error(self, client, settings):
        writer = QdrantWriter(client, settings, IDENTITY)
        too_long = point(0)._replace(dense=np.ones((1, 3), np.float32))
        with pytest.raises(VectorStoreUnavailableError):
            await write(writer, [too_long])
        assert not await client.collection_exists(self.LOCK)
        async with QdrantWriter(client, settings, IDENTITY):
            assert await client.collection_exists(self.LOCK)
        assert not await client.collection_exists(self.LOCK)

    @pytest.mark.parametrize(
        "changes",
        [{"until": 1.0}, {"machine": qdrant_lease._machine(), "pid": 2**22 + 1}],
        ids=["that ran out", "of a process of this machine that is gone"],
    )
    async def test_of_a_dead_one_is_taken_over(self, client, settings, changes):
        await self.other(client, **changes)
        assert (await write(QdrantWriter(client, settings, IDENTITY), [point(0)])).chunks == 1

    async def test_of_a_dead_one_is_taken_over_by_one_of_two(self, client, settings, monkeypatch):
        monkeypatch.setattr(qdrant_lease, "TAKEOVER_PAUSE", 0.5 / settings.qdrant_timeout_s)
        await self.other(client, until=1.0)
        entered = []

        async def take() -> None:
            async with Lease(client, settings) as lease:
                lease.check()
                entered.append(lease)
                await asyncio.sleep(1)

        ended = await asyncio.gather(take(), take(), return_exceptions=True)
        assert len(entered) == 1
        assert [type(one) for one in ended if one] == [IndexLockedError]

    async def test_of_a_dead_one_is_not_dropped_once_another_one_has_it(self, client, settings, monkeypatch):
        monkeypatch.setattr(qdrant_lease, "TAKEOVER_PAUSE", 0.5 / settings.qdrant_timeout_s)
        await self.other(client, until=1.0)
        first, second = Lease(client, settings), Lease(client, settings)
        look = second._holder

        async def look_slowly():
            found = await look()
            await asyncio.sleep(0.1)
            return found

        second._holder = look_slowly
        ended = await asyncio.gather(first.__aenter__(), second.__aenter__(), return_exceptions=True)
        assert [type(one) for one in ended] == [Lease, IndexLockedError]
        await first.__aexit__(None, None, None)

    async def test_is_prolonged_while_the_work_lasts(self, client, settings, monkeypatch):
        monkeypatch.setattr(qdrant_lease, "LEASE_S", 0.6)
        monkeypatch.setattr(qdrant_lease, "PROLONG_EVERY_S", 0.1)
        async with Lease(client, settings) as lease:
            await asyncio.sleep(1.5)
            lease.check()

    async def test_that_is_lost_stops_the_work_before_the_next_write(self, client, settings, monkeypatch):
        monkeypatch.setattr(qdrant_lease, "PROLONG_EVERY_S", 1.0)  # not between the next three
        async with QdrantWriter(client, settings, IDENTITY) as writer:
            await writer.upsert([point(0)])
            await client.delete_collection(self.LOCK)
            await self.other(client)
            await asyncio.sleep(1.5)
            with pytest.raises(IndexLockedError, match="ann@farm, process 7 took it"):
                await writer.upsert([point(1)])
            with pytest.raises(IndexLockedError):
                await writer.publish()
        assert await client.collection_exists(self.LOCK), "the other's lease was removed"

    async def test_that_could_not_be_prolonged_stops_the_work(self, client, settings, monkeypatch):
        monkeypatch.setattr(qdrant_lease, "LEASE_S", 0.05)
        async with QdrantWriter(client, settings, IDENTITY) as writer:
            await asyncio.sleep(0.1)
            with pytest.raises(IndexLockedError, match="could not be prolonged"):
                await writer.upsert([point(0)])

    async def test_whose_making_was_answered_too_late_is_ours(self, qdrant, client, settings):
        """The server made it, and the retry is told that it is there."""
        qdrant.faults.append(Fault(self.LOCK, times=1, status=503, after=True))
        assert (await write(QdrantWriter(client, settings, IDENTITY), [point(0)])).chunks == 1
