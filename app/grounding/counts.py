"""Durations and counts without a number, "for a day" and "twice a week", where the passages give others."""

import re
from collections.abc import Iterator, Sequence

from app.grounding.evidence import Evidence
from app.grounding.quantities import Quantity, durations
from app.grounding.units import PER_TIME, TIME, TIME_WORDS, rate_at

COUNTS = {"once": 1.0, "twice": 2.0, "thrice": 3.0}
COUNT = re.compile(
    r"(?<!at )\b(?P<word>thrice|twice(?!\s+(?:as|the|that|its|their)\b)"
    rf"|once(?=\s*(?:[.,;:)]|\Z)|\s+(?:(?:per|an?|each|every)\s+(?:{TIME_WORDS})|in|for|during|before|after|on|by|and|or)\b))\b",
    re.IGNORECASE,
)
"""Of "once" only what is no conjunction."""
ONE = r"(?:an?|one|each|every|per|the)\s+(?:\w+\s+)?"
EVERY = r"(?:each|every)\s+"
ADVERBS = {"day": "daily", "year": "annually"}


def wrong_counts(sentence: str, cited: Sequence[Evidence]) -> Iterator[str]:
    """Only where the passages have another one, and no sign of this one."""
    for duration in durations(sentence):
        said = sentence[duration.start : duration.end]
        others = [other for one in cited for other in (*one.quantities, *one.durations) if _is_of(other, TIME)]
        if others and not any(duration.is_stated_by(other) for other in others) and not _has(ONE, said, cited):
            yield f"the duration {said} is not in the passage"
    for match in COUNT.finditer(sentence):
        if not _is_counted(sentence, match, cited):
            yield f"the passage does not say {match.group()}"


def _is_counted(sentence: str, match: re.Match[str], cited: Sequence[Evidence]) -> bool:
    value = COUNTS[match["word"].lower()]
    rate, end = rate_at(sentence, match.end())
    has_value = any(value in one.loose or any(other.value == value for other in one.quantities) for one in cited)
    if rate is None:
        return has_value or not any(COUNT.search(one.whole) for one in cited)
    said = Quantity(value, rate, match.start(), end)
    rates = [other for one in cited for other in (*one.quantities, *_rates(one.whole)) if _is_of(other, PER_TIME)]
    if not rates or any(said.is_stated_by(other) for other in rates):
        return True
    return (has_value or value == 1) and _has(EVERY, sentence[match.end() : end], cited)


def _rates(text: str) -> Iterator[Quantity]:
    for match in COUNT.finditer(text):
        rate, end = rate_at(text, match.end())
        if rate is not None:
            yield Quantity(COUNTS[match["word"].lower()], rate, match.start(), end)


def _is_of(quantity: Quantity, dimension: tuple[tuple[str, int], ...]) -> bool:
    return quantity.unit is not None and quantity.unit.dimension == dimension


def _has(determiners: str, said: str, cited: Sequence[Evidence]) -> bool:
    """The passages have "each week" or "weekly" for "a week"."""
    name = said.rsplit(maxsplit=1)[-1].lower()
    spoken = re.compile(
        rf"(?<!twice )(?<!thrice )\b(?:{determiners}{name}|{name}ly|{ADVERBS.get(name, name + 'ly')})\b"
    )
    return any(spoken.search(one.folded) for one in cited)
