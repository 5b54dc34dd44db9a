"""Whether a passage gives what is labelled another number than an answer does under that label."""

from collections.abc import Iterator, Sequence

from app.grounding.evidence import Evidence
from app.grounding.quantities import Quantity, quantities
from app.grounding.statements import Statement


def has_another_number(labels: Evidence, item: Evidence, passages: Sequence[Evidence]) -> bool:
    """Statements of the label and of the item's words have numbers, but none of them the item's."""
    claimed = [one for one in quantities(item.text) if one.is_claim]
    words = frozenset(stem for stem in item.stems if not stem.isdigit())
    there = [_numbers(evidence, one) for evidence in passages for one in _of(labels, words, evidence)]
    rivals = [numbers for numbers in there if numbers]
    return bool(claimed and rivals) and not any(_states(numbers, claimed) for numbers in rivals)


def _of(labels: Evidence, words: frozenset[str], evidence: Evidence) -> Iterator[Statement]:
    """Statements that speak of all of the label that any of the passage's does."""
    known = labels.stems & frozenset[str]().union(*(one.leaning_on for one in evidence.statements))
    return (one for one in evidence.statements if known and known | words <= one.leaning_on)


def _numbers(evidence: Evidence, statement: Statement) -> list[Quantity]:
    return quantities(evidence.said(statement))


def _states(there: Sequence[Quantity], claimed: Sequence[Quantity]) -> bool:
    return all(any(one._replace(unit=None).is_stated_by(other) for other in there) for one in claimed)
