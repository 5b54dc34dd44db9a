"""What clients send and get, beside the answer itself."""

from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from app.book.answerability import Answerability
from app.book.retrieval import Passage
from app.book.vector_store import NO_FILTERS, Filters
from app.history.conversations import Message
from app.history.turns import Status

Question = Annotated[
    str,
    Meta(
        min_length=1, max_length=4000, pattern=r"\S", description="The question, in words", examples=["What is ROS 2?"]
    ),
]


class ChatRequest(msgspec.Struct, forbid_unknown_fields=True):
    content: Question
    conversation_id: Annotated[
        UUID | None, Meta(description="An earlier answer's, to ask a follow-up; a new conversation without it")
    ] = None
    selected_text: Annotated[
        Annotated[str, Meta(min_length=1, max_length=4000, pattern=r"\S")] | None,
        Meta(description="What the reader has selected in the book, to ask about it"),
    ] = None
    page: Annotated[
        Annotated[str, Meta(max_length=2000)] | None,
        Meta(description="The page being read: its address, the address's path, or its source file; it is preferred"),
    ] = None
    filters: Filters = NO_FILTERS


class RetrieveRequest(msgspec.Struct, forbid_unknown_fields=True):
    query: Question
    limit: Annotated[int, Meta(ge=1, le=50, description="How many passages at the most")] = 6
    filters: Filters = NO_FILTERS
    whole_sections: Annotated[bool, Meta(description="Widen a passage of a small section to all of it")] = False


class RetrieveResponse(msgspec.Struct):
    query: str
    passages: list[Passage]
    """Best first."""
    answerability: Answerability
    index_version: str
    cached_s: int | None
    """Age in seconds of what is found, where Qdrant did not answer and the same search was made before; else null."""


class MessagePage(msgspec.Struct):
    conversation_id: UUID
    messages: list[Message]
    """Oldest first."""
    before: int | None
    """Give it as `before` to get the messages before these; null when there are none."""


class TurnState(msgspec.Struct):
    turn_id: UUID
    conversation_id: UUID
    message_id: UUID
    status: Status


class DependencyHealth(msgspec.Struct):
    status: Literal["ok", "degraded", "down"]
    """Degraded: calls to it keep failing, so that none is made for a while, though something else may do instead."""
    latency_ms: float | None
    """Null where it was not asked."""
    detail: str


class Health(msgspec.Struct):
    status: Literal["ok", "degraded"]
    version: str
    dependencies: dict[str, DependencyHealth]


class ProblemDetails(msgspec.Struct, omit_defaults=True):
    """RFC 9457, as application/problem+json."""

    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    type: str = "about:blank"
    errors: list["FieldError"] = []
    turn_id: UUID | None = None
    """Of a turn that failed: its events have what there was of the answer."""


class FieldError(msgspec.Struct):
    field: str
    message: str
