"""What happens in a turn, as typed events; the last one holds the whole answer."""

from collections.abc import AsyncIterable
from typing import Literal
from uuid import UUID

import msgspec
from msgspec.structs import asdict

from app.errors import BookAgentError

Basis = Literal["book", "conversation", "none"]
RefusalReason = Literal["no_match", "unsupported", "empty_answer"]


class Citation(msgspec.Struct, frozen=True, kw_only=True):
    """A passage that the answer cites; start and end are character offsets of the quote in the source file."""

    n: int
    chunk_id: str
    source: str
    title: str
    heading_path: list[str]
    url: str
    quote: str
    start: int
    end: int
    support: float | None = None
    """How well the quote supports the answer; null where it was not measured."""
    verified: bool = True
    """The passage was shown to the model in this turn."""


class Section(msgspec.Struct, frozen=True):
    source: str
    title: str
    heading_path: list[str]
    url: str


class Refusal(msgspec.Struct, frozen=True):
    reason: RefusalReason
    message: str
    nearest: list[Section]


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """RFC 9457."""

    title: str
    status: int
    detail: str
    type: str = "about:blank"
    retry_after_s: int | None = None


class Usage(msgspec.Struct, frozen=True):
    input_tokens: int = 0
    output_tokens: int = 0
    model_calls: int = 0


class PromptIdentity(msgspec.Struct, frozen=True):
    name: str
    version: str
    digest: str


class Grounding(msgspec.Struct, frozen=True):
    basis: Basis
    dropped_citations: int
    """Numbers that no passage of this turn has; they were taken out of the answer."""
    evidence: float | None = None
    """How probable it is that the book answers, by what the turn's searches found, 0 to 1; null without a search."""


class Timings(msgspec.Struct, frozen=True):
    """Milliseconds."""

    search_ms: int
    model_ms: int
    first_text_ms: int | None
    total_ms: int


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    turn_id: UUID
    conversation_id: UUID
    message_id: UUID
    status: Literal["answered", "refused", "failed", "cancelled"]
    answer: str
    citations: list[Citation]
    sources: list[Section]
    refusal: Refusal | None
    grounding: Grounding
    usage: Usage
    model: str
    prompt: PromptIdentity
    index_version: str | None
    processing_time_ms: int
    timings: Timings
    error: Problem | None = None


class TurnStarted(msgspec.Struct, frozen=True, tag_field="type", tag="turn.started"):
    turn_id: UUID
    conversation_id: UUID
    message_id: UUID


class ToolStarted(msgspec.Struct, frozen=True, tag_field="type", tag="tool.started"):
    tool: str
    call_id: str


class ToolFinished(msgspec.Struct, frozen=True, tag_field="type", tag="tool.finished"):
    tool: str
    call_id: str
    found: int
    took_ms: int


class AnswerDelta(msgspec.Struct, frozen=True, tag_field="type", tag="answer.delta"):
    text: str


class CitationFound(Citation, frozen=True, kw_only=True, tag_field="type", tag="citation"):
    """Comes before the delta that holds its number for the first time."""


class AnswerCompleted(Answer, frozen=True, kw_only=True, tag_field="type", tag="answer.completed"):
    pass


class AnswerRefused(Answer, frozen=True, kw_only=True, tag_field="type", tag="answer.refused"):
    pass


class TurnFailed(Answer, frozen=True, kw_only=True, tag_field="type", tag="turn.failed"):
    pass


class TurnCancelled(Answer, frozen=True, kw_only=True, tag_field="type", tag="turn.cancelled"):
    pass


Terminal = AnswerCompleted | AnswerRefused | TurnFailed | TurnCancelled
Event = TurnStarted | ToolStarted | ToolFinished | AnswerDelta | CitationFound | Terminal

TERMINALS: dict[str, type[Terminal]] = {
    "answered": AnswerCompleted,
    "refused": AnswerRefused,
    "failed": TurnFailed,
    "cancelled": TurnCancelled,
}


def terminal(answer: Answer) -> Terminal:
    return TERMINALS[answer.status](**asdict(answer))


async def fold(events: AsyncIterable[Event]) -> Answer:
    """The JSON answer: the text of the deltas, the citations, and what the terminal event says of them."""
    text: list[str] = []
    citations: list[Citation] = []
    async for event in events:
        match event:
            case AnswerDelta():
                text.append(event.text)
            case CitationFound():
                citations.append(Citation(**asdict(event)))
            case Answer():
                return Answer(**asdict(event) | {"answer": "".join(text), "citations": citations})
            case _:
                pass
    raise BookAgentError("The turn ended without an answer.")
