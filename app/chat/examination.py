"""Whether a sentence of the model's is supported, and which passages prove it."""

import re
from collections.abc import Iterable, Sequence

from app.chat.events import Attribution
from app.chat.labels import Labels
from app.chat.rulings import Proof, Ruling
from app.chat.shown_passages import ShownPassages
from app.grounding.bodies import CELL_END
from app.grounding.claims import is_absence, is_bare_answer, is_claim, without_answer, without_lead
from app.grounding.code_lines import lines_in
from app.grounding.facts import problems
from app.grounding.links import Links
from app.grounding.owners import has_another_number
from app.grounding.polarity import is_limited
from app.grounding.recital import Recital
from app.grounding.sentences import Segment
from app.grounding.support import Judge, Verdict
from tools.context import FoundPassage, PastExchange

RECALLED = "Earlier in this conversation you asked the question: {question}\nI answered: {answer}"
"""In words that a sentence about the conversation may use."""

SPOKEN = re.compile(
    r"\b(?:ask|asked|question|questions|answer|answered|answers|said|told|talked|discussed|mentioned|wanted|conversation)\b",
    re.IGNORECASE,
)
"""What makes a sentence one about the conversation."""
ABSENCE = frozenset(
    re.findall(
        r"\w+",
        """address anyth answer book chapter contain cover describ detail direct discuss exact explain explicit further
        give howev includ inform mention more noth page passag provid question said say section sourc specif specifi
        state text treat unfortun although""",
    )
)
"""Stems of which a sentence may be made that says what the book leaves out."""
SHORT = 5
"""Stems; an item of fewer says little by itself."""
LONGEST = 1200
"""Characters of a sentence that is compared: the model's vectors see no more of it."""
BETTER, NEAR = 0.5, 0.2
"""So much better must a passage support a sentence than those that it cites, to take their place; and so much worse
than the best of those may one be that is cited, too.
"""


class Examiner:
    """Of one turn. `shown` are its passages, and `recalled` what was looked up of the conversation; both grow.

    `orders`: the model's, which no sentence may recite.
    """

    def __init__(
        self,
        judge: Judge,
        links: Links,
        question: str,
        shown: Sequence[FoundPassage],
        recalled: Sequence[PastExchange] = (),
        orders: str = "",
    ) -> None:
        self._judge = judge
        self.links = links
        self._question = question
        self._shown = shown
        self._recalled = recalled
        self._recital = Recital(orders)
        self._passages = ShownPassages(judge, shown)
        self._labels = Labels(judge, question, self._passages)
        self._table_head: Segment | None = None

    async def examine(self, segment: Segment, cited_before: Iterable[int], above: Sequence[str] = ()) -> Ruling:
        if segment.kind == "code":
            return self._examine_code(segment)
        if segment.kind == "table_head":
            self._table_head = segment
        ruling = self._without_examining(segment)
        if ruling is not None:
            return ruling
        labels = self._labels.named(above, segment.body) if segment.kind in {"item", "intro"} else []
        said = without_lead(without_answer(segment.body), self._is_section)
        ruling = await self._examine_under(labels, said, segment.cited, list(cited_before))
        if ruling.proofs and self._is_under_other_heads(segment, ruling):
            return Ruling("fact")
        return ruling._replace(is_label=segment.kind == "intro" and self._labels.has_all_of(segment))

    def _without_examining(self, segment: Segment) -> Ruling | None:
        body = segment.body
        is_recited = self._recital.is_in(body, (passage.text for passage in self._shown))
        if len(body) > LONGEST or is_recited or is_bare_answer(body):
            return Ruling("unsupported")
        if is_absence(body):
            return Ruling(None if self._is_known(body) else "unsupported", is_claim=False)
        if not is_claim(body) or (
            segment.kind in {"heading", "table_head", "intro"} and self._labels.is_label(segment)
        ):
            return Ruling(is_claim=False)
        return Ruling("unsupported", is_claim=False) if segment.kind in {"heading", "table_head"} else None

    async def _examine_under(
        self, labels: Sequence[str], body: str, cited: Sequence[int], before: Sequence[int]
    ) -> Ruling:
        """A short item says what it says of its labels; another may say it by itself."""
        if not labels:
            return await self._examine_claim(body, cited, before)
        label, said = ": ".join(labels), self._judge.evidence(body, ())
        if has_another_number(self._judge.evidence(label, ()), said, self._passages.all()):
            return Ruling("fact")
        if len(said.stems) >= SHORT and not is_limited(label):
            alone = await self._examine_claim(body, cited, before)
            if alone.reason is None:
                return alone
        return await self._examine_claim(f"{label}: {body}", cited, before)

    async def _examine_claim(self, body: str, cited: Sequence[int], before: Sequence[int]) -> Ruling:
        """By what it cites itself, by what its paragraph cites, by any passage, by the conversation."""
        proofs, refuted = await self._by_model(body, cited, before)
        best = max((proof.support or 0.0 for proof in proofs), default=0.0)
        found = await self._judge.attribute(body, self._passages.all()) if best < 1 - BETTER else None
        if found is not None and found[1].score > (best + BETTER if proofs else refuted or 0.0):
            proofs = [_proof(found[0] + 1, found[1], "code")]
        if proofs:
            return Ruling(proofs=proofs, disagrees=bool(cited) and not {proof.n for proof in proofs} <= {*cited})
        if self._recalled and await self._is_recalled(body):
            return Ruling()
        return Ruling("unsupported" if refuted is None else "fact")

    async def _by_model(
        self, body: str, cited: Sequence[int], before: Sequence[int]
    ) -> tuple[list[Proof], float | None]:
        """Proofs by the first numbers that support it; and where some have its facts otherwise, how surely."""
        refuted: float | None = None
        for numbers in (cited, before):
            if numbers:
                verdict = await self._judge.judge(body, [self._passages.all()[n - 1] for n in numbers])
                if verdict.supported:
                    return await self._proofs(body, numbers, verdict), refuted
                if verdict.problems:
                    refuted = max(refuted or 0.0, verdict.refuted)
        return [], refuted

    async def _proofs(self, body: str, numbers: Sequence[int], together: Verdict) -> list[Proof]:
        """Of the passages that support the sentence each alone; of all together where none does."""
        if len(numbers) > 1:
            alone = [(n, await self._judge.judge(body, [self._passages.all()[n - 1]])) for n in numbers]
            best = max(verdict.score for _, verdict in alone)
            proofs = [_proof(n, one) for n, one in alone if one.supported and one.score >= best - NEAR]
            if proofs:
                return proofs
        return [Proof(n, *span, together.score, "model") for n, span in zip(numbers, together.quotes, strict=True)]

    def _examine_code(self, segment: Segment) -> Ruling:
        """All of its lines stand in one passage."""
        for n, passage in enumerate(self._shown, 1):
            span = lines_in(passage.text, segment.body)
            if span is not None:
                return Ruling(proofs=[Proof(n, *span, 1.0, "code")])
        return Ruling("unsupported")

    def _is_under_other_heads(self, row: Segment, ruling: Ruling) -> bool:
        """The passages have a value of the row in another column than the answer's table."""
        head = self._table_head
        if row.kind != "row" or head is None or head.paragraph != row.paragraph:
            return False
        heads, values = (one.body.split(CELL_END) for one in (head, row))
        known = self._passages.stems()
        if len(heads) != len(values) or not all(self._judge.evidence(one, ()).stems <= known for one in heads[1:]):
            return False
        columns = (f"{name}: {value}" for name, value in zip(heads[1:], values[1:], strict=True))
        cited = [self._passages.all()[proof.n - 1] for proof in ruling.proofs]
        return bool(self._judge.faults(CELL_END.join([values[0], *columns]), cited))

    def _is_known(self, body: str) -> bool:
        """It speaks of nothing but what was asked."""
        asked = self._judge.evidence(self._question, ())
        return self._judge.evidence(body, ()).stems <= ABSENCE | asked.stems and not any(problems(body, [asked]))

    def _is_section(self, name: str) -> bool:
        stems = self._judge.evidence(name, ()).stems
        return bool(stems) and any(stems <= one.heading_stems for one in self._passages.all())

    async def _is_recalled(self, body: str) -> bool:
        """It says of the conversation what was said in it, or repeats a question or a part of an answer."""
        said = [" ".join(text.split()) for one in self._recalled for text in (one.question, one.answer)]
        if any(" ".join(body.split()) in text for text in said):
            return True
        told = "\n\n".join(RECALLED.format(question=one.question, answer=one.answer) for one in self._recalled)
        return (
            SPOKEN.search(body) is not None
            and (await self._judge.judge(body, [self._judge.evidence(told, ())])).supported
        )


def _proof(n: int, verdict: Verdict, by: Attribution = "model") -> Proof:
    return Proof(n, *verdict.quote, verdict.score, by)


class Uncritical:
    """Believes every number that the model puts."""

    def __init__(self, links: Links, shown: Sequence[FoundPassage]) -> None:
        self.links = links
        self._shown = shown

    async def examine(
        self,
        segment: Segment,
        cited_before: Iterable[int],  # noqa: ARG002 - as an Examiner
        above: Sequence[str] = (),  # noqa: ARG002 - as an Examiner
    ) -> Ruling:
        return Ruling(proofs=[Proof(n, 0, len(self._shown[n - 1].text), None, "model") for n in segment.cited])
