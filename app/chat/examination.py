"""Whether a sentence of the model's is supported, and which passages prove it."""

import re
from collections.abc import Iterable, Sequence

from app.chat.events import Attribution
from app.chat.rulings import Proof, Ruling
from app.grounding.bodies import CELL_END
from app.grounding.claims import is_absence, is_bare_answer, is_claim, without_answer, without_lead
from app.grounding.code_lines import lines_in
from app.grounding.evidence import Evidence
from app.grounding.facts import problems
from app.grounding.links import Links
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
LONGEST = 1200
"""Characters of a sentence that is compared: the model's vectors see no more of it."""
BETTER, NEAR = 0.5, 0.2
"""So much better must a passage support a sentence than those that it cites, to take their place; and so much worse
than the best of those may one be that is cited, too.
"""
LABEL = frozenset(
    re.findall(
        r"\w+",
        """advantag aspect background basic benefit caus characterist common compar comparison concept conclus definit
        descript detail differ differenc disadvantag exampl factor featur function goal import introduct item kind key
        limit list main mean method name note number option order overview part point problem properti purpos reason
        requir result role similar solut stage step summari task term tip type unit use valu way work""",
    )
)
"""Stems of which a heading, the head of a table or an introduction may be made, and claim nothing."""


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
        self._evidence: list[Evidence] = []
        self._table_head: Segment | None = None

    async def examine(self, segment: Segment, cited_before: Iterable[int]) -> Ruling:
        if segment.kind == "code":
            return self._examine_code(segment)
        if segment.kind == "table_head":
            self._table_head = segment
        body = segment.body
        is_recited = self._recital.is_in(body, (passage.text for passage in self._shown))
        if len(body) > LONGEST or is_recited or is_bare_answer(body):
            return Ruling("unsupported")
        if is_absence(body):
            return Ruling(None if self._is_known(body) else "unsupported", is_claim=False)
        if not is_claim(body) or (segment.kind in {"heading", "table_head", "intro"} and self._is_label(segment)):
            return Ruling(is_claim=False)
        if segment.kind in {"heading", "table_head"}:
            return Ruling("unsupported", is_claim=False)
        said = without_lead(without_answer(body), self._is_section)
        ruling = await self._examine_claim(said, segment.cited, list(cited_before))
        return Ruling("fact") if ruling.proofs and self._is_under_other_heads(segment, ruling) else ruling

    async def _examine_claim(self, body: str, cited: Sequence[int], before: Sequence[int]) -> Ruling:
        """By what it cites itself, by what its paragraph cites, by any passage, by the conversation."""
        proofs, refuted = await self._by_model(body, cited, before)
        best = max((proof.support or 0.0 for proof in proofs), default=0.0)
        found = await self._judge.attribute(body, self._all()) if best < 1 - BETTER else None
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
                verdict = await self._judge.judge(body, [self._all()[n - 1] for n in numbers])
                if verdict.supported:
                    return await self._proofs(body, numbers, verdict), refuted
                if verdict.problems:
                    refuted = max(refuted or 0.0, verdict.refuted)
        return [], refuted

    async def _proofs(self, body: str, numbers: Sequence[int], together: Verdict) -> list[Proof]:
        """Of the passages that support the sentence each alone; of all together where none does."""
        if len(numbers) > 1:
            alone = [(n, await self._judge.judge(body, [self._all()[n - 1]])) for n in numbers]
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
        known = frozenset().union(*(one.stems for one in self._all()))
        if len(heads) != len(values) or not all(self._judge.evidence(one, ()).stems <= known for one in heads[1:]):
            return False
        columns = (f"{name}: {value}" for name, value in zip(heads[1:], values[1:], strict=True))
        cited = [self._all()[proof.n - 1] for proof in ruling.proofs]
        return bool(self._judge.faults(CELL_END.join([values[0], *columns]), cited))

    def _is_known(self, body: str) -> bool:
        """It speaks of nothing but what was asked."""
        asked = self._judge.evidence(self._question, ())
        return self._judge.evidence(body, ()).stems <= ABSENCE | asked.stems and not any(problems(body, [asked]))

    def _is_label(self, segment: Segment) -> bool:
        """It claims nothing. A heading may name what was asked or the passages' headings do, a table's their words."""
        known = LABEL
        if segment.kind == "heading":
            asked = self._judge.evidence(self._question, ()).stems
            known = known.union(asked, *(one.heading_stems for one in self._all()))
        elif segment.kind == "table_head":
            known = known.union(*(one.stems for one in self._all()))
        return self._judge.evidence(segment.body, ()).stems <= known and not any(problems(segment.body, self._all()))

    def _is_section(self, name: str) -> bool:
        stems = self._judge.evidence(name, ()).stems
        return bool(stems) and any(stems <= one.heading_stems for one in self._all())

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

    def _all(self) -> list[Evidence]:
        """Of the passages shown, in the order of their numbers."""
        for passage in self._shown[len(self._evidence) :]:
            self._evidence.append(self._judge.passage(passage.text, passage.heading_path))
        return self._evidence


def _proof(n: int, verdict: Verdict, by: Attribution = "model") -> Proof:
    return Proof(n, *verdict.quote, verdict.score, by)


class Uncritical:
    """Believes every number that the model puts."""

    def __init__(self, links: Links, shown: Sequence[FoundPassage]) -> None:
        self.links = links
        self._shown = shown

    async def examine(self, segment: Segment, cited_before: Iterable[int]) -> Ruling:  # noqa: ARG002 - as an Examiner
        return Ruling(proofs=[Proof(n, 0, len(self._shown[n - 1].text), None, "model") for n in segment.cited])
