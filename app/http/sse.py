"""A turn's events as a text/event-stream."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any, cast

import anyio
from litestar.openapi.datastructures import ResponseSpec
from litestar.response import Stream

from app.chat.event_log import Entry
from app.chat.events import Event

MEDIA_TYPE = "text/event-stream"
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
KEEP_ALIVE_S = 15.0
KEEP_ALIVE = b": keep-alive\n\n"
RETRY_MS = 2000
"""After which a browser's EventSource comes back for the rest."""
STOP_TIMEOUT_S = 6

EVENTS = {
    200: ResponseSpec(
        cast("Any", Event), description="Server-sent events, each with one of these", media_type=MEDIA_TYPE
    )
}
"""Of a route that answers with a stream, for its description."""

OnEnd = Callable[[Entry], None]


def frame(entry: Entry) -> bytes:
    """The same for whoever reads it; JSON has no line ends of its own."""
    retry = b"retry: %d\n" % RETRY_MS if entry.id == 1 else b""
    return b"event: %b\nid: %d\n%bdata: %b\n\n" % (entry.type.encode(), entry.id, retry, entry.body)


async def frames(entries: AsyncGenerator[Entry, None], on_end: OnEnd) -> AsyncIterator[bytes]:
    """With a comment after every silence. Closing it closes `entries`."""
    following = asyncio.ensure_future(anext(entries))
    try:
        while True:
            if not (await asyncio.wait({following}, timeout=KEEP_ALIVE_S))[0]:
                yield KEEP_ALIVE
                continue
            try:
                entry = following.result()
            except StopAsyncIteration:
                return
            if entry.is_last:
                on_end(entry)
            yield frame(entry)
            following = asyncio.ensure_future(anext(entries))
    finally:
        following.cancel()
        with anyio.move_on_after(STOP_TIMEOUT_S, shield=True):
            await asyncio.gather(following, return_exceptions=True)
            await entries.aclose()


def stream(entries: AsyncGenerator[Entry, None], *, on_end: OnEnd, headers: dict[str, str] | None = None) -> Stream:
    return Stream(frames(entries, on_end), media_type=MEDIA_TYPE, headers=HEADERS | (headers or {}), status_code=200)
