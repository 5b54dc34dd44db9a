"""A conversation with some exchanges, in the database."""

from uuid import UUID

import pytest

from app.history.conversations import AnswerRecord, StoredTurn

OWNER, OTHER = "ann", "bob"


def answer_record(content: str = "The Moon.", **changes: object) -> AnswerRecord:
    fields = {
        "status": "answered",
        "content": content,
        "model": "gpt-test",
        "prompt_name": "book_agent",
        "prompt_version": "v1",
        "prompt_digest": "abc",
        "index_version": "i1",
        "input_tokens": 10,
        "output_tokens": 3,
        "model_calls": 1,
        "citations": [],
        "refusal": None,
        "error": None,
        "timings": {"total": 0.5},
        "grounding": {"mode": "strict"},
        "withheld": None,
    }
    return AnswerRecord(**fields | changes)


@pytest.fixture
def exchange(conversations):
    """Stores a question and its answer, in a new conversation unless one is given."""

    async def store(
        question: str, answer: str = "An answer.", within: UUID | None = None, owner: str = OWNER, **fields
    ) -> StoredTurn:
        turn = await conversations.store_question(owner, within, question)
        await conversations.store_answer(owner, turn.message_id, answer_record(answer, **fields))
        return turn

    return store


@pytest.fixture
async def tides(exchange) -> UUID:
    """A conversation of three exchanges."""
    first = await exchange("What causes tides?", "The gravity of the Moon.")
    await exchange("How is the level measured?", "With gauges in stilling wells.", first.conversation_id)
    await exchange("And in spring?", "Spring tides are higher.", first.conversation_id)
    return first.conversation_id
