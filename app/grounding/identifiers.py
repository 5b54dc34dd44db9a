"""What of a text is code: names that stand in the evidence letter by letter, or not at all."""

import re
from collections.abc import Iterable, Iterator

CODE_SPAN = re.compile(r"(?P<ticks>`+)(?!`)(?P<code>.+?)(?<!`)(?P=ticks)(?!`)", re.DOTALL)
WRITTEN = re.compile(
    r"(?<![\w/.:-])(?P<name>"
    r"--?[A-Za-z][\w-]*"
    r"|[~/]?(?:[\w.~-]+/)*[A-Za-z]\w*(?:(?:\.|::|/)[\w-]+)*/?(?:\(\))?"
    r")(?![\w/])"
)
"""What may be an identifier in prose; `is_identifier` decides."""
MARKED = re.compile(r"\w_\w|::|\w\(\)|^--[A-Za-z]|^/[A-Za-z]|^~/|/.*[_/]|_.*/")
DOTTED = re.compile(r"^[A-Za-z_][\w-]*(?:\.[A-Za-z_]\w+)+$")
CAMEL = re.compile(r"^[A-Za-z]*[a-z][A-Z]\w*$")
PART = re.compile(r"--?[A-Za-z][\w-]*|[~/]?[A-Za-z_][\w~-]*(?:(?:::|[./-])[A-Za-z_]\w*)*/?")
NEIGHBOURS = re.compile(r"(?<!\S)(?P<first>[A-Za-z]\w+) (?=(?P<second>[A-Za-z]\w+)(?!\S))")
OPERATOR = re.compile(r"[=*^+]")
INTERFACE_KIND = re.compile(r"/(?:msg|srv|action)/")


def identifiers(text: str) -> list[str]:
    """In order, each once: what is in backticks, and what looks like code in prose."""
    code = [match["code"] for match in CODE_SPAN.finditer(text)]
    prose = CODE_SPAN.sub(" ", text)
    found = [part for span in code for part in _parts(span)]
    found += [match["name"].rstrip("/") for match in WRITTEN.finditer(prose) if is_identifier(match["name"])]
    return list(dict.fromkeys(found))


def is_identifier(word: str) -> bool:
    """In prose, where "and/or" and "e.g." are none."""
    return bool(MARKED.search(word) or DOTTED.match(word) or CAMEL.match(word))


def missing(names: Iterable[str], evidence: str) -> Iterator[str]:
    """Those that do not stand in the evidence as whole words."""
    evidence = INTERFACE_KIND.sub("/", evidence)
    for name in names:
        if not _stands_in(INTERFACE_KIND.sub("/", name), evidence):
            yield name


def missing_commands(text: str, evidence: str) -> Iterator[str]:
    """Neighbouring words of a code span that are no neighbours in the evidence."""
    for match in CODE_SPAN.finditer(text):
        for pair in NEIGHBOURS.finditer(match["code"]):
            words = f"{pair['first']} {pair['second']}"
            if not re.search(rf"(?<![\w-]){re.escape(words)}(?![\w-])", evidence):
                yield words


def missing_formulas(text: str, evidence: str) -> Iterator[str]:
    """Code spans with an operator that do not stand in the evidence as they are, blanks aside."""
    solid = re.sub(r"\s", "", evidence)
    for match in CODE_SPAN.finditer(text):
        if OPERATOR.search(match["code"]) and re.sub(r"\s", "", match["code"]) not in solid:
            yield match["code"]


def _parts(code: str) -> Iterator[str]:
    """A code span as a whole if it has no blanks; else the names in it."""
    plain = code.strip().removesuffix("()")
    if plain and not re.search(r"[\s()\[\]{}=,;*+^<>\"']", plain):
        yield plain
        return
    yield from (match.group() for match in PART.finditer(code) if len(match.group()) > 1)


def _stands_in(name: str, evidence: str) -> bool:
    name = name.removesuffix("()")
    flags = re.IGNORECASE if CAMEL.match(name) else 0
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", evidence, flags) is not None
