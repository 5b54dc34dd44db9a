"""How good answers are, and what they cost, over many cases."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from app.chat.answer_evaluation import Outcome
from app.chat.answer_faults import CHECKS, faults_of, has_passed

P50, P95 = 0.5, 0.95
UNANSWERABLE = ("off-topic", "absent")


class Measures(msgspec.Struct, frozen=True, kw_only=True):
    """Shares of 1, unless said otherwise; null where no case shows it."""

    cases: int
    """How many."""
    passed: float | None
    """All that is expected of the case holds."""
    citation_precision: float | None
    """Of the citations of questions that have sections which answer: those of these sections."""
    citation_recall: float | None
    """Of the questions that have sections which answer: those that are answered and cite them."""
    verified: float | None
    """Of all citations: verified by the turn, and the source file has their quotes where they say."""
    contains: float | None
    """Of the answered questions with expected words: those whose answers say them."""
    off_topic_refused: float | None
    absent_refused: float | None
    unanswerable_refused: float | None
    """Off-topic and absent ones."""
    wrongly_refused: float | None
    """Of all that are to be answered."""
    refusal_reasons: float | None
    """Of the refusals that are right: those with an expected reason."""
    supported_sentences: float | None
    """Of the sentences that were compared with the passages."""
    injected: int
    """How many cases say what they must not."""
    failed: int
    """How many turns did not come to an end of their own."""
    p50_ms: float | None
    p95_ms: float | None
    first_text_p50_ms: float | None
    first_text_p95_ms: float | None
    input_tokens: float | None
    """Mean of the questions that were answered; so are the next two."""
    output_tokens: float | None
    model_calls: float | None


LESS_IS_BETTER = {
    *("wrongly_refused", "injected", "failed", "p50_ms", "p95_ms", "first_text_p50_ms", "first_text_p95_ms"),
    *("input_tokens", "output_tokens", "model_calls"),
}


class Requirement(NamedTuple):
    name: str
    """Of a measure."""
    value: float
    """The least that is enough, or the most, by what is better."""

    def is_met(self, measures: Measures) -> bool:
        """What was not measured meets nothing."""
        measured = getattr(measures, self.name)
        if measured is None:
            return False
        return bool(measured <= self.value if self.name in LESS_IS_BETTER else measured >= self.value)


def measure(outcomes: Sequence[Outcome]) -> Measures:
    return Measures(
        cases=len(outcomes),
        passed=_share(map(has_passed, outcomes)),
        injected=sum("injected" in faults_of(one) for one in outcomes),
        failed=sum("unfinished" in faults_of(one) for one in outcomes),
        supported_sentences=_supported(outcomes),
        **_citing(outcomes),
        **_refusing(outcomes),
        **_costing(outcomes),
    )


def by_style(outcomes: Sequence[Outcome]) -> dict[str, Measures]:
    """In the order of the cases."""
    styles = dict.fromkeys(one.case.style for one in outcomes)
    return {style: measure([one for one in outcomes if one.case.style == style]) for style in styles}


def worst(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Those with a fault; first the gravest, then the most."""
    checks = list(CHECKS)
    ranked = [([checks.index(name) for name in faults], one) for one in outcomes if (faults := faults_of(one))]
    return [one for _, one in sorted(ranked, key=lambda pair: (pair[0][0], -len(pair[0])))]


def _citing(outcomes: Sequence[Outcome]) -> dict[str, float | None]:
    to_cite = [one for one in outcomes if one.case.expect.cites]
    answered = [one for one in to_cite if one.is_answered]
    worded = [one for one in outcomes if one.is_answered and (one.case.expect.contains or one.case.expect.any_of)]
    return {
        "citation_precision": _share(place in one.case.expect.cites for one in answered for place in one.cited),
        "citation_recall": _share(one.is_answered and one.is_cited for one in to_cite),
        "verified": _share(found.n not in one.forged for one in outcomes for found in one.answer.citations),
        "contains": _share("wording" not in faults_of(one) for one in worded),
    }


def _refusing(outcomes: Sequence[Outcome]) -> dict[str, float | None]:
    rightly = [one for one in outcomes if one.is_refused and not one.case.is_answered]
    return {
        "off_topic_refused": _share(one.is_refused for one in outcomes if one.case.style == "off-topic"),
        "absent_refused": _share(one.is_refused for one in outcomes if one.case.style == "absent"),
        "unanswerable_refused": _share(one.is_refused for one in outcomes if one.case.style in UNANSWERABLE),
        "wrongly_refused": _share(one.is_refused for one in outcomes if one.case.is_answered),
        "refusal_reasons": _share("reason" not in faults_of(one) for one in rightly),
    }


def _costing(outcomes: Sequence[Outcome]) -> dict[str, float | None]:
    timings = [one.answer.timings for one in outcomes]
    totals = [timing.total_ms for timing in timings]
    firsts = [timing.first_text_ms for timing in timings if timing.first_text_ms is not None]
    usages = [one.answer.usage for one in outcomes if one.is_answered]
    return {
        "p50_ms": _percentile(totals, P50),
        "p95_ms": _percentile(totals, P95),
        "first_text_p50_ms": _percentile(firsts, P50),
        "first_text_p95_ms": _percentile(firsts, P95),
        "input_tokens": _mean([usage.input_tokens for usage in usages]),
        "output_tokens": _mean([usage.output_tokens for usage in usages]),
        "model_calls": _mean([usage.model_calls for usage in usages]),
    }


def _supported(outcomes: Sequence[Outcome]) -> float | None:
    grounding = [one.answer.grounding for one in outcomes]
    sentences = sum(one.sentences for one in grounding)
    return 1 - sum(one.withheld for one in grounding) / sentences if sentences else None


def _share(flags: Iterable[bool]) -> float | None:
    return _mean(list(flags))


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _percentile(values: Sequence[float], share: float) -> float | None:
    """Nearest rank."""
    return sorted(values)[math.ceil(share * len(values)) - 1] if values else None
