"""What the tools of one turn may reach: the book, and this conversation's history."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from app.book.retrieval import Found, Retriever
from app.book.vector_store import Filters
from app.chat.memory import without_markers
from app.history.conversations import Conversations, Exchange
from app.metrics import Metrics
from tools.context import Findings


@dataclass(frozen=True, slots=True)
class BookOfTurn:
    retriever: Retriever
    limit: int
    metrics: Metrics

    async def search(self, query: str, *, section: str | None, source: str | None, page: str | None) -> Findings:
        with self.metrics.search_seconds.time():
            found = await self._found(query, Filters(source, section, page))
            if not found.passages and (section or source):
                found = await self._found(query, Filters(page=page))
        return Findings(found.passages, found.answerability.score)

    async def _found(self, query: str, filters: Filters) -> Found:
        return await self.retriever.search(query, limit=self.limit, filters=filters, whole_sections=True)


@dataclass(frozen=True, slots=True)
class HistoryOfTurn:
    conversations: Conversations
    owner: str
    conversation_id: UUID

    async def look_up(self, query: str | None, limit: int) -> Sequence[Exchange]:
        if query:
            found = await self.conversations.find_exchanges(self.owner, self.conversation_id, query, limit)
        else:
            found = await self.conversations.recent_exchanges(self.owner, self.conversation_id, limit)
        return [without_markers(exchange) for exchange in found]
