"""How a browser reads an event stream: the rules of the HTML standard, section 9.2.6, over bytes in any pieces."""

import codecs
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Message:
    event: str
    data: str
    last_event_id: str


@dataclass
class EventSource:
    """Feed it; what is not ended by an empty line is never dispatched."""

    last_event_id: str = ""
    retry_ms: int | None = None
    _decoder: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")(errors="replace")
    )
    _text: str = ""
    _has_begun: bool = False
    _skips_line_feed: bool = False
    _event: str = ""
    _id: str = ""
    _data: list[str] = field(default_factory=list)

    def feed(self, piece: bytes) -> Iterator[Message]:
        for line in self._lines(self._decoder.decode(piece)):
            if line:
                self._field(line)
            else:
                yield from self._dispatch()

    def _lines(self, text: str) -> Iterator[str]:
        for character in text:
            if not self._has_begun:
                self._has_begun = True
                if character == "\ufeff":
                    continue
            if character == "\n" and self._skips_line_feed:
                self._skips_line_feed = False
                continue
            self._skips_line_feed = character == "\r"
            if character in "\r\n":
                line, self._text = self._text, ""
                yield line
            else:
                self._text += character

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._event = value
        elif name == "data":
            self._data.append(value)
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and value.isascii() and value.isdigit():
            self.retry_ms = int(value)

    def _dispatch(self) -> Iterator[Message]:
        self.last_event_id = self._id
        event, data = self._event or "message", self._data
        self._event, self._data = "", []
        if data:
            yield Message(event, "\n".join(data), self.last_event_id)


def messages_in(pieces: Iterable[bytes]) -> list[Message]:
    source = EventSource()
    return [message for piece in pieces for message in source.feed(piece)]
