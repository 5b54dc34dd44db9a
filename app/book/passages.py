"""What a search gives: passages, and whether the book seems to answer."""

import msgspec

from app.book.answerability import Answerability


class Scores(msgspec.Struct, frozen=True):
    """How well a passage fits; null where something did not look at it."""

    cosine: float | None
    """Of the question and the excerpt nearest to it."""
    bm25: float | None
    fused: float
    """By the ranks of both."""
    maxsim: float | None = None
    """Mean cosine of the question's tokens, each with the passage's token nearest to it."""


class Passage(msgspec.Struct, frozen=True):
    """A chunk as found, or its whole section under its first chunk's id; start and end are offsets in the source."""

    chunk_id: str
    source: str
    title: str
    heading_path: list[str]
    url: str
    text: str
    start: int
    end: int
    scores: Scores


class Found(msgspec.Struct, frozen=True):
    passages: list[Passage]
    """Best first."""
    answerability: Answerability
    cached_s: int | None = None
    """Its age in seconds, where the book cannot be searched now; null for a search made now."""
