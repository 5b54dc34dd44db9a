"""What happens in a turn, as typed events; the last one holds the whole answer."""

from collections.abc import AsyncIterable, Iterable
from typing import Literal
from uuid import UUID

import msgspec
from msgspec.structs import asdict

from app.errors import UnfinishedError
from tools.context import ToolCall

Basis = Literal["book", "conversation", "none"]
RefusalReason = Literal[
    "no_match", "below_threshold", "off_topic", "unsupported", "search_failed", "selection_not_found", "empty_answer"
]
WithheldReason = Literal["unsupported", "fact", "link", "list", "context", "markup"]
"""No passage supports it; a number, name or the like is not in them; a hole in its list; what it stands under or
leans on was withheld; and in every mode a foreign address, or a fence of code within a sentence.
"""
Attribution = Literal["model", "code"]
Cut = Literal["length", "content_filter"]
"""Why a model's reply is not whole."""


class Quote(msgspec.Struct, frozen=True):
    """A piece of a source file, between two character offsets."""

    quote: str
    start: int
    end: int
    support: float | None
    """How well it supports a sentence of the answer, 0 to 1; null where it was not measured."""


class Citation(msgspec.Struct, frozen=True, kw_only=True):
    """A passage that the answer cites, and what of it supports the answer.

    The quote supports the first sentence that cites the passage; start and end are its character offsets in the source
    file. `further` has what other sentences rest on.
    """

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
    """How well the quote supports its sentence, 0 to 1; null where it was not measured."""
    verified: bool = True
    """The passage was shown to the model in this turn, and, where that was measured, supports what cites it."""
    attributed_by: Attribution = "model"
    """Who put the number there: the model, or code for a sentence that a passage supports."""
    further: list[Quote] = []


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


class Search(msgspec.Struct, frozen=True):
    """One search of the book in the turn."""

    query: str
    by: Attribution
    found: int
    evidence: float | None
    """How probable it is that the book answers, 0 to 1."""
    cached_s: int | None = None
    """Its age in seconds, where Qdrant did not answer and it is what the same search found before."""


class Grounding(msgspec.Struct, frozen=True):
    basis: Basis
    dropped_citations: int
    """Numbers that no passage of this turn has; they were taken out of the answer."""
    evidence: float | None = None
    """How probable it is that the book answers, by what the turn's searches found, 0 to 1; null without a search."""
    mode: str = "off"
    """GROUNDING."""
    sentences: int = 0
    """Of the model's text, those that were compared with the passages."""
    withheld: int = 0
    """Of those, the ones that nothing supports."""
    disagreements: int = 0
    """Sentences that the cited passages don't support, and others do."""
    searches: list[Search] = []
    cut: Cut | None = None
    """What stopped the model before it was done; the sentence that it had begun is left out."""


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
    """Comes before the delta that holds its number for the first time, and again when it gets a further quote."""


class SentenceWithheld(msgspec.Struct, frozen=True, tag_field="type", tag="sentence.withheld"):
    """A sentence of the model's that nothing supports, and that is not told."""

    position: int
    """Among the sentences of the model's text, from 1."""
    reason: WithheldReason


class SentenceFlagged(msgspec.Struct, frozen=True, tag_field="type", tag="sentence.flagged"):
    """With GROUNDING=flag: a sentence that was told, and that nothing supports."""

    position: int
    reason: WithheldReason


class AnswerCompleted(Answer, frozen=True, kw_only=True, tag_field="type", tag="answer.completed"):
    pass


class AnswerRefused(Answer, frozen=True, kw_only=True, tag_field="type", tag="answer.refused"):
    pass


class TurnFailed(Answer, frozen=True, kw_only=True, tag_field="type", tag="turn.failed"):
    pass


class TurnCancelled(Answer, frozen=True, kw_only=True, tag_field="type", tag="turn.cancelled"):
    pass


Terminal = AnswerCompleted | AnswerRefused | TurnFailed | TurnCancelled
Event = (
    TurnStarted
    | ToolStarted
    | ToolFinished
    | AnswerDelta
    | CitationFound
    | SentenceWithheld
    | SentenceFlagged
    | Terminal
)

TERMINALS: dict[str, type[Terminal]] = {
    "answered": AnswerCompleted,
    "refused": AnswerRefused,
    "failed": TurnFailed,
    "cancelled": TurnCancelled,
}


def finished(id_: str, call: ToolCall) -> ToolFinished:
    return ToolFinished(call.name, id_, call.found, round(call.seconds * 1000))


def terminal(answer: Answer) -> Terminal:
    return TERMINALS[answer.status](**asdict(answer))


def answer_so_far(events: Iterable[Event]) -> tuple[str, list[Citation]]:
    text: list[str] = []
    citations: dict[int, Citation] = {}
    for event in events:
        if isinstance(event, AnswerDelta):
            text.append(event.text)
        elif isinstance(event, CitationFound):
            citations[event.n] = Citation(**asdict(event))
    return "".join(text), list(citations.values())


async def fold(events: AsyncIterable[Event]) -> Answer:
    """The JSON answer: the text of the deltas, the citations, and what the terminal event says of them."""
    before: list[Event] = []
    async for event in events:
        if isinstance(event, Answer):
            text, citations = answer_so_far(before)
            return Answer(**asdict(event) | {"answer": text, "citations": citations})
        before.append(event)
    raise UnfinishedError
