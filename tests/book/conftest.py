"""A Qdrant server, and what may be wrong on the way to it."""

import httpx
import pytest

from tests.fakes.loopback import serve
from tests.fakes.proxy import FaultProxy
from tests.fakes.qdrant import FakeQdrant


@pytest.fixture
def qdrant() -> FakeQdrant:
    return FakeQdrant()


@pytest.fixture
async def proxy(qdrant):
    async with serve(qdrant.app) as url, FaultProxy(httpx.URL(url).port) as proxy:
        yield proxy
