"""Qdrant behind a circuit breaker, over real connections."""

import asyncio
import math

import msgspec
import pytest
import stamina

from app import breaker as breakers
from app.book.bm25 import SparseVector
from app.book.guarded_store import GuardedStore
from app.book.qdrant_store import QdrantStore, open_client
from app.book.qdrant_writer import QdrantWriter
from app.breaker import FAILURES
from app.errors import CollectionMissingError, VectorStoreUnauthorizedError, VectorStoreUnavailableError
from app.settings import Settings
from tests.book.points import IDENTITY, point, write
from tests.fakes.qdrant import Fault

TIMEOUT_S = 0.5
OPEN_S = 0.2


@pytest.fixture(autouse=True)
def short_times(monkeypatch):
    """Of a breaker's rest, and between attempts."""
    monkeypatch.setattr(breakers, "FIRST_OPEN_S", OPEN_S)
    with stamina.set_testing(True, attempts=10, cap=True):
        yield


@pytest.fixture
async def store(qdrant, proxy):
    """With one point in it."""
    settings = Settings(qdrant_cluster_endpoint=proxy.url)
    client = open_client(settings)
    await write(QdrantWriter(client, settings, IDENTITY), [point(0)])
    await client.close()
    qdrant.seen.clear()
    hasty = msgspec.structs.replace(settings, qdrant_timeout_s=TIMEOUT_S)
    store = GuardedStore(QdrantStore(open_client(hasty), hasty))
    yield store
    await store.close()


async def search(store) -> int:
    return len((await store.search([1.0, 0.0], SparseVector([1], [1.0]), limit=5)).dense)


CALLS = {
    "state": GuardedStore.state,
    "version": GuardedStore.version,
    "search": search,
    "best_matches": lambda store: store.best_matches(point(0).tokens, [point(0).id]),
    "sections": lambda store: store.sections(["a"]),
}


async def fail(call, times: int = FAILURES) -> VectorStoreUnavailableError:
    """The last of so many failures in a row."""
    for _ in range(times):
        with pytest.raises(VectorStoreUnavailableError) as failure:
            await call()
    return failure.value


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_a_store_that_keeps_failing_is_not_connected_to_any_more(proxy, store, call):
    proxy.switch("refuse")
    proxy.drop_all()
    await fail(lambda: call(store))
    assert store.breaker.is_open
    accepted = proxy.accepted
    for each in CALLS.values():
        refusal = await fail(lambda each=each: each(store), times=1)
        assert "resting after failures" in refusal.detail
        assert refusal.retry_after_s == 1
    assert proxy.accepted == accepted


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=500, times=math.inf),
        Fault(status=429, times=math.inf),
        Fault(status=429, times=math.inf, headers={"Retry-After": "7"}),
        Fault(body="<html>maintenance</html>", times=math.inf),
        Fault(delay_s=30, times=math.inf),
    ],
    ids=["500", "429", "429 and when to come back", "a proxy's page", "silence"],
)
async def test_a_server_that_does_not_do_its_work_fails(qdrant, store, fault):
    qdrant.faults.append(fault)
    await fail(lambda: search(store))
    assert store.breaker.is_open


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, VectorStoreUnavailableError), (401, VectorStoreUnauthorizedError), (404, CollectionMissingError)],
)
async def test_a_server_that_refuses_is_there(qdrant, store, status, error):
    qdrant.faults.append(Fault(status=status, times=math.inf))
    assert isinstance(await fail(lambda: search(store), FAILURES * 2), error)
    assert not store.breaker.is_open


async def test_a_probe_brings_it_back(proxy, store):
    proxy.switch("refuse")
    proxy.drop_all()
    await fail(lambda: search(store))
    proxy.switch("pass")
    await asyncio.sleep(OPEN_S)
    assert await search(store) == 1
    assert not store.breaker.is_open


async def test_of_many_calls_at_once_one_probes(proxy, store):
    proxy.switch("blackhole")
    proxy.drop_all()
    await fail(lambda: search(store))
    await asyncio.sleep(OPEN_S)
    accepted = proxy.accepted
    refused = await asyncio.gather(*(search(store) for _ in range(20)), return_exceptions=True)
    assert all(isinstance(each, VectorStoreUnavailableError) for each in refused)
    assert proxy.accepted == accepted + 1
