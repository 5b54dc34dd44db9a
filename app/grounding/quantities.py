"""Numbers in prose as values, each with the unit after it: "1,000", "1e3" and "a thousand"; "10 Hz" and "ten hertz"."""

import math
import re
from collections.abc import Iterator
from typing import NamedTuple

from app.grounding.units import CENTURY, TIME, TIME_WORDS, Unit, rate_at, unit_at, unit_of_symbol
from app.grounding.words import MONTHS, NUMERALS

SCALES = {"dozen": 12.0, "hundred": 100.0, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
SUFFIXES = {"k": 1e3, "M": 1e6, "m": 1e6, "mn": 1e6, "bn": 1e9}
LOOSE = re.compile(
    r"\b(?:(?P<two>both|pairs?|twice|doubl\w+)|(?P<one>once|single|one)|(?P<three>tripl\w+)|(?P<four>quadrupl\w+))\b"
)
"""Words that support a number but don't claim one."""
_TENS = "|".join(word for word, value in NUMERALS.items() if value >= 20)  # noqa: PLR2004
_ONES = "|".join(word for word, value in NUMERALS.items() if value < 20)  # noqa: PLR2004
_DIGITS = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\d.]*\d)|\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3}(?!\w))?|\.\d+"
_BEFORE_DIGITS = (
    r"(?:(?<![^\W_])(?<![.^\[])(?<!\w_)|(?<=\^)(?<![\w)\]}]\^)"
    rf"|(?<=\[)(?<![\w)\]`]\[)(?!(?<!\\\[)\d+\](?! (?:{TIME_WORDS})s\b))"
    r"|(?<=x)(?<!\wx)(?!(?:32|64|86)(?!\d))(?=\d+\s))"
)
"""No part of a name, an index or a power: "[90 minutes]", "^90 minutes" and "x128 characters" have a number."""
ORDINALS = dict(
    zip(
        [
            *("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"),
            *("eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth"),
            *("eighteenth", "nineteenth", "twentieth", "twenty-first"),
        ],
        range(1, 22),
        strict=True,
    )
)
_ORDINAL = "|".join(ORDINALS)
_CENTURY = (
    rf"(?=(?:,? (?:and|or|to) (?:the )?(?:early |late )?(?:{_ORDINAL}|\d\d?(?:st|nd|rd|th)))?[\s-]centur(?:y|ies)\b)"
)
OF_CENTURY = re.compile(rf"(?:st|nd|rd|th){_CENTURY}", re.IGNORECASE)
GERMAN = dict(
    zip(
        ["zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn", "elf", "zwölf"],
        range(2, 13),
        strict=True,
    )
)
_GERMAN_TIME = r"(?:Sekunden|Minuten|Stunden|Tagen?|Wochen|Monaten?|Jahren?)\b"
_SCALE = "|".join(SCALES)
NUMBER = re.compile(
    r"(?=[\d.+\-\u2212$€£¥]|(?<!\w)[a-z])(?:"
    rf"(?:(?P<currency>US\$|\$(?![^$\n]{{0,40}}[^\s$]\$)|[€£¥]|\b(?-i:USD|EUR|GBP|JPY)(?=\s))\s?)?"
    rf"{_BEFORE_DIGITS}(?P<sign>(?<![\w)\]])[-+\u2212])?(?P<digits>{_DIGITS})(?P<power>\^[-+]?\d{{1,2}})?(?![.]\d)"
    rf"(?P<times>(?:[\s-]?(?:{_SCALE})\b)+|(?-i:k|M|\s?[mb]n)(?!\w)"
    rf"|(?(currency)(?-i:m)\b|(?!)))?"
    rf"|\b(?P<century>{_ORDINAL}){_CENTURY}"
    rf"|\b(?P<german>{'|'.join(GERMAN)})(?=(?:\s+(?:bis|oder|und)\s+\w+)?\s+{_GERMAN_TIME})"
    rf"|\b(?P<half>half)(?=[ -](?:an? |of an? )?)"
    rf"|\b(?P<word>(?:(?:{_TENS})(?:[- ](?:{_ONES}))?|{_ONES}|(?<=\ba )(?={_SCALE}))"
    rf"(?P<scale>(?:[ -]?(?:{_SCALE})\b)*)|(?:{_SCALE})(?=fold))(?:\b|fold\b))",
    re.IGNORECASE,
)
"""The first group only saves time: a number begins with a digit, a sign or a word."""
LIST_NUMBER = re.compile(r"^\s*(?:>\s?)*\d{1,3}[.)]\s", re.MULTILINE)
JOINT = re.compile(r"\s*(?:-|–|—|,|to|bis|and|und|or|oder|,\s*and|,\s*or|\.\.\.?|\+/-|±)\s*", re.IGNORECASE)
YEAR = re.compile(rf"\b(?:in|since|until|during|of|{MONTHS})\s+[12]\d{{3}}\Z", re.IGNORECASE)
QUARTER = Unit(TIME, 7889238.0)
LASTING = re.compile(
    r"(?<!times )(?<!twice )(?<!once )\b(?:for|in|within|after|lasts?|lasting|takes?|took|than|up to)\s+"
    rf"(?P<said>an?\s+(?P<unit>{TIME_WORDS}))(?![\w-]|'|\s+(?:of|in the)\b)"
    r"(?:(?<!second)(?<!minute)(?<!than a quarter)"
    r"|(?=\s*(?:[.,;:!?)]|\Z)|\s+(?:and|or|if|when|while|until|before|after)\b))",
    re.IGNORECASE,
)
""""A second" and "a minute" only where no noun can follow."""
ARTICLE = re.compile(r"\s+(?:of\s+)?an?\b")
SCALE = re.compile(rf"\s+(?P<scale>{_SCALE})\b", re.IGNORECASE)
HALF = 0.5
AND_HALF = re.compile(r"\s+and\s+a\s+half\b")


class Quantity(NamedTuple):
    value: float
    unit: Unit | None
    start: int
    end: int
    is_claim: bool = True
    """"one" alone may be a pronoun."""
    is_of_things: bool = False
    """A rate of what is no unit, such as "600 requests per minute"."""

    def is_stated_by(self, other: "Quantity") -> bool:
        """Equal in value and in dimension; a number that has no unit here is stated by one that has."""
        if self.unit is None:
            return _is_close(self.value, other.value)
        if other.unit is None or self.unit.dimension != other.unit.dimension:
            return False
        return _is_close(self.value * self.unit.factor, other.value * other.unit.factor)

    def is_of_a_kind(self, other: "Quantity") -> bool:
        """Both of one dimension, or both bare."""
        if self.unit is None or other.unit is None:
            return self.unit is other.unit
        return self.unit.dimension == other.unit.dimension


def quantities(text: str) -> list[Quantity]:
    """In order; without the numbers of list items."""
    skipped = {match.end() for match in LIST_NUMBER.finditer(text)}
    found: list[Quantity] = []
    for match in NUMBER.finditer(text):
        if not _numbers_item(text, match, skipped) and not (found and match.start() < found[-1].end):
            found.append(_quantity(text, match))
    for index in range(len(found) - 2, -1, -1):
        here, following = found[index : index + 2]
        if here.unit is None and _is_joined(text, here, following):
            found[index] = _shared(text, here, following)
    return found


def loose_numbers(text: str) -> Iterator[int]:
    """What words such as "both" say of a number."""
    for match in LOOSE.finditer(text.lower()):
        yield NUMERALS[str(match.lastgroup)]


def durations(text: str) -> Iterator[Quantity]:
    """Of "for a day" and the like, where the article is the number."""
    for match in LASTING.finditer(text):
        unit = QUARTER if match["unit"].lower() == "quarter" else unit_at(match["unit"], 0)[0]
        yield Quantity(1.0, unit, *match.span("said"))


def _is_joined(text: str, here: Quantity, following: Quantity) -> bool:
    """As in a range; not "In 1205, 5,200 tonnes"."""
    joint = JOINT.fullmatch(text, here.end, following.start)
    return joint is not None and (joint[0].strip() != "," or not YEAR.search(text, max(0, here.start - 12), here.end))


def _shared(text: str, here: Quantity, following: Quantity) -> Quantity:
    """With the unit of the number after it, and in "10 to 20 million" with its scale."""
    own, scale = (_scale(text[one.start : one.end]) for one in (here, following))
    is_scaled = (
        own == 1 < scale and here.value < following.value / scale and "," not in text[here.end : following.start]
    )
    value = here.value * scale if is_scaled else here.value
    if following.unit is None:
        return here._replace(value=value)
    return following._replace(value=value, start=here.start, end=here.end, is_claim=True)


def _numbers_item(text: str, match: re.Match[str], ends: set[int]) -> bool:
    return (
        match["digits"] is not None
        and (match.end() + 2 in ends or match.end() + 1 in ends)
        and text[match.end() : match.end() + 1] in (".", ")")
    )


def _quantity(text: str, match: re.Match[str]) -> Quantity:
    value, end = _value(match), match.end()
    is_half = match["half"] is not None
    if is_half:
        value, end = _half_of(text, end)
    if and_half := AND_HALF.match(text, end):
        value, end = value + HALF, and_half.end()
    of_century = OF_CENTURY.match(text, end)
    if of_century or match["century"]:
        return Quantity(value, CENTURY, match.start(), of_century.end() if of_century else end)
    symbol = match["currency"]
    unit, unit_end = unit_of_symbol(symbol.upper(), text, end) if symbol else unit_at(text, end)
    is_of_things = unit is None
    if is_of_things:
        unit, unit_end = rate_at(text, end)
    is_bare_claim = value != HALF if is_half else (match["word"] or "").lower() != "one"
    is_claim = unit is not None or is_bare_claim
    return Quantity(value, unit, match.start(), unit_end if unit else end, is_claim, is_of_things)


def _half_of(text: str, end: int) -> tuple[float, int]:
    """The value and the end of "half a million", "half a" and "half"."""
    if article := ARTICLE.match(text, end):
        end = article.end()
    scale = SCALE.match(text, end)
    return (HALF * _scale(scale["scale"]), scale.end()) if scale else (HALF, end)


def _value(match: re.Match[str]) -> float:
    if match["half"] is not None:
        return HALF
    if match["century"] is not None:
        return float(ORDINALS[match["century"].lower()])
    if match["german"] is not None:
        return float(GERMAN[match["german"].lower()])
    if match["digits"] is None:
        return _of_words(match["word"].lower())
    value = float(match["digits"].replace(",", ""))
    if match["power"]:
        value = _raised(value, int(match["power"][1:]))
    if match["times"]:
        value *= SUFFIXES.get(match["times"].strip()) or _scale(match["times"])
    return -value if match["sign"] and match["sign"] != "+" else value


def _raised(value: float, power: int) -> float:
    try:
        return float(value**power)
    except (OverflowError, ZeroDivisionError):
        return math.inf


def _of_words(words: str) -> float:
    parts = re.findall(r"[a-z]+", words)
    small = sum(NUMERALS[part] for part in parts if part in NUMERALS)
    scale = _scale(words)
    return (small or 1) * scale if scale != 1 else float(small)


def _scale(words: str) -> float:
    return math.prod(SCALES.get(part, 1.0) for part in re.findall(r"[a-z]+", words.lower()))


def _is_close(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-9) or (one > 0 and math.isclose(one, -other, rel_tol=1e-9))
