"""Clients as they are: they read to the end, leave, cancel, lose their connection and come back, ask twice."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from random import Random
from typing import Any

import httpx

from tests.http.streams import Frames, data_of, id_of
from tests.traffic.ledger import Ledger, Visit

QUESTIONS = (
    "What is a stilling well?",
    "What is a tide?",
    "How large is the mean range in the Bay of Fundy?",
    "When do neap tides come?",
)
AGAIN_S = 0.2
"""Before the next try where a server is away."""
FIRST_FRAMES = 6
"""A client that leaves or is cut has read at most so many."""


@dataclass
class Reading:
    """Where a client is in a turn, over all its connections."""

    turn_id: str | None = None
    last_id: int = 0
    has_ended: bool = False


class Clients:
    """All clients of some servers; `patience_s`: who has waited longer is stuck."""

    def __init__(self, servers: Sequence[httpx.AsyncClient], ledger: Ledger, random: Random, patience_s: float) -> None:
        self._servers = servers
        self._ledger = ledger
        self._random = random
        self._patience_s = patience_s
        self._number = 0
        self.kinds: Mapping[str, Callable[[Visit], Awaitable[None]]] = {
            "whole stream": self.read_whole,
            "JSON": self.ask_for_json,
            "leaves": self.leave,
            "cancels": self.cancel,
            "comes back": self.come_back,
            "asks twice": self.ask_twice,
        }

    async def visit(self, kind: str) -> None:
        with self._ledger.visit(kind) as visit:
            async with asyncio.timeout(self._patience_s):
                await self.kinds[kind](visit)

    async def read_whole(self, visit: Visit) -> None:
        await self._read_to_the_end(await self._ask(visit))

    async def come_back(self, visit: Visit) -> None:
        await self._read_to_the_end(await self._ask(visit, most=self._some_frames()))

    async def leave(self, visit: Visit) -> None:
        if self._random.random() < 0.5:
            await self._ask(visit, most=self._some_frames())
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(self._random.uniform(0, 0.3)):
                await self.ask_for_json(visit)

    async def cancel(self, visit: Visit) -> None:
        reading = await self._ask(visit, most=self._some_frames())
        if reading.turn_id is None:
            return
        with suppress(httpx.HTTPError):
            await self._server().post(f"/api/v1/turns/{reading.turn_id}/cancel")
        await self._read_to_the_end(reading)

    async def ask_for_json(self, visit: Visit) -> None:
        await self._post(visit, self._question())

    async def ask_twice(self, visit: Visit) -> None:
        """At once, and again afterwards; as a stream and as JSON."""
        body, key = self._question(), f"key-{self._number}"
        stream, *_ = await asyncio.gather(
            self._ask(visit, body, key), self._post(visit, body, key), self._post(visit, body, key)
        )
        await self._read_to_the_end(stream)
        await self._post(visit, body, key)

    async def read_again(self, turn_id: str, server: httpx.AsyncClient) -> None:
        """All of a turn that has ended."""
        await self._read(Reading(turn_id), server.stream("GET", f"/api/v1/turns/{turn_id}/events"))

    def _question(self) -> dict[str, str]:
        """Each has a number of its own, by which a model knows it again."""
        self._number += 1
        return {"content": f"{self._random.choice(QUESTIONS)} (#{self._number})"}

    def _some_frames(self) -> int:
        return self._random.randint(1, FIRST_FRAMES)

    def _server(self) -> httpx.AsyncClient:
        return self._random.choice(self._servers)

    async def _post(self, visit: Visit, body: dict[str, str], key: str | None = None) -> None:
        """Nothing is promised by an answer that does not come, or is a problem."""
        try:
            response = await self._server().post("/api/v1/chat", json=body, headers=_with_key(key))
        except httpx.HTTPError:
            return
        if response.status_code == HTTPStatus.OK:
            answer = response.json()
            visit.turn_id = answer["turn_id"]
            self._ledger.of(answer["turn_id"], key).hear_end(answer)
        elif response.status_code != HTTPStatus.SERVICE_UNAVAILABLE:
            self._ledger.unexpected.append(f"{response.status_code} {response.text}")

    async def _ask(
        self, visit: Visit, body: dict[str, str] | None = None, key: str | None = None, most: int | None = None
    ) -> Reading:
        reading = Reading()
        body = body or self._question()
        asking = self._server().stream("POST", "/api/v1/chat/stream", json=body, headers=_with_key(key))
        await self._read(reading, asking, most, key)
        visit.turn_id = reading.turn_id
        return reading

    async def _read_to_the_end(self, reading: Reading) -> None:
        """On one server after the other; a turn that did not begin has no end."""
        while reading.turn_id is not None and not reading.has_ended:
            headers = {"Last-Event-ID": str(reading.last_id)}
            events = self._server().stream("GET", f"/api/v1/turns/{reading.turn_id}/events", headers=headers)
            await self._read(reading, events)
            if not reading.has_ended:
                await asyncio.sleep(AGAIN_S)

    async def _read(self, reading: Reading, opening: Any, most: int | None = None, key: str | None = None) -> None:
        """As far as the connection carries, and at most so many frames."""
        with suppress(httpx.HTTPError):
            async with opening as response:
                if response.status_code == HTTPStatus.OK:
                    await self._hear(reading, Frames(response), most, key)
                else:
                    self._note_status(reading, response.status_code)

    async def _hear(self, reading: Reading, frames: Frames, most: int | None, key: str | None) -> None:
        while not reading.has_ended and most != len(frames.raw):
            frame = await frames.following()
            if frame is None:
                return
            reading.turn_id = reading.turn_id or data_of(frame)["turn_id"]
            reading.last_id = id_of(frame)
            reading.has_ended = self._ledger.of(reading.turn_id, key).hear(frame)

    def _note_status(self, reading: Reading, status: int) -> None:
        """After a 204 there is no end to come, nor is there after a 404."""
        if reading.turn_id is not None and status != HTTPStatus.SERVICE_UNAVAILABLE:
            reading.has_ended = True
            self._ledger.of(reading.turn_id).problems.append(f"{status} after event {reading.last_id}")
        elif status != HTTPStatus.SERVICE_UNAVAILABLE:
            self._ledger.unexpected.append(str(status))


def _with_key(key: str | None) -> dict[str, str]:
    return {} if key is None else {"Idempotency-Key": key}
