"""Units of measurement by their spellings, each as a dimension and a factor: "km/h", "metres per second"."""

import re
from typing import NamedTuple

Dimension = tuple[tuple[str, int], ...]
"""Quantities and their powers, in alphabetical order."""


class Unit(NamedTuple):
    dimension: Dimension
    factor: float


TIME: Dimension = (("time", 1),)
PER_TIME: Dimension = (("time", -1),)
TIME_WORDS = "second|minute|hour|day|week|fortnight|month|quarter|year|decade|century"
CENTURY = Unit((("century", 1),), 1.0)
""""16th century", which is no length of time."""
CURRENCIES = frozenset(["dollar", "euro", "pound", "yen", "cent"])
COUNTED: Dimension = (("count", 1),)
"""Of "3 times": a bare number."""
_TABLE = (
    ("length", "1:m metre metres meter meters;1e-2:cm centimetre centimetres centimeter centimeters"),
    ("length", "1e-3:mm millimetre millimetres millimeter millimeters"),
    ("length", "1e3:km kilometre kilometres kilometer kilometers"),
    ("length", "1e-6:µm μm um micrometre micrometres micrometer micrometers micron microns;0.0254:inch inches"),
    ("time", "1:s sec second seconds;1e-3:ms millisecond milliseconds;1e-6:µs μs us microsecond microseconds"),
    ("time", "1e-9:ns nanosecond nanoseconds;60:min minute minutes;3600:h hr hour hours;86400:day days"),
    ("time", "604800:week weeks;1209600:fortnight fortnights;2629746:month months;31556952:year years"),
    ("time", "1:sekunde sekunden;60:minuten;3600:stunde stunden;86400:tage tagen;604800:woche wochen"),
    ("time", "2629746:monat monate monaten;31556952:jahr jahre jahren"),
    ("time", "315569520:decade decades;3155695200:century centuries"),
    ("rate", "1:Hz hz hertz fps;1e3:kHz khz kilohertz;1e6:MHz megahertz;1e9:GHz gigahertz"),
    ("count", "1:times frames images samples updates cycles iterations steps messages"),
    ("mass", "1:kg kilogram kilograms kilogramme kilogrammes;1e-3:g gram grams;1e-6:mg;1e3:t tonne tonnes"),
    ("force", "1:N newton newtons;1e3:kN kilonewton kilonewtons"),
    ("torque", "1:Nm newtonmetre newtonmetres"),
    ("degrees", "1:° deg degree degrees"),
    ("radians", "1:rad radian radians;1e-3:mrad milliradian milliradians"),
    ("turns", "1:rev revolution revolutions turns rotations"),
    ("temperature", "1:°C celsius degc degree_celsius degree-celsius degrees_celsius;1:K kelvin"),
    ("fahrenheit", "1:°F fahrenheit degf degree_fahrenheit degree-fahrenheit degrees_fahrenheit"),
    ("volume", "1e-3:l L litre litres liter liters;1e-6:ml mL millilitre millilitres milliliter milliliters"),
    ("volume", "1e-4:dl dL decilitre decilitres deciliter deciliters;1e-5:cl cL centilitre centilitres"),
    ("dollar", "1:$ US$ USD dollar dollars"),
    ("euro", "1:€ EUR euro euros"),
    ("pound", "1:£ GBP pound pounds lb lbs;1e-2:pence"),
    ("yen", "1:¥ JPY yen"),
    ("cent", "1:cent cents"),
    ("share", "1:% percent"),
    ("power", "1:W watt watts;1e3:kW kilowatt kilowatts;1e-3:mW"),
    ("energy", "1:J joule joules;3600:Wh;3.6e6:kWh;1e3:kJ"),
    ("voltage", "1:V volt volts;1e-3:mV millivolt millivolts"),
    ("current", "1:A amp amps ampere amperes;1e-3:mA milliampere milliamperes"),
    ("pressure", "1:Pa pascal pascals;1e3:kPa;1e6:MPa;1e5:bar"),
    ("information", "1:bit bits;8:byte bytes B;8e3:kB KB kilobyte kilobytes;8e6:MB megabyte megabytes"),
    ("information", "8e9:GB gigabyte gigabytes;8e12:TB terabyte terabytes;1e6:Mbit megabit megabits;1e9:Gbit"),
    ("level", "1:dB decibel decibels"),
)
"""Of each quantity the factors with their spellings; symbols keep their case, words are in lower case, "_" is a blank.

A pound is one of money or of mass.
"""
_SPELLINGS = {
    name.replace("_", " "): (quantity, float(factor))
    for quantity, groups in _TABLE
    for factor, names in (group.split(":") for group in groups.split(";"))
    for name in names.split()
}
_LOWER = frozenset(name.lower() for name in _SPELLINGS)
_NAME = "|".join(re.escape(name) for name in sorted(_SPELLINGS, key=len, reverse=True))
_POWER = r"(?:\^?(?P<power>-?\d|²|³)|\s+(?P<word_power>squared|cubed))?"
_END = r"(?![^\W_])"
_FIRST = re.compile(
    rf"(?:\s|-)?(?!(?<=\w)\$)(?:\s?per cent\b(?P<cent>)|(?P<name>{_NAME}){_POWER}{_END})", re.IGNORECASE
)
_NEXT = re.compile(
    rf"(?P<by>\s?/\s?|\s+per\s+|\s+(?:an?|every|each)\s+|(?P<product>[·*⋅-]|\s))(?P<name>{_NAME}){_POWER}{_END}",
    re.IGNORECASE,
)
_THINGS = re.compile(r"(?:(?:\s+[a-z][\w-]*){0,2}\s+[a-z][\w-]*s)?(?=\s+(?:per|an?|every|each)\s|\s?/)", re.IGNORECASE)
_PER = re.compile(r"\s+per\s+(?=second\b|minute\b|hour\b)", re.IGNORECASE)
_POWERS = {"²": 2, "³": 3, "squared": 2, "cubed": 3}


def unit_at(text: str, start: int) -> tuple[Unit | None, int]:
    """The unit that stands there, white space before it allowed, and where it ends."""
    first = _FIRST.match(text, start)
    if first is None:
        bare = _PER.match(text, start)
        return (None, start) if bare is None else _compound({}, 1.0, text, start)
    if first["cent"] is not None:
        return Unit((("share", 1),), 1.0), first.end()
    spelled = _spelled(first["name"])
    if spelled is None:
        return None, start
    powers: dict[str, int] = {}
    factor = _multiplied(powers, spelled, _power(first))
    return _compound(powers, factor, text, first.end())


def rate_at(text: str, start: int) -> tuple[Unit | None, int]:
    """Of things that are no unit, such as "requests per minute"; they may be left out."""
    things = _THINGS.match(text, start)
    unit, end = _compound({}, 1.0, text, things.end()) if things else (None, start)
    return (unit, end) if unit is not None and unit.dimension == PER_TIME else (None, start)


def unit_of_symbol(symbol: str, text: str, start: int) -> tuple[Unit | None, int]:
    """The unit of a sign before a number, such as "€", with what it is per: that stands after the number."""
    quantity, factor = _SPELLINGS[symbol]
    return _compound({quantity: 1}, factor, text, start)


def unit_of_suffix(name: str) -> Unit | None:
    """Of the last part of a name such as `rate_hz`."""
    return unit_at({"hz": "Hz"}.get(name, name), 0)[0]


def mentions(text: str) -> set[Unit]:
    """The units that stand in a text, with a number or without one."""
    words = re.findall(r"[^\W\d_]+(?:/[^\W\d_]+)?|[%°$€£¥]", text)
    found = (unit_at(word, 0)[0] for word in words if word.partition("/")[0].lower() in _LOWER)
    return {unit for unit in found if unit is not None}


def _compound(powers: dict[str, int], factor: float, text: str, end: int) -> tuple[Unit | None, int]:
    while further := _NEXT.match(text, end):
        spelled = _spelled(further["name"])
        is_product = further["product"] is not None
        if spelled is None or (is_product and (powers.keys() != {"force"} or spelled[0] != "length")):
            break
        factor *= _multiplied(powers, spelled, _power(further) if is_product else -_power(further))
        end = further.end()
    dimension = _dimension(powers)
    return (None if dimension == COUNTED else Unit(dimension, factor)), end


def _spelled(name: str) -> tuple[str, float] | None:
    """Symbols are told by their case, words are not."""
    return _SPELLINGS.get(name) or (_SPELLINGS.get(name.lower()) if len(name) > 2 else None)  # noqa: PLR2004


def _power(match: re.Match[str]) -> int:
    power = match["power"] or match["word_power"] or "1"
    return _POWERS.get(power.lower()) or int(power)


def _multiplied(powers: dict[str, int], spelled: tuple[str, float], power: int) -> float:
    quantity, factor = spelled
    powers[quantity] = powers.get(quantity, 0) + power
    return float(factor**power)


def _dimension(powers: dict[str, int]) -> Dimension:
    """A rate is one over a time; a torque is a force times a length, a volume a length cubed; a count has none."""
    plain = dict(powers)
    time = plain.pop("time", 0) - plain.pop("rate", 0)
    torque = plain.pop("torque", 0)
    plain["force"] = plain.get("force", 0) + torque
    plain["length"] = plain.get("length", 0) + torque + 3 * plain.pop("volume", 0)
    if time:
        plain.pop("count", None)
    return tuple(sorted((name, power) for name, power in (plain | {"time": time}).items() if power))
