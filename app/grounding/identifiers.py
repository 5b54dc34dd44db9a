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
NEIGHBOURS = re.compile(r"(?<!\S)(?P<first>[A-Za-z][\w-]*\w) (?=(?P<second>[A-Za-z][\w-]*\w)(?!\S))")
OPERATOR = re.compile(r"[=*^+]")
INTERFACE_KIND = re.compile(r"/(?:msg|srv|action)/")
_PLAIN = r"/[\w~%@+-]+(?:\.\w+)*"
_SLOT = r"/(?:\{\w+\}|<\w+>|:[A-Za-z]\w*)"
TEMPLATE = re.compile(rf"(?<![\w/.:-])(?:{_PLAIN})*+{_SLOT}(?:{_PLAIN}|{_SLOT})*+")
"""A path with slots, such as "/tides/{id}"."""
VERB = re.compile(r"(?<![\w-])(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)(?![\w-])")
_VERBS = rf"{VERB.pattern}(?:[ `*,|/]{{1,4}}(?:(?:and|or)[ `*]{{1,4}})?{VERB.pattern}){{0,3}}+"
REQUEST = re.compile(
    rf"(?P<verbs>{_VERBS})(?: requests?)?(?: (?:to|on|at|against|for))?(?: the)?(?: endpoint)?[ `*|]{{1,8}}"
    rf"(?:https?://[^\s/`]+)?(?P<path>(?:{_PLAIN}|{_SLOT})++)"
)


def identifiers(text: str) -> list[str]:
    """In order, each once: what is in backticks, and what looks like code in prose."""
    code = [match["code"] for match in CODE_SPAN.finditer(text)]
    prose = TEMPLATE.sub(" ", CODE_SPAN.sub(" ", text))
    found = TEMPLATE.findall(text)
    found += [part for span in code for part in _parts(TEMPLATE.sub(" ", span))]
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


def missing_requests(text: str, evidence: str) -> Iterator[str]:
    """Such as "GET /tides", where the evidence only has other verbs before that path."""
    stated = list(_requests(evidence))
    for verb, path in _requests(text):
        verbs = {other for other, longer in stated if longer.endswith(path)}
        if verbs and verb not in verbs:
            yield f"{verb} {path}"


def missing_formulas(text: str, evidence: str) -> Iterator[str]:
    """Code spans with an operator that do not stand in the evidence as they are, blanks aside."""
    solid = re.sub(r"\s", "", evidence)
    for match in CODE_SPAN.finditer(text):
        if OPERATOR.search(match["code"]) and re.sub(r"\s", "", match["code"]) not in solid:
            yield match["code"]


def _requests(text: str) -> Iterator[tuple[str, str]]:
    for match in REQUEST.finditer(text):
        for verb in VERB.findall(match["verbs"]):
            yield verb, match["path"]


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
    longer = r"\w|/[\w{<:]" if name.startswith("/") else r"\w"
    return re.search(rf"(?<!\w){re.escape(name)}(?!{longer})", evidence, flags) is not None
