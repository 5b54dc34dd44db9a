"""How many requests an address may make."""

import math
import time

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from app.errors import RateLimitedError
from app.http.observation import observation_of

UNKNOWN_ADDRESS = "unknown"


class RequestLimit:
    """Counts in this process."""

    def __init__(self, per_minute: int) -> None:
        self._item = RateLimitItemPerMinute(per_minute) if per_minute else None
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def admit(self, address: str) -> tuple[bool, dict[str, str]]:
        """Whether the request may go on, and the headers that tell the client how things stand."""
        if self._item is None:
            return True, {}
        admitted = await self._limiter.hit(self._item, address)
        window = await self._limiter.get_window_stats(self._item, address)
        reset_s = max(0, math.floor(window.reset_time - time.time())) + 1
        return admitted, {
            "RateLimit-Limit": str(self._item.amount),
            "RateLimit-Remaining": str(max(0, window.remaining)),
            "RateLimit-Reset": str(reset_s),
        }


async def limit_requests(connection: ASGIConnection, _handler: BaseRouteHandler) -> None:  # type: ignore[type-arg]
    """A guard: it runs before the handler, and so before a stream begins. Raises RateLimitedError."""
    client = connection.client
    limit: RequestLimit = connection.app.state.request_limit
    admitted, headers = await limit.admit(client.host if client else UNKNOWN_ADDRESS)
    observation_of(connection.scope).headers.update(headers)
    if not admitted:
        raise RateLimitedError(retry_after_s=int(headers["RateLimit-Reset"]))
