"""What msgspec finds wrong with a value, for people who know neither it nor Python."""

import ast
import re

NOT_BLANK = r"\S"
"""The pattern of a text that must not be blank."""
KINDS = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "object": "an object",
    "array": "a list",
    "uuid": "a UUID",
    "null": "null",
}
BOUNDS = {">=": "at least", "<=": "at most", ">": "more than", "<": "less than"}
PLACE = re.compile(r" - at `\$\.?(?P<place>.*)`$")
KIND = re.compile(r"Expected `(?P<kind>[^`]+)`")
BOUND = re.compile(rf"{KIND.pattern} (?P<length>of length )?(?P<bound>>=|<=|>|<) (?P<number>\S+)")
PATTERN = re.compile(r"matching regex (?P<quoted>.+)")
FIELD = re.compile(r"Object (?P<what>missing required|contains unknown) field `(?P<field>[^`]+)`")


def in_plain_words(said: str) -> str:
    """Such as "must be at most 60", after the field's path if there is one; what is not msgspec's stays as it is."""
    place = PLACE.search(said)
    wrong = _wrong(PLACE.sub("", said))
    return f"{place['place']}: {wrong}" if place and place["place"] else wrong


def _wrong(said: str) -> str:
    if field := FIELD.match(said):
        return f"`{field['field']}` {'is missing' if field['what'].startswith('missing') else 'is not known here'}"
    if pattern := PATTERN.search(said):
        wanted = ast.literal_eval(pattern["quoted"])
        return "must not be blank" if wanted == NOT_BLANK else f"must match {wanted}"
    if bound := BOUND.match(said):
        number = bound["number"].removesuffix(".0")
        verb, unit = ("have", f" character{'s' * (number != '1')}") if bound["length"] else ("be", "")
        return f"must {verb} {BOUNDS[bound['bound']]} {number}{unit}"
    if kind := KIND.match(said):
        return f"must be {' or '.join(KINDS.get(each, each) for each in kind['kind'].split(' | '))}"
    if said == "Invalid UUID":
        return "must be a UUID"
    return said
