"""A stream read as its client would read it: by frames, and as far as one likes."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

Json = dict[str, Any]


class Frames:
    """Of one response; comments are left out."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.raw: list[bytes] = []
        self._chunks = response.aiter_raw()
        self._held = b""

    @property
    def last_id(self) -> int:
        return id_of(self.raw[-1])

    async def until(self, name: str, times: int = 1) -> Json:
        """Reads on; the data of the event of this name, the first or a later one."""
        seen = 0
        while frame := await self.following():
            seen += f"event: {name}\n".encode() in frame
            if seen == times:
                return data_of(frame)
        raise AssertionError(f"the stream ended without {name}: {self.raw}")

    async def all(self) -> bytes:
        while await self.following():
            pass
        return b"".join(self.raw)

    async def following(self) -> bytes | None:
        while True:
            frame, end, rest = self._held.partition(b"\n\n")
            if end:
                self._held = rest
                if frame.startswith(b":"):
                    continue
                self.raw.append(frame + end)
                return frame
            try:
                self._held += await anext(self._chunks)
            except StopAsyncIteration:
                return None


def data_of(frame: bytes) -> Json:
    line = next(line for line in frame.splitlines() if line.startswith(b"data: "))
    data: Json = json.loads(line.removeprefix(b"data: "))
    return data


def id_of(frame: bytes) -> int:
    line = next(line for line in frame.splitlines() if line.startswith(b"id: "))
    return int(line.removeprefix(b"id: "))


@asynccontextmanager
async def asking(
    client: httpx.AsyncClient, content: str, headers: dict[str, str] | None = None, **fields: Any
) -> AsyncIterator[Frames]:
    body = {"content": content, **fields}
    async with client.stream("POST", "/api/v1/chat/stream", json=body, headers=headers) as response:
        assert response.status_code == 200, await response.aread()
        yield Frames(response)


@asynccontextmanager
async def resuming(client: httpx.AsyncClient, turn_id: str, after: int = 0) -> AsyncIterator[Frames]:
    headers = {"Last-Event-ID": str(after)} if after else {}
    async with client.stream("GET", f"/api/v1/turns/{turn_id}/events", headers=headers) as response:
        assert response.status_code == 200, await response.aread()
        yield Frames(response)
