"""A turn's events as a text/event-stream."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable

import anyio
import msgspec
from litestar.response import Stream

from app.chat.events import Answer, Event

MEDIA_TYPE = "text/event-stream"
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
KEEP_ALIVE_S = 15.0
KEEP_ALIVE = b": keep-alive\n\n"
STOP_TIMEOUT_S = 6


def encode(event: Event, id_: int) -> bytes:
    """One frame; JSON has no line ends of its own."""
    data = msgspec.json.encode(event)
    name = event.__struct_config__.tag
    return b"event: %b\nid: %d\ndata: %b\n\n" % (str(name).encode(), id_, data)


async def frames(
    events: AsyncGenerator[Event, None], on_end: Callable[[Answer], None], keep_alive_s: float = KEEP_ALIVE_S
) -> AsyncIterator[bytes]:
    """Encoded events, with a comment after every silence. Closing it closes `events`."""
    id_ = 0
    following = asyncio.ensure_future(anext(events))
    try:
        while True:
            if not (await asyncio.wait({following}, timeout=keep_alive_s))[0]:
                yield KEEP_ALIVE
                continue
            try:
                event = following.result()
            except StopAsyncIteration:
                return
            id_ += 1
            if isinstance(event, Answer):
                on_end(event)
            yield encode(event, id_)
            following = asyncio.ensure_future(anext(events))
    finally:
        following.cancel()
        with anyio.move_on_after(STOP_TIMEOUT_S, shield=True):
            await asyncio.gather(following, return_exceptions=True)
            await events.aclose()


def stream(events: AsyncGenerator[Event, None], *, on_end: Callable[[Answer], None]) -> Stream:
    return Stream(frames(events, on_end), media_type=MEDIA_TYPE, headers=HEADERS, status_code=200)
