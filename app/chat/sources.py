"""What the tools of one turn may reach: the book, and the history."""

from dataclasses import dataclass
from uuid import UUID

from app.book.retrieval import Found, Retriever
from app.book.vector_store import NO_FILTERS, Filters
from app.chat.memory import without_markers
from app.history.conversations import Conversations
from app.metrics import Metrics
from tools.context import Findings, Recollection


@dataclass(frozen=True, slots=True)
class BookOfTurn:
    retriever: Retriever
    limit: int
    metrics: Metrics
    narrowing: Filters = NO_FILTERS
    """The reader's own: a search may be narrower, but not wider."""

    async def search(self, query: str, *, section: str | None, source: str | None, page: str | None) -> Findings:
        ours = self.narrowing
        narrower = Filters(ours.source or source, ours.section or section, page or ours.page)
        with self.metrics.search_seconds.time():
            found = await self._found(query, narrower)
            if not found.passages and (narrower.source, narrower.section) != (ours.source, ours.section):
                found = await self._found(query, Filters(ours.source, ours.section, narrower.page))
        self.metrics.cached_searches.inc(found.cached_s is not None)
        return Findings(found.passages, found.answerability.score, found.answerability.cosine, found.cached_s)

    async def _found(self, query: str, filters: Filters) -> Found:
        return await self.retriever.search(query, limit=self.limit, filters=filters, whole_sections=True)


@dataclass(frozen=True, slots=True)
class HistoryOfTurn:
    conversations: Conversations
    owner: str
    conversation_id: UUID
    personal: bool = False
    """The owner is one person, whose other conversations may be looked through when asked for."""

    async def look_up(self, query: str | None, limit: int, *, everywhere: bool) -> Recollection:
        everywhere = everywhere and self.personal
        scope = self.owner, self.conversation_id
        found = await self.conversations.find_exchanges(*scope, query or "", limit, everywhere=everywhere)
        exchanges = found or await self.conversations.latest_exchanges(*scope, limit, everywhere=everywhere)
        return Recollection([without_markers(exchange) for exchange in exchanges], bool(found), everywhere)
