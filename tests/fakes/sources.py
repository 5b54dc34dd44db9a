"""What a turn's tools search and look up, in memory: the boundary of `tools`."""

import itertools
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from app.book.retrieval import Passage, Scores
from app.history.exchanges import Exchange
from tools.context import Findings, Recollection, TurnContext

ASKED_AT = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def passage(text: str = "Tides rise.", section: str = "Tides", *, source: str = "tides.md", url: str = "") -> Passage:
    """Its chunk_id follows from what it says and where."""
    chunk_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{source}#{section}#{text}"))
    path = section.split(" > ")
    return Passage(chunk_id, source, "Tides", path, url, text, 0, len(text), Scores(0.9, 1.0, 1.0))


def exchange(question: str, answer: str, *, minute: int = 0, conversation: str | None = None) -> Exchange:
    return Exchange(question, answer, ASKED_AT + timedelta(minutes=minute), conversation)


class BookInMemory:
    """Gives each search the next list of passages, the last one from then on; or fails."""

    def __init__(
        self,
        *found: Sequence[Passage],
        error: Exception | None = None,
        evidence: float = 1.0,
        cosine: float = 0.9,
        cached_s: int | None = None,
    ) -> None:
        self._found = itertools.chain(found, itertools.repeat(found[-1] if found else []))
        self._error = error
        self._evidence = evidence
        self._cosine = cosine
        self._cached_s = cached_s
        self.searches: list[tuple[str, str | None]] = []
        self.narrowed: list[tuple[str | None, str | None]] = []
        """Source and page of each search."""

    async def search(self, query: str, *, section: str | None, source: str | None, page: str | None) -> Findings:
        self.searches.append((query, section))
        self.narrowed.append((source, page))
        if self._error:
            raise self._error
        return Findings(next(self._found), self._evidence, self._cosine, self._cached_s)


class HistoryInMemory:
    """Gives the latest exchanges, whatever the query."""

    def __init__(self, *exchanges: Exchange, error: Exception | None = None, by_words: bool = True) -> None:
        self._exchanges = exchanges
        self._error = error
        self._by_words = by_words
        self.personal = True
        self.lookups: list[tuple[str | None, int]] = []
        self.everywhere: list[bool] = []

    async def look_up(self, query: str | None, limit: int, *, everywhere: bool) -> Recollection:
        self.lookups.append((query, limit))
        self.everywhere.append(everywhere)
        if self._error:
            raise self._error
        return Recollection(self._exchanges[::-1][:limit], self._by_words, everywhere and self.personal)


def turn_context(*found: Sequence[Passage], exchanges: Sequence[Exchange] = ()) -> TurnContext:
    return TurnContext(BookInMemory(*found), HistoryInMemory(*exchanges))
