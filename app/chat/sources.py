"""What the tools of one turn may reach: the book, and this conversation's history."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from app.book.retrieval import Passage, Retriever
from app.book.vector_store import Filters
from app.chat.memory import without_markers
from app.history.conversations import Conversations, Exchange
from app.metrics import Metrics


@dataclass(frozen=True, slots=True)
class BookOfTurn:
    retriever: Retriever
    limit: int
    metrics: Metrics

    async def search(self, query: str, section: str | None) -> Sequence[Passage]:
        with self.metrics.search_seconds.time():
            found = await self.retriever.search(query, limit=self.limit, filters=Filters(section=section))
            if section and not found:
                found = await self.retriever.search(query, limit=self.limit)
            return found


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
