"""The answer as it grows: which of the model's sentences are told, with which citations, and if it is an answer."""

import asyncio
import re
from collections.abc import Iterable, Sequence
from typing import Protocol, cast

import msgspec

from app.book.retrieval import Passage
from app.chat.above import Above
from app.chat.bibliography import Bibliography
from app.chat.events import (
    AnswerDelta,
    Basis,
    Citation,
    Cut,
    Event,
    Grounding,
    Refusal,
    Section,
    SentenceFlagged,
    SentenceWithheld,
    ToolFinished,
    ToolStarted,
    WithheldReason,
)
from app.chat.foregoing import Foregoing
from app.chat.holes import Holes
from app.chat.outline import Outline, Told
from app.chat.prompts import NO_ANSWER
from app.chat.refusals import Ending, refusal_after, sections_of
from app.chat.rulings import Proof, Ruling
from app.chat.searching import searches_of
from app.grounding.citations import CitationParser, numbers_in
from app.grounding.claims import is_absence, is_bare_answer
from app.grounding.links import Links
from app.grounding.sentences import Segment, Segmenter
from app.grounding.visible import Visible
from app.grounding.wording import cited, joined, wider, without_connective
from app.settings import GroundingMode
from tools.context import TurnContext

MARKUP = " \n*_`\"'"
PARAGRAPH = "\n\n"
"""Between what was told before a tool call and what comes after it."""
LONGEST = 40_000
"""Characters of the model's text in one turn."""
NEVER_TOLD = {"link", "markup"}
"""Reasons for which a sentence is withheld in every mode."""
SENTENCE_END = re.compile(r"(?:(?<!\d)[.!?]|[。！？])[\s\"'”’»)\]*_]*\Z")
FENCE = re.compile(r"`{3}|~{3}")
STRUCTURE = {"heading", "intro", "table_head"}
"""Kinds of segments that are told only together with what stands under them."""


class WithheldSentence(msgspec.Struct, frozen=True):
    """For the record; never for a client."""

    position: int
    reason: WithheldReason
    text: str


class Examines(Protocol):
    @property
    def links(self) -> Links: ...

    async def examine(self, segment: Segment, cited_before: Iterable[int], above: Sequence[str] = ()) -> Ruling:
        """`cited_before`: by the sentences before it in its paragraph. `above`: labels under which it stands."""
        ...


class Composition:
    """Strict: only what is supported is told. Else the text flows from the first supported or cited sentence on."""

    def __init__(self, context: TurnContext, examiner: Examines, mode: GroundingMode) -> None:
        self._context = context
        self._examiner = examiner
        self._mode = mode
        self._parser = CitationParser(lambda n: 1 <= n <= len(context.shown))
        self._visible = Visible()
        self._bibliography = Bibliography(lambda n: cast("Passage", context.shown[n - 1]))
        self._room = LONGEST
        self._told: list[str] = []
        self._owed = ""
        """White space before what was left out since the last that was told."""
        self.withheld: list[WithheldSentence] = []
        self._sentences = self._withheld = self._disagreements = 0
        self._aloud = 0
        """Sentences withheld that came before a tool call, or before what is not the model's."""
        self._cut: Cut | None = None
        self._begin()

    def _begin(self) -> None:
        self._segmenter = Segmenter()
        self._outline = Outline()
        self._above = Above()
        self._holes = Holes()
        self._cited_in: tuple[int, list[int]] = (-1, [])
        """A paragraph, and the numbers that its sentences cite."""
        self._foregoing = Foregoing(lambda n: self._context.shown[n - 1].text)
        self._said_anything = self._said_no_answer = False

    @property
    def text(self) -> str:
        return "".join(self._told)

    @property
    def citations(self) -> list[Citation]:
        return self._bibliography.citations

    async def add(self, text: str) -> list[Event]:
        """What comes after LONGEST characters is left out, as after a model's own limit."""
        text = self._visible.feed(text)
        if len(text) > self._room:
            self._cut = "length"
        text, self._room = text[: self._room], max(0, self._room - len(text))
        return await self._place(
            segment for piece in self._parser.feed(text) for segment in self._segmenter.feed(piece)
        )

    def say(self, text: str) -> Event:
        """What is not the model's: an answer, whatever of the model's was withheld before it."""
        self._told.append(text)
        self._aloud = self._withheld
        return AnswerDelta(text)

    def note(self, event: ToolStarted | ToolFinished) -> Event:
        """Text before a tool call is the model's thinking aloud: what of it was not told is dropped."""
        if isinstance(event, ToolStarted):
            self._visible.restart()
            self._parser.restart()
            self._begin()
            self._owed = PARAGRAPH
            self._aloud = self._withheld
        return event

    async def finish(self, cut: Cut | None = None) -> list[Event]:
        """`cut`: the model was stopped, so what it had begun is left out."""
        self._cut = cut or self._cut
        last = [segment for piece in self._parser.finish() for segment in self._segmenter.feed(piece)]
        rest = self._segmenter.finish()
        return await self._place([*last, *(rest if self._cut is None else filter(_is_done, rest))])

    def refusal(self) -> Refusal | None:
        lost_too_much = self._mode == "strict" and (self._withheld - self._aloud) * 2 > self._sentences - self._aloud
        ending = Ending(bool(self._told), lost_too_much, self._said_anything, self._said_no_answer)
        return refusal_after(ending, self._context)

    def sources(self) -> list[Section]:
        """The sections cited, each once."""
        return sections_of(self._bibliography.passages)

    def grounding(self) -> Grounding:
        basis: Basis = "book" if self._bibliography.citations else "conversation" if self._told else "none"
        return Grounding(
            basis,
            self._parser.dropped,
            self._context.evidence(),
            self._mode,
            self._sentences,
            self._withheld,
            self._disagreements,
            searches_of(self._context),
            self._cut,
        )

    async def _place(self, segments: Iterable[Segment]) -> list[Event]:
        events: list[Event] = []
        for segment in segments:
            events += await self._placed(segment)
            await asyncio.sleep(0)  # others get their turn between two sentences
        return events

    async def _placed(self, segment: Segment) -> list[Event]:
        segment = self._without_links(segment)
        for gone in self._outline.arrive(segment):
            self._holes.leave_out(gone)
        if not any(map(str.isalnum, segment.body)) and (self._mode == "strict" or not segment.cited):
            self._outline.hold(Told(segment, segment.text).left_out())
            return []
        self._said_anything = True
        is_no_answer = segment.body.strip(MARKUP).startswith(NO_ANSWER)
        self._said_no_answer = self._said_no_answer or is_no_answer or is_absence(segment.body)
        if is_no_answer:
            return []
        if self._mode == "strict" and segment.kind == "sentence" and is_bare_answer(segment.body):
            self._outline.hold(Told(segment, segment.text).left_out())
            return []
        return self._ruled(segment, await self._examined(segment))

    def _without_links(self, segment: Segment) -> Segment:
        if segment.kind == "code":
            return segment
        links = self._examiner.links
        return segment._replace(text=links.without_foreign(segment.text), body=links.without_foreign(segment.body))

    async def _examined(self, segment: Segment) -> Ruling:
        self._above.arrive(segment)
        ruling = Ruling("link")
        if not self._examiner.links.has_foreign(segment.text, in_code=segment.kind == "code"):
            ruling = await self._examiner.examine(segment, self._cited_before(segment), self._above.labels)
        if self._mode == "strict":
            ruling = self._in_place(segment, ruling)
        if segment.kind != "code" and _reads_otherwise_alone(segment):
            ruling = ruling._replace(reason="markup", proofs=())
        self._above.stand(segment, ruling)
        return ruling

    def _in_place(self, segment: Segment, ruling: Ruling) -> Ruling:
        """What is supported by itself goes with what was withheld before it."""
        is_of_hole = self._holes.take(segment)
        if ruling.reason is not None:
            return ruling
        if is_of_hole:
            return ruling._replace(reason="list", proofs=())
        is_missed = self._foregoing.is_missed_by(
            segment, ruling.proofs, has_told=bool(self._told), has_withheld=bool(self.withheld)
        )
        if is_missed or self._above.withholds(segment):
            return ruling._replace(reason="context", proofs=())
        return ruling

    def _ruled(self, segment: Segment, ruling: Ruling) -> list[Event]:
        if ruling.is_claim or ruling.reason:
            self._sentences += 1
            self._withheld += ruling.reason is not None
            self._disagreements += ruling.disagrees
        verdict = None
        if ruling.reason is not None:
            if self._mode == "strict" or ruling.reason in NEVER_TOLD:
                return self._withhold(segment, ruling.reason)
            verdict = SentenceFlagged(self._sentences, ruling.reason) if self._mode == "flag" else None
        told = Told(segment, *self._worded(segment, ruling), verdict)
        if segment.kind in STRUCTURE or not self._may_lead(ruling):
            self._outline.hold(told)
            return []
        return [event for one in (*self._outline.release(), told) for event in self._tell(one)]

    def _may_lead(self, ruling: Ruling) -> bool:
        """It can be the first that is told: it is proved, or needs no passage. After it, whatever may be told can."""
        if ruling.proofs or self._told:
            return True
        if self._mode == "off":
            return bool(self._context.recalled)
        return ruling.reason is None and ruling.is_claim

    def _withhold(self, segment: Segment, reason: WithheldReason) -> list[Event]:
        self._outline.hold(Told(segment, segment.text).left_out())
        self._holes.leave_out(segment)
        if segment.kind not in STRUCTURE:
            self._foregoing.leave_out()
        self.withheld.append(WithheldSentence(self._sentences, reason, segment.body))
        return [SentenceWithheld(self._sentences, reason)]

    def _worded(self, segment: Segment, ruling: Ruling) -> tuple[str, Sequence[Proof]]:
        """With the numbers of what proves it; a sentence that is told although nothing does keeps its own."""
        if self._mode == "off" or (self._mode == "flag" and not ruling.proofs):
            return segment.text, ruling.proofs or [self._unverified(n) for n in segment.cited]
        text = cited(segment, [proof.n for proof in ruling.proofs])
        leans = (
            self._mode == "strict"
            and self._foregoing.has_hole
            and bool(ruling.proofs)
            and segment.kind in {"sentence", "item"}
        )
        return without_connective(text) if leans else text, ruling.proofs

    def _unverified(self, n: int) -> Proof:
        return Proof(n, 0, len(self._context.shown[n - 1].text), None, "model", is_verified=False)

    def _tell(self, told: Told) -> list[Event]:
        if told.is_left_out:
            self._owed = wider(self._owed, told.text)
            return []
        text = joined(self._told[-1] if self._told else "", self._owed, told.text)
        self._told.append(text)
        self._owed = PARAGRAPH if told.segment.kind == "code" and told.proofs else ""
        if told.segment.kind not in STRUCTURE:
            self._foregoing.tell(told.proofs)
        before = self._cited_before(told.segment)
        self._cited_in = told.segment.paragraph, list(dict.fromkeys([*before, *(proof.n for proof in told.proofs)]))
        verdict = [] if told.verdict is None else [told.verdict]
        return [*self._bibliography.add(told.proofs), AnswerDelta(text), *verdict]

    def _cited_before(self, segment: Segment) -> list[int]:
        paragraph, cited = self._cited_in
        return cited if paragraph == segment.paragraph else []


def _is_done(segment: Segment) -> bool:
    """Nothing is missing at its end: a sentence up to its full stop, which may be no part of a number."""
    return segment.kind in {"sentence", "item"} and bool(SENTENCE_END.search(segment.body))


def _reads_otherwise_alone(segment: Segment) -> bool:
    """Without its neighbours it would make code of what follows, or is no longer in the code that they began."""
    return bool(FENCE.search(segment.text)) or not numbers_in(segment.text) <= set(segment.cited)
