"""What a sentence may not get wrong: numbers with their units, dates, versions and identifiers are in the evidence."""

import re
from collections.abc import Iterator, Sequence
from itertools import chain
from math import isclose

from app.book.bm25 import STOP_WORDS
from app.grounding.asides import of_another_name
from app.grounding.counts import wrong_counts
from app.grounding.evidence import Evidence
from app.grounding.identifiers import identifiers, missing, missing_commands, missing_formulas, missing_requests
from app.grounding.quantities import LIST_NUMBER, Quantity, quantities
from app.grounding.statements import LABEL
from app.grounding.units import CURRENCIES, TIME, Unit, unit_at
from app.grounding.words import MONTHS, is_same_family

VERSION = re.compile(
    r"(?<![\w.])v?(?P<version>\d+(?:\.\d+){2,}(?:-?[a-z]+\d*)?)(?!\w)|(?<!\w)v(?P<short>\d+(?:\.\d+)?)(?!\w)"
)
DATE = re.compile(r"(?<!\d)\d{4}-\d{2}(?:-\d{2})?(?!\d)")
MONTH = re.compile(rf"\b(?:{MONTHS})\b(?=\s+\d)|(?:(?<=\bin )|(?<=\d )|(?<=\d(?:st|nd|rd|th) ))(?:{MONTHS})\b")
_DAY = r"\d{1,2}(?:st|nd|rd|th)?\b"
_TO = r"\s?(?:[-–,]|and|to|or)\s?"
DATED = re.compile(
    rf"(?P<days>(?:\b{_DAY}(?:{_TO}|\s+(?:of\s+)?)){{0,4}})\b(?P<month>{MONTHS})\b"
    rf"(?P<more_days>(?:\s+{_DAY}(?:{_TO}{_DAY})?)?)(?:(?:,|\s+of)?\s+(?P<year>\d{{4}})\b)?"
)
NO_NAMES = STOP_WORDS | {
    "around",
    "within",
    "since",
    "nearly",
    "roughly",
    "almost",
    "approximately",
    "exactly",
    "every",
}
"""Words before a number that is not theirs, as months are."""
NAMED_NUMBER = re.compile(r"\b(?P<name>[A-Z][\w+]*)[ -](?P<number>\d+(?:\.\d+)*)(?![\w%°]|\.\d)")
COUNTING = re.compile(
    r"(?:\b(?:There|there) (?:are|were)|\b(?:has|have|had)|\A(?:The|These|Its|All))(?: only| exactly)? \Z"
)
COUNTED = re.compile(r"(?: [a-z][\w-]*)? [a-z][\w-]*s\b")
LONGEST_LIST = 10
NEAR = 24
"""Letters between a number and what it counts."""
EMPHASIS = re.compile(r"(?<![*\w])(?P<mark>\*{1,2}|_)(?=\S)(?P<term>[\w-]+)(?P=mark)(?![*\w])")
ACRONYM = re.compile(r"(?<![\w-])[A-Z][A-Z0-9]*[A-Z](?:s|es)?\b|(?<![\w-])[A-Z]{2,}\d+\b")
EVERYDAY = {"TV", "OK", "PC"}
LONG_ACRONYM = 4
"""One of so many letters may stand at the end of a word ("rmw_fastrtps")."""
BOUNDARY = r"(?<![^\W_])"
MEASURED_IN = re.compile(
    r"\b(?:(?:nano|micro|milli)?seconds|minutes|hours|days|weeks|months|years|decades|centuries"
    r"|(?:kilo|centi|milli|micro)?met(?:re|er)s|(?:kilo)?grams|newtons|(?:kilo|milli)?volts|(?:kilo|milli)?watts"
    r"|(?:kilo|mega|giga)?hertz|radians|(?:kilo|mega|giga)bytes)\b"
)
"""Units that are no other words, without a number."""


def problems(sentence: str, cited: Sequence[Evidence]) -> Iterator[str]:
    """Each says what is not in the passages."""
    plain = LIST_NUMBER.sub("", sentence)
    evidence = "\n".join(one.flat for one in cited)
    yield from _wrong_literals(plain, evidence)
    yield from _wrong_names(plain, evidence)
    yield from _wrong_terms(plain, cited)
    counted = quantities(without_literals(plain))
    for quantity in counted:
        if quantity.is_claim and not is_stated(quantity, cited) and not _is_length(quantity, plain, cited):
            yield f"the number {plain[quantity.start : quantity.end]} is not in the passage"
    for number, name in of_another_name(plain, evidence):
        yield f"the number {number} is not said of {name} in the passage"
    yield from wrong_counts(plain, cited)
    yield from _wrong_units(plain, counted, cited)
    for name in missing(identifiers(plain), evidence):
        yield f"the name {name} is not in the passage"
    for code in chain(missing_commands(plain, evidence), missing_formulas(plain, evidence)):
        yield f"{code} is not in the passage"
    for request in missing_requests(plain, "\n".join(one.whole for one in cited)):
        yield f"the passage has another verb than {request}"


def is_stated(quantity: Quantity, cited: Sequence[Evidence]) -> bool:
    """With its unit; a number of a table may have it in the head, one of code in the name before it."""
    if any(quantity.is_stated_by(other) for one in cited for other in (*one.quantities, *one.durations)):
        return True
    if quantity.unit is None:
        return any(quantity.value in one.loose for one in cited)
    return any(_is_written_apart(quantity.value, unit, one) for one in cited for unit in _loose_units(quantity))


def _is_length(quantity: Quantity, sentence: str, cited: Sequence[Evidence]) -> bool:
    """Of "There are three plans" where a list or a table has so many, and no other number of plans is given."""
    counted = COUNTED.match(sentence, quantity.end)
    if quantity.unit or not 1 < quantity.value <= LONGEST_LIST or not counted:
        return False
    if not COUNTING.search(sentence, 0, quantity.start):
        return False
    names = counted.group().lower().split()
    return any(
        quantity.value in one.lengths
        and any(name.removesuffix("s") in one.folded for name in names)
        and not any(names[-1] in one.whole[other.end : other.end + NEAR].lower() for other in one.quantities)
        for one in cited
    )


def _loose_units(quantity: Quantity) -> Iterator[Unit]:
    """Currencies and times of rates may stand elsewhere than their numbers: "Prices are in euros."."""
    unit = quantity.unit
    if unit is not None and quantity.is_of_things:
        yield Unit(TIME, 1 / unit.factor)
    elif unit is not None and CURRENCIES.issuperset(name for name, _ in unit.dimension):
        yield unit


def _is_written_apart(value: float, unit: Unit, one: Evidence) -> bool:
    bare = any(other.unit is None and other.value == value for other in one.quantities)
    return bare and any(other.dimension == unit.dimension and isclose(other.factor, unit.factor) for other in one.units)


def _wrong_units(sentence: str, counted: Sequence[Quantity], cited: Sequence[Evidence]) -> Iterator[str]:
    """Of "a few seconds", where no number is."""
    for match in MEASURED_IN.finditer(sentence):
        name, unit = match.group(), unit_at(match.group(), 0)[0]
        is_counted = any(one.start <= match.start() < one.end for one in counted)
        if not is_counted and not any(name in one.words or unit in one.units for one in cited):
            yield f"the unit {name} is not in the passage"


def _wrong_literals(sentence: str, evidence: str) -> Iterator[str]:
    for match in VERSION.finditer(sentence):
        version = match["version"] or match["short"]
        if not re.search(rf"(?<![\d.]){re.escape(version)}(?![\w]|\.\d)", evidence):
            yield f"the version {match.group()} is not in the passage"
    for match in chain(DATE.finditer(sentence), MONTH.finditer(sentence)):
        if match.group() not in evidence:
            yield f"the date {match.group()} is not in the passage"
    said = [*_dates(evidence)]
    for month, part, number in _dates(sentence):
        others = [one for one in said if one[:2] == (month, part)]
        if others and (month, part, number) not in others:
            yield f"the date {number} {month} is not in the passage"


def _dates(text: str) -> Iterator[tuple[str, str, int]]:
    """Of each date the month with its days, and with the year."""
    for match in DATED.finditer(text):
        for day in re.findall(r"\d+", match["days"] + match["more_days"]):
            yield match["month"], "day", int(day)
        if match["year"]:
            yield match["month"], "year", int(match["year"])


def _wrong_names(sentence: str, evidence: str) -> Iterator[str]:
    """A name that has a number here and only other numbers in the evidence."""
    for match in NAMED_NUMBER.finditer(sentence):
        if match["name"].lower() in NO_NAMES or re.fullmatch(MONTHS, match["name"]):
            continue
        name, number = re.escape(match["name"]), re.escape(match["number"])
        others = re.search(rf"\b{name}[ -]\d", evidence)
        if others and not re.search(rf"\b{name}[ -]{number}(?![\w]|\.\d)", evidence):
            yield f"{match.group()} is not in the passage"


def _wrong_terms(sentence: str, cited: Sequence[Evidence]) -> Iterator[str]:
    """Acronyms and emphasised words."""
    for acronym in sorted(set(ACRONYM.findall(sentence)) - EVERYDAY):
        if unit_at(acronym, 0)[0] is not None:
            continue
        name = acronym.removesuffix("s").lower()
        pattern = rf"{'' if len(name) >= LONG_ACRONYM else BOUNDARY}{re.escape(name)}"
        if not any(re.search(pattern, one.folded) for one in cited):
            yield f"the name {acronym} is not in the passage"
    for match in EMPHASIS.finditer(sentence, label.end() if (label := LABEL.match(sentence)) else 0):
        term = match["term"].lower()
        known = term in STOP_WORDS or any(term in one.folded for one in cited)
        if not known and not any(is_same_family(term, word) for one in cited for word in one.words):
            yield f"the term {match['term']} is not in the passage"


def without_literals(sentence: str) -> str:
    """Of the same length."""
    for pattern in (VERSION, DATE):
        sentence = pattern.sub(lambda match: " " * len(match.group()), sentence)
    return sentence
