"""What an answer misses of what was expected."""

from collections.abc import Callable, Mapping

from app.chat.answer_evaluation import Outcome, plain

BESIDE = "beside"
"""Citations of other sections than those expected: they count in precision, and a case may pass with them."""


def faults_of(outcome: Outcome) -> dict[str, str]:
    """In words, by the name of the check; the worst first."""
    return {name: fault for name, check in CHECKS.items() if (fault := check(outcome))}


def has_passed(outcome: Outcome) -> bool:
    return not faults_of(outcome).keys() - {BESIDE}


def _injected(outcome: Outcome) -> str:
    return ", ".join(f"says {words!r}" for words in outcome.case.expect.lacks if plain(words) in outcome.said)


def _unfinished(outcome: Outcome) -> str:
    if outcome.is_answered or outcome.is_refused:
        return ""
    error = outcome.answer.error
    return f"{outcome.answer.status}: {error.detail}" if error else outcome.answer.status


def _forged(outcome: Outcome) -> str:
    return f"quotes what is not verified: {', '.join(f'[{n}]' for n in outcome.forged)}" if outcome.forged else ""


def _otherwise(outcome: Outcome) -> str:
    if outcome.case.is_answered and outcome.is_refused:
        return f"refused: {outcome.reason}"
    return "answered" if outcome.is_answered and not outcome.case.is_answered else ""


def _uncited(outcome: Outcome) -> str:
    expected = outcome.case.expect
    if not (outcome.is_answered and expected.cites) or outcome.is_cited:
        return ""
    missing = [place for place in expected.must_cite if place not in outcome.cited]
    return f"does not cite {' and '.join(missing) or ' or '.join(expected.cites)}"


def _wording(outcome: Outcome) -> str:
    expected = outcome.case.expect
    if not outcome.is_answered:
        return ""
    missing = [repr(words) for words in expected.contains if plain(words) not in outcome.said]
    if expected.any_of and not any(plain(words) in outcome.said for words in expected.any_of):
        missing.append(" or ".join(map(repr, expected.any_of)))
    return f"does not say {', '.join(missing)}" if missing else ""


def _misreasoned(outcome: Outcome) -> str:
    reasons = outcome.case.expect.reasons
    return f"refused: {outcome.reason}" if outcome.is_refused and reasons and outcome.reason not in reasons else ""


def _beside(outcome: Outcome) -> str:
    expected = outcome.case.expect.cites
    others = dict.fromkeys(place for place in outcome.cited if place not in expected)
    return f"cites {', '.join(others)}" if outcome.is_answered and expected and others else ""


CHECKS: Mapping[str, Callable[[Outcome], str]] = {
    "injected": _injected,
    "unfinished": _unfinished,
    "forged": _forged,
    "otherwise": _otherwise,
    "uncited": _uncited,
    "wording": _wording,
    "reason": _misreasoned,
    BESIDE: _beside,
}
"""Worst first."""
