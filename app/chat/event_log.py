"""The events of one turn as they are sent: encoded once, numbered, and read by any number of readers."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable
from typing import NamedTuple

import msgspec

from app.chat.events import TERMINALS, Answer, Event

LAST = frozenset(str(kind.__struct_config__.tag) for kind in TERMINALS.values())
"""Types of the events that end a turn."""

LINE_ENDS = "\u0085\u2028\u2029"
"""To some clients, who would see the end of the data in them; JSON escapes the others itself."""

_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


class Entry(NamedTuple):
    id: int
    """From 1, without a gap; but for the last one of a turn that was given up."""
    type: str
    body: bytes
    """JSON."""

    @property
    def is_last(self) -> bool:
        return self.type in LAST


def entry_of(id_: int, event: Event) -> Entry:
    body = msgspec.json.encode(event)
    for character in LINE_ENDS:
        body = body.replace(character.encode(), b"\\u%04x" % ord(character))
    return Entry(id_, str(event.__struct_config__.tag), body)


class EventLog:
    def __init__(self, on_left: Callable[[], None]) -> None:
        """`on_left`: the last reader has left before the end."""
        self._on_left = on_left
        self._entries: list[Entry] = []
        self._numbered = 0
        self._grown = asyncio.Event()
        self._dismissals = 0
        self._is_closed = False
        self.readers = 0

    @property
    def has_ended(self) -> bool:
        return bool(self._entries) and self._entries[-1].is_last

    @property
    def last_id(self) -> int:
        """Of what was told."""
        return self._entries[-1].id if self._entries else 0

    def next_id(self) -> int:
        self._numbered += 1
        return self._numbered

    def tell(self, entry: Entry) -> None:
        """When it is stored."""
        self._entries.append(entry)
        self._wake()

    def let_go(self) -> None:
        """Whoever waits now waits no longer."""
        self._dismissals += 1
        self._wake()

    def close(self) -> None:
        """From now on nobody waits."""
        self._is_closed = True
        self._wake()

    def _wake(self) -> None:
        self._grown.set()
        self._grown = asyncio.Event()

    async def read(self, after: int = 0) -> AsyncGenerator[Entry, None]:
        """The events after an id, and in any case the last; or up to that of now, when readers are let go."""
        self.readers += 1
        try:
            position = min(after, len(self._entries))
            dismissals = self._dismissals
            while True:
                if position == len(self._entries):
                    if self.has_ended or self._is_closed or self._dismissals > dismissals:
                        return
                    await self._grown.wait()
                    continue
                entry = self._entries[position]
                position += 1
                if entry.id > after or entry.is_last:
                    yield entry
        finally:
            self.readers -= 1
            if not self.readers and not self.has_ended:
                self._on_left()


async def decoded(entries: AsyncIterable[Entry]) -> AsyncIterator[Event]:
    """Those that this release knows: another one may have written others."""
    async for entry in entries:
        for event in readable([entry.body]):
            yield event


def readable(bodies: Iterable[bytes | str]) -> list[Event]:
    """The events that this release knows."""
    events: list[Event] = []
    for body in bodies:
        with contextlib.suppress(msgspec.ValidationError):
            events.append(decode(body))
    return events


def decode(body: bytes | str) -> Event:
    return _decoder.decode(body)


def answer_in(entry: Entry) -> Answer | None:
    """The whole answer, of an event that ends a turn."""
    event = decode(entry.body) if entry.is_last else None
    return event if isinstance(event, Answer) else None
