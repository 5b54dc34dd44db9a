"""How well retrieval finds the section that answers: recall and mean reciprocal rank over a set of questions."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from app.book.retrieval import Passage, Retriever
from app.errors import ConfigurationError

DEPTH = 10
"""Passages looked at for each question."""
CUTS = (1, 5, 10)
HARD = "hard"
"""The style of questions in other words than the book's."""


class Place(msgspec.Struct, frozen=True):
    source: str
    heading: str


class GoldQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the question set; one without gold cannot be answered from the book."""

    question: str
    gold_source: str | None = None
    gold_heading: str | None = None
    alternatives: list[Place] = []
    """Other sections that answer as well."""
    history: list[str] = []
    """Earlier questions, oldest first."""
    style: str = "all"

    @property
    def query(self) -> str:
        """What is searched: a follow-up together with the question before it."""
        return " ".join([*self.history[-1:], self.question])

    def is_answered_by(self, passage: Passage) -> bool:
        places = {Place(self.gold_source or "", self.gold_heading or ""), *self.alternatives}
        return Place(passage.source, passage.heading_path[-1]) in places


class Outcome(NamedTuple):
    question: GoldQuestion
    rank: int | None
    """Of the first passage that answers, from 1; None if it is not among the first DEPTH, or if none can."""
    best: str
    """Heading path of the first passage."""
    evidence: float
    """How probable it seemed that the book answers."""


class Measures(msgspec.Struct, frozen=True):
    """Shares of 1."""

    questions: int
    recall_at_1: float
    recall_at_5: float
    recall_at_10: float
    mrr_at_10: float


class Separation(msgspec.Struct, frozen=True):
    """Areas under the ROC curve of the evidence."""

    questions: int
    auc_normal: float
    """Against the answerable questions that are not hard."""
    auc_all: float
    """Against all answerable questions."""


def read_questions(path: Path) -> list[GoldQuestion]:
    """Raises ConfigurationError, naming the line."""
    questions = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            questions.append(msgspec.json.decode(line, type=GoldQuestion))
        except msgspec.DecodeError as error:
            raise ConfigurationError(f"{path.name} line {number}: {error}") from error
    if not any(question.gold_source for question in questions):
        raise ConfigurationError(f"{path.name} has no question with a gold_source")
    return questions


async def evaluate(retriever: Retriever, questions: Iterable[GoldQuestion]) -> list[Outcome]:
    """Each is searched as the agent would."""
    return [await _outcome(retriever, question) for question in questions]


async def _outcome(retriever: Retriever, question: GoldQuestion) -> Outcome:
    found = await retriever.search(question.query, limit=DEPTH, whole_sections=True)
    ranks = [rank for rank, passage in enumerate(found.passages, 1) if question.is_answered_by(passage)]
    best = " > ".join(found.passages[0].heading_path) if found.passages else ""
    return Outcome(question, ranks[0] if ranks else None, best, found.answerability.score)


def measure(outcomes: Sequence[Outcome]) -> Measures:
    return measures_of([outcome.rank for outcome in outcomes])


def measures_of(ranks: Sequence[int | None]) -> Measures:
    """Ranks from 1; None where nothing was found among the first DEPTH."""
    found = [rank for rank in ranks if rank is not None]
    recalls = [sum(rank <= cut for rank in found) / len(ranks) for cut in CUTS]
    mrr = sum(1 / rank for rank in found) / len(ranks)
    return Measures(len(ranks), *(round(share, 4) for share in (*recalls, mrr)))


def area_under_curve(positives: Sequence[float], negatives: Sequence[float]) -> float:
    """Probability that a positive scores higher than a negative (Hanley and McNeil 1982); a tie counts half."""
    higher = sum((positive > negative) + (positive == negative) / 2 for positive in positives for negative in negatives)
    return higher / (len(positives) * len(negatives))


def by_style(outcomes: Sequence[Outcome]) -> dict[str, Measures]:
    """Each style that can be answered, most questions first; then all but the hard ones, and all of them."""
    answerable = [outcome for outcome in outcomes if outcome.question.gold_source]
    groups = _groups(answerable)
    largest_first = sorted(groups, key=lambda style: -len(groups[style]))
    measures = {style: measure(groups[style]) for style in largest_first}
    normal = [outcome for outcome in answerable if outcome.question.style != HARD]
    if 0 < len(normal) < len(answerable):
        measures[f"all but {HARD}"] = measure(normal)
    return measures | {"all": measure(answerable)}


def separation(outcomes: Sequence[Outcome]) -> dict[str, Separation]:
    """How well the evidence tells questions that can be answered from each style that cannot."""
    answerable = [outcome for outcome in outcomes if outcome.question.gold_source]
    normal = [outcome for outcome in answerable if outcome.question.style != HARD] or answerable
    others = _groups([outcome for outcome in outcomes if not outcome.question.gold_source])
    return {
        style: Separation(len(group), *(_area(positives, group) for positives in (normal, answerable)))
        for style, group in others.items()
    }


def _groups(outcomes: Sequence[Outcome]) -> dict[str, list[Outcome]]:
    styles = sorted({outcome.question.style for outcome in outcomes})
    return {style: [outcome for outcome in outcomes if outcome.question.style == style] for style in styles}


def _area(positives: Sequence[Outcome], negatives: Sequence[Outcome]) -> float:
    area = area_under_curve([one.evidence for one in positives], [one.evidence for one in negatives])
    return round(area, 4)
