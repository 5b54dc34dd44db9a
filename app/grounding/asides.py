"""What stands in brackets after a name is said of that name."""

import re
from collections.abc import Iterator

ASIDE = re.compile(r"(?P<name>[A-Z][\w-]*(?: [A-Z][\w-]*)*)[*_`]* \((?P<aside>[^()]*)\)")
NUMBER = re.compile(r"\d+(?:\.\d+)*")


def of_another_name(sentence: str, evidence: str) -> Iterator[tuple[str, str]]:
    """Each number that the evidence only has in brackets after other names than the sentence's, with the latter.

    Of the names only those count that have brackets.
    """
    owners: dict[str, set[str]] = {}
    for match in ASIDE.finditer(evidence):
        for number in NUMBER.findall(match["aside"]):
            owners.setdefault(number, set()).add(match["name"])
    outside = set(NUMBER.findall(ASIDE.sub(" ", evidence)))
    words = set(re.findall(r"\w+", sentence))
    named = {name for names in owners.values() for name in names if not words.isdisjoint(name.split())}
    for number in dict.fromkeys(NUMBER.findall(sentence)):
        if named and number in owners and number not in outside and named.isdisjoint(owners[number]):
            yield number, min(named)
