"""When a turn ends in a refusal, why, and what to read instead. Code decides it."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, cast

from app.book.retrieval import Passage
from app.chat.events import Refusal, RefusalReason, Section
from tools import search_book
from tools.context import TurnContext

MOST_NEAREST = 3
MESSAGES: dict[RefusalReason, str] = {
    "no_match": "The book does not seem to answer this.",
    "below_threshold": "Nothing in the book seems to answer this well enough.",
    "off_topic": "This does not seem to be about the book.",
    "unsupported": "No answer could be given that the book supports.",
    "search_failed": "The book was not searched, so nothing can be said.",
    "selection_not_found": "The selected text was not found in the book.",
    "empty_answer": "The model gave no answer.",
}
HOPELESS = 0.1
"""Below this evidence no model is asked."""
UNLIKELY, FAR = 0.2, 0.32
"""Nor where the evidence is below the first, and the cosine of the nearest passage below the second: it is off topic.

Of the sample book's retrieval questions that holds for 82 of 100 off-topic ones, for none that is answerable in
ordinary words, and for 11 of 100 answerable ones in words that the book has not.
"""
WEAK = 0.3
"""Evidence below which it is said that the book does not fit, when the model finds no answer."""


class Ending(NamedTuple):
    """How the model's text came out."""

    told: bool
    lost_too_much: bool
    said_anything: bool
    said_no_answer: bool


def refusal_before(context: TurnContext) -> Refusal | None:
    """By what the first search found; no model need be asked."""
    if not context.shown:
        return refuse("no_match", context)
    evidence, cosine = context.evidence() or 0.0, context.cosine()
    if evidence < UNLIKELY and cosine < FAR:
        return refuse("off_topic", context)
    return refuse("below_threshold", context) if evidence < HOPELESS else None


def refusal_after(ending: Ending, context: TurnContext) -> Refusal | None:
    if ending.told and not ending.lost_too_much:
        return None
    return refuse(_reason(ending, context), context)


def refuse(reason: RefusalReason, context: TurnContext) -> Refusal:
    return Refusal(reason, MESSAGES[reason], sections_of(cast("Sequence[Passage]", context.shown))[:MOST_NEAREST])


def sections_of(passages: Iterable[Passage]) -> list[Section]:
    """Each once."""
    sections = {(p.source, *p.heading_path): Section(p.source, p.title, p.heading_path, p.url) for p in passages}
    return list(sections.values())


def _reason(ending: Ending, context: TurnContext) -> RefusalReason:
    if ending.told:
        return "unsupported"
    if not (ending.said_anything or ending.said_no_answer):
        return "empty_answer"
    if not context.calls:
        return "search_failed"
    if ending.said_no_answer or (context.succeeded(search_book.NAME) and not context.shown):
        return _unanswered(context)
    return "unsupported"


def _unanswered(context: TurnContext) -> RefusalReason:
    evidence = context.evidence()
    if not context.shown or evidence is None or evidence >= WEAK:
        return "no_match"
    return "off_topic" if context.cosine() < FAR else "below_threshold"
