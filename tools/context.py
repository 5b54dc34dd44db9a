"""What a tool may use: the book, the conversation's history, and the record of this turn."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple, Protocol


class FoundPassage(Protocol):
    """A chunk of the book, as a search found it."""

    @property
    def chunk_id(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def url(self) -> str: ...
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
    @property
    def conversation(self) -> str | None:
        """The title, when it is another one."""
        ...


class Findings(NamedTuple):
    passages: Sequence[FoundPassage]
    """Best first."""
    evidence: float
    """How probable it is that the book answers the query, 0 to 1."""
    cosine: float
    """Of the passage nearest to the query."""
    cached_s: int | None = None
    """Its age in seconds, where the book cannot be searched now."""


class Book(Protocol):
    async def search(self, query: str, *, section: str | None, source: str | None, page: str | None) -> Findings:
        """From the section and the source file of these names, or from the whole book where nothing is found in them.

        What is on the page is preferred.
        """
        ...


class Recollection(NamedTuple):
    exchanges: Sequence[PastExchange]
    """Best first."""
    by_words: bool
    """They have words of the query; else they are the latest."""
    everywhere: bool
    """The owner's other conversations were looked through, too."""


class History(Protocol):
    async def look_up(self, query: str | None, limit: int, *, everywhere: bool) -> Recollection:
        """Exchanges before this turn, however they ended; the latest, where none has words of the query."""
        ...


@dataclass(slots=True)
class ToolCall:
    name: str
    found: int
    seconds: float
    query: str | None = None
    """As all that follows, of a search of the book."""
    evidence: float | None = None
    """How probable it is that the book answers, 0 to 1."""
    cosine: float = 0.0
    """Of the passage nearest to the query."""
    by: Literal["model", "code"] = "model"
    cached_s: int | None = None
    """How old its findings are, in seconds; None for a search made now."""


@dataclass(slots=True)
class TurnContext:
    """One turn's; a passage keeps its number through all searches of the turn."""

    book: Book
    history: History
    shown: list[FoundPassage] = field(default_factory=list)
    """The passage with number n is at n - 1."""
    recalled: list[PastExchange] = field(default_factory=list)
    """What was looked up of earlier conversations."""
    calls: dict[str, ToolCall] = field(default_factory=dict)
    """Those that succeeded, by their ids."""
    searches: int = 0
    """That the model has asked for, whatever came of them."""

    def number(self, passage: FoundPassage) -> int:
        for n, other in enumerate(self.shown, 1):
            if other.chunk_id == passage.chunk_id:
                return n
        self.shown.append(passage)
        return len(self.shown)

    def succeeded(self, tool: str) -> bool:
        return any(call.name == tool for call in self.calls.values())

    def evidence(self) -> float | None:
        """The best of all searches of the book; None without one."""
        return max((call.evidence for call in self.calls.values() if call.evidence is not None), default=None)

    def cosine(self) -> float:
        """The best of all searches of the book; 0 without one."""
        return max((call.cosine for call in self.calls.values()), default=0.0)

    def found(self, tool: str) -> int:
        """In all calls of the tool together."""
        return sum(call.found for call in self.calls.values() if call.name == tool)
