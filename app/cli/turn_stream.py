"""A turn's events from a running server, read on where a connection broke off."""

import contextlib
import time
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import httpx
import msgspec
from httpx_sse import EventSource, ServerSentEvent, connect_sse

from app.chat.event_log import LAST
from app.cli.responses import check
from app.errors import UnavailableError

ATTEMPTS = 6
"""In a row without an event."""
WAIT_S = 1.0


class TurnStream:
    """The same key makes a question that is asked again the same turn."""

    def __init__(self, server: httpx.Client, body: dict[str, Any]) -> None:
        self._server = server
        self._body = body
        self._key = {"Idempotency-Key": uuid.uuid4().hex}
        self._turn_id: str | None = None
        self.conversation_id: str | None = None
        self._last_id = "0"

    def events(self) -> Iterator[dict[str, Any]]:
        """Their data, up to the last. Raises httpx.HTTPError when the server does not come back."""
        left = ATTEMPTS
        while True:
            left -= 1
            try:
                for event in self._read():
                    left = ATTEMPTS
                    yield self._noted(event)
                    if event.event in LAST:
                        return
            except (httpx.TransportError, UnavailableError):
                if not left or self._turn_id is None:
                    raise
            else:
                if not left:
                    raise httpx.RemoteProtocolError("the stream has no end")
            time.sleep(WAIT_S)

    def cancel(self) -> None:
        with contextlib.suppress(httpx.HTTPError):
            if self._turn_id is not None:
                self._server.post(f"/api/v1/turns/{self._turn_id}/cancel")

    def _read(self) -> Iterator[ServerSentEvent]:
        with self._connection() as source:
            check(source.response)
            yield from source.iter_sse()

    def _connection(self) -> AbstractContextManager[EventSource]:
        if self._turn_id is None:
            return connect_sse(self._server, "POST", "/api/v1/chat/stream", json=self._body, headers=self._key)
        headers = {"Last-Event-ID": self._last_id}
        return connect_sse(self._server, "GET", f"/api/v1/turns/{self._turn_id}/events", headers=headers)

    def _noted(self, event: ServerSentEvent) -> dict[str, Any]:
        told: dict[str, Any] = msgspec.json.decode(event.data)
        self._turn_id = self._turn_id or told.get("turn_id")
        self.conversation_id = self.conversation_id or told.get("conversation_id")
        self._last_id = event.id
        return told
