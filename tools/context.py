"""What a tool may use: the book, the conversation's history, and the record of this turn."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


class FoundPassage(Protocol):
    """A chunk of the book, as a search found it."""

    @property
    def chunk_id(self) -> str: ...
    @property
    def heading_path(self) -> list[str]: ...
    @property
    def text(self) -> str: ...


class PastExchange(Protocol):
    @property
    def question(self) -> str: ...
    @property
    def answer(self) -> str: ...
    @property
    def asked_at(self) -> datetime: ...


class Book(Protocol):
    async def search(self, query: str, section: str | None) -> Sequence[FoundPassage]:
        """Best first; without a section of that name, from the whole book."""
        ...


class History(Protocol):
    async def look_up(self, query: str | None, limit: int) -> Sequence[PastExchange]:
        """Exchanges of this conversation before this turn, oldest first."""
        ...


@dataclass(slots=True)
class ToolCall:
    name: str
    found: int
    seconds: float


@dataclass(slots=True)
class TurnContext:
    """One turn's; a passage keeps its number through all searches of the turn."""

    book: Book
    history: History
    shown: list[FoundPassage] = field(default_factory=list)
    """The passage with number n is at n - 1."""
    calls: dict[str, ToolCall] = field(default_factory=dict)
    """Those that succeeded, by their ids."""

    def number(self, passage: FoundPassage) -> int:
        for n, other in enumerate(self.shown, 1):
            if other.chunk_id == passage.chunk_id:
                return n
        self.shown.append(passage)
        return len(self.shown)

    def succeeded(self, tool: str) -> bool:
        return any(call.name == tool for call in self.calls.values())

    def found(self, tool: str) -> int:
        """In all calls of the tool together."""
        return sum(call.found for call in self.calls.values() if call.name == tool)
