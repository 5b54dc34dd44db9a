"""Of a thousand turns, however they went, nothing is left but what they were asked for."""

import asyncio
import gc
import linecache
import logging
import sys
from random import Random

import pytest
from _pytest.logging import LogCaptureHandler

from app.chat import presence
from app.settings import Secret
from tests.http.holdings import Holdings, descriptors, holdings
from tests.traffic.clients import Clients
from tests.traffic.ledger import Ledger
from tests.traffic.model import Moody

TURNS = 500
"""With each setting."""
AT_ONCE = 10
SETTLED_WITHIN_S = 40
DROPS = 0.05
"""So often a visit meets lost database connections."""
BLOCKS_A_TURN = 20
"""Of memory, that may stay: a turn that is kept has more than a thousand."""
DESCRIPTORS = 15
"""Idle connections that are kept, to the database and the model: pools' sizes."""


@pytest.fixture(params=["cancel", "continue"])
async def client(request, proxied_url, replica, caplog):
    caplog.set_level(logging.CRITICAL, "psycopg")  # what it warns of has errors in it, with their frames
    given = {"database_url": Secret(proxied_url), "database_timeout_s": 2.0, "search_cache_s": 0.0}
    model = Moody(seed=1, pace_s=0.005, stall_s=30.0)
    return await replica(model, disconnect=request.param, disconnect_grace_s=0.2, model_timeout_s=0.5, **given)


class Traffic:
    def __init__(self, client, proxy) -> None:
        self.ledger = Ledger()
        self._random = Random(1)
        self._clients = Clients([client], self.ledger, self._random, patience_s=30)
        self._proxy = proxy

    async def run(self, turns: int) -> None:
        left = iter(range(turns))
        await asyncio.gather(*(self._visit_again(left) for _ in range(AT_ONCE)))

    def check(self) -> None:
        """What clients were told, which is forgotten then."""
        assert self.ledger.unexpected == []
        assert [visit for visit in self.ledger.visits if visit.is_stuck] == []
        assert [told for told in self.ledger.turns.values() if told.is_wrong] == []
        assert [turns for turns in self.ledger.keys.values() if len(turns) > 1] == []
        self.ledger.forget()

    async def _visit_again(self, left) -> None:
        for _ in left:
            visit = self._clients.visit(self._random.choice(list(self._clients.kinds)))
            dropping = asyncio.create_task(self._drop()) if self._random.random() < DROPS else None
            await visit
            if dropping:
                await dropping

    async def _drop(self) -> None:
        await asyncio.sleep(self._random.uniform(0, 0.2))
        self._proxy.drop_all()


def forget_records() -> None:
    """Pytest's handlers keep what was logged, and its errors the frames that they passed through."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, LogCaptureHandler):
            handler.reset()


async def settled(resources, provider, wanted: Holdings) -> Holdings:
    """As soon as it is what is wanted, or after some time."""
    forget_records()
    deadline = asyncio.get_running_loop().time() + SETTLED_WITHIN_S
    while (found := await holdings(resources, provider)) != wanted:
        if asyncio.get_running_loop().time() > deadline:
            break
        await asyncio.sleep(0.1)
        forget_records()
    return found


def blocks(embedder) -> int:
    """Without what is remembered on purpose."""
    embedder._queries._kept.clear()
    linecache.clearcache()  # the source of what an error passed through
    forget_records()
    gc.collect()
    return sys.getallocatedblocks()


@pytest.fixture
def soon(monkeypatch):
    """A turn that nobody answers is given up after a second."""
    monkeypatch.setattr(presence, "BEAT_S", 0.2)
    monkeypatch.setattr(presence, "SILENT_S", 1.0)


@pytest.mark.long
@pytest.mark.timeout(240)
async def test_turns_leave_nothing_behind(soon, client, embedder, postgres_proxy):
    resources, provider = client.app.state.resources, client.provider
    traffic = Traffic(client, postgres_proxy)
    nothing = Holdings(tasks=(await holdings(resources, provider)).tasks)
    kept = []
    for _ in range(2):
        await traffic.run(TURNS // 2)
        assert (await settled(resources, provider, nothing))._asdict() == nothing._asdict()
        traffic.check()
        provider.requests.clear()
        kept.append((blocks(embedder), descriptors()))
    (blocks_before, descriptors_before), (blocks_after, descriptors_after) = kept
    assert blocks_after < blocks_before + BLOCKS_A_TURN * TURNS / 2
    assert descriptors_after < descriptors_before + DESCRIPTORS
