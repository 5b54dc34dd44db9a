"""The answer as it grows: what of the model's text may leave, with which citations, and whether it is an answer."""

from collections.abc import Iterator
from typing import cast

from msgspec.structs import asdict

from app.book.retrieval import Passage
from app.chat.citations import CitationParser, Piece
from app.chat.events import (
    AnswerDelta,
    Basis,
    Citation,
    CitationFound,
    Event,
    Grounding,
    Refusal,
    RefusalReason,
    Section,
    ToolFinished,
    ToolStarted,
)
from app.chat.prompts import NO_ANSWER
from tools import lookup_history, search_book
from tools.context import TurnContext

MOST_NEAREST = 3
MARKUP = " \n*_`\"'"
PARAGRAPH = "\n\n"
"""Between what was released before a tool call and what comes after it."""
MESSAGES: dict[RefusalReason, str] = {
    "no_match": "The book does not seem to answer this.",
    "unsupported": "No answer could be given that the book supports.",
    "empty_answer": "The model gave no answer.",
}


class Composition:
    """Text is held back until it cites a passage; then it flows."""

    def __init__(self, context: TurnContext, *, about_conversation: bool) -> None:
        self._context = context
        self._about_conversation = about_conversation
        self._parser = CitationParser(lambda n: 1 <= n <= len(context.shown))
        self._waiting: list[str] = []
        self._released: list[str] = []
        self._cited: dict[int, Citation] = {}
        self._said_anything = False
        self._separator = ""

    @property
    def text(self) -> str:
        return "".join(self._released)

    @property
    def citations(self) -> list[Citation]:
        return list(self._cited.values())

    def add(self, text: str) -> list[Event]:
        return [event for piece in self._parser.feed(text) for event in self._place(piece)]

    def note(self, event: ToolStarted | ToolFinished) -> Event:
        """Text before a tool call is the model's thinking aloud: it does not count, unless it cited."""
        if isinstance(event, ToolStarted):
            self._parser.restart()
            self._waiting = []
            self._separator = PARAGRAPH if self._released else ""
            self._said_anything = False
        return event

    def finish(self) -> list[Event]:
        events = [event for piece in self._parser.finish() for event in self._place(piece)]
        if self._recalls() and not self._said_no_answer():
            events += self._release()
        return events

    def refusal(self) -> Refusal | None:
        if self._released:
            return None
        reason = self._reason()
        return Refusal(reason, MESSAGES[reason], self._nearest())

    def sources(self) -> list[Section]:
        """The sections cited, each once."""
        cited = (self._passage(n) for n in self._cited)
        return _distinct(cited)

    def grounding(self) -> Grounding:
        basis: Basis = "book" if self._cited else "conversation" if self._released else "none"
        return Grounding(basis, self._parser.dropped, self._context.evidence())

    def _place(self, piece: Piece) -> Iterator[Event]:
        if self._separator:
            self._waiting.append(self._separator)
            self._separator = ""
        if isinstance(piece, int):
            if self._said_no_answer():
                return
            if piece not in self._cited:
                self._cited[piece] = _citation(piece, self._passage(piece))
                yield CitationFound(**asdict(self._cited[piece]))
            self._waiting.append(f"[{piece}]")
        else:
            self._said_anything = self._said_anything or bool(piece.strip())
            self._waiting.append(piece if self._released or self._waiting else piece.lstrip())
        if self._cited:
            yield from self._release()

    def _release(self) -> list[Event]:
        text = "".join(self._waiting)
        self._waiting = []
        if not text:
            return []
        self._released.append(text)
        return [AnswerDelta(text)]

    def _recalls(self) -> bool:
        """A question about the conversation is answered from the history, without citations."""
        return self._about_conversation and self._context.found(lookup_history.NAME) > 0

    def _reason(self) -> RefusalReason:
        if self._said_no_answer() or (self._context.succeeded(search_book.NAME) and not self._context.shown):
            return "no_match"
        return "unsupported" if self._said_anything else "empty_answer"

    def _said_no_answer(self) -> bool:
        return "".join(self._waiting).strip(MARKUP).startswith(NO_ANSWER)

    def _nearest(self) -> list[Section]:
        return _distinct(cast("Passage", passage) for passage in self._context.shown)[:MOST_NEAREST]

    def _passage(self, n: int) -> Passage:
        return cast("Passage", self._context.shown[n - 1])


def _citation(n: int, passage: Passage) -> Citation:
    return Citation(
        n=n,
        chunk_id=passage.chunk_id,
        source=passage.source,
        title=passage.title,
        heading_path=passage.heading_path,
        url=passage.url,
        quote=passage.text,
        start=passage.start,
        end=passage.end,
    )


def _distinct(passages: Iterator[Passage]) -> list[Section]:
    sections = {(p.source, *p.heading_path): Section(p.source, p.title, p.heading_path, p.url) for p in passages}
    return list(sections.values())
