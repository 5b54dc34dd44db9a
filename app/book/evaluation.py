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
    """Of the first passage that answers, from 1; None if it is not among the first DEPTH."""
    best: str
    """Heading path of the first passage."""


class Measures(msgspec.Struct, frozen=True):
    """Shares of 1."""

    questions: int
    recall_at_1: float
    recall_at_5: float
    recall_at_10: float
    mrr_at_10: float


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
    """Of the questions that the book answers."""
    outcomes = []
    for question in questions:
        if not question.gold_source:
            continue
        passages = await retriever.search(question.query, limit=DEPTH)
        ranks = [rank for rank, passage in enumerate(passages, 1) if question.is_answered_by(passage)]
        best = " > ".join(passages[0].heading_path) if passages else ""
        outcomes.append(Outcome(question, ranks[0] if ranks else None, best))
    return outcomes


def measure(outcomes: Sequence[Outcome]) -> Measures:
    ranks = [outcome.rank or DEPTH + 1 for outcome in outcomes]
    recalls = [sum(rank <= cut for rank in ranks) / len(ranks) for cut in CUTS]
    mrr = sum(1 / rank for rank in ranks if rank <= DEPTH) / len(ranks)
    return Measures(len(ranks), *(round(share, 4) for share in (*recalls, mrr)))


def by_style(outcomes: Sequence[Outcome]) -> dict[str, Measures]:
    """Each style, most questions first, and all of them together at last."""
    styles = sorted({outcome.question.style for outcome in outcomes})
    groups = {style: [o for o in outcomes if o.question.style == style] for style in styles}
    largest_first = sorted(groups, key=lambda style: -len(groups[style]))
    return {style: measure(groups[style]) for style in largest_first} | {"all": measure(outcomes)}
