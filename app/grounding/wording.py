"""Small changes to the words of an answer, when some of its sentences are left out or get their citation from code."""

import re
from collections.abc import Sequence

from app.grounding.sentences import Segment

_NUMBERS = r"\[\d+\](?:(?:[ ,;]{0,2}|\ and\ )\[\d+\])*"
_MARKED = rf"(?:\({_NUMBERS}\)|\*\*{_NUMBERS}\*\*|{_NUMBERS})"
NUMBERS = re.compile(rf"^{_MARKED}[ \t]*|(?<![ \t])[ \t]*+{_MARKED}", re.MULTILINE)
CODE = re.compile(r"(?<![`\\])(`++).*?(?<!`)\1(?!`)", re.DOTALL)
FENCE = re.compile(r"(?<![ \t>])[ \t>]*+(`{3,}+|~{3,}+)", re.MULTILINE)
STOPS = ".!?…。！？:;,"
QUOTES = "\"'”’)]"
CLOSING = f"{QUOTES}*_"
EMPHASIS = frozenset("*_")
BEGINNING = re.compile(r"(?P<before>\s*(?:(?:[-*+>]|\d+[.)])\s+)*)(?P<marks>[*_]*)")
CONNECTIVE = re.compile(
    r"""
      (?:however|but|moreover|furthermore|therefore|thus|hence|nevertheless|nonetheless|consequently|and|yet|so)\b,?\s+
    | (?:also|in\ addition|additionally|besides|on\ the\ other\ hand|on\ the\ contrary|in\ contrast|by\ contrast
        |conversely|similarly|likewise|instead|otherwise|still|then|next|finally|lastly|second|secondly|third|thirdly
        |as\ a\ result|because\ of\ this|for\ this\ reason|that\ said|in\ other\ words|for\ example|for\ instance
        |in\ particular|in\ summary|overall|meanwhile|afterwards|after\ that|accordingly|in\ fact|indeed),\s+
    """,
    re.VERBOSE | re.IGNORECASE,
)


def without_connective(text: str) -> str:
    """A sentence that does not lean on the one before it; "However, it is" becomes "It is"."""
    begins = BEGINNING.match(text)
    at = begins.end() if begins else 0
    connective = CONNECTIVE.match(text, at)
    if connective is None or connective.end() == len(text):
        return text
    rest = text[connective.end() :]
    return text[:at] + rest[0].upper() + rest[1:]


def cited(segment: Segment, numbers: Sequence[int]) -> str:
    """The segment's text with these citations and no others."""
    if segment.kind == "code":
        return with_numbers_below(segment.text, numbers)
    marks = len(re.findall(r"\[\d+\]", CODE.sub("", segment.text)))
    is_as_written = sorted(numbers) == sorted(segment.cited) and marks == len(numbers)
    return segment.text if is_as_written else with_numbers(segment.text, numbers)


def with_numbers(text: str, numbers: Sequence[int]) -> str:
    """The text with these citations at its end, before its full stop, and none elsewhere."""
    plain = without_numbers(text)
    marks = "".join(f"[{n}]" for n in numbers)
    at = _end(plain)
    return f"{plain[:at]} {marks}{plain[at:]}" if marks else plain


def with_numbers_below(code: str, numbers: Sequence[int]) -> str:
    """A block of code that is surely closed, with these citations on the line after it."""
    marks = "".join(f"[{n}]" for n in numbers)
    fence = FENCE.search(code)
    if not (marks and fence):
        return code
    last = code.rpartition("\n")[2].strip(" \t>\r")
    is_closed = "\n" in code[fence.start() :] and last.startswith(fence[1]) and not last.strip(fence[1][0])
    indent = fence[0].removesuffix(fence[1])
    end = "" if is_closed else f"\n{fence[0]}"
    return f"{code}{end}\n{indent}{marks}"


def without_numbers(text: str) -> str:
    """Numbers in code are left alone."""
    parts, position = [], 0
    for code in CODE.finditer(text):
        parts += [NUMBERS.sub("", text[position : code.start()]), code.group()]
        position = code.end()
    return "".join((*parts, NUMBERS.sub("", text[position:])))


def _end(text: str) -> int:
    """Where a citation stands: before the full stop, in the last cell of a table's row, or at the very end.

    Never within emphasis, so after a full stop that is.
    """
    whole = text.rstrip()
    if whole.endswith("|"):
        return len(whole[:-1].rstrip())
    said = whole.rstrip(CLOSING)
    if not said.endswith(tuple(STOPS)):
        return len(whole)
    return len(said.rstrip(STOPS)) if EMPHASIS.isdisjoint(whole[len(said) :]) else len(whole.rstrip(QUOTES))


def joined(before: str, owed: str, text: str) -> str:
    """The text with the white space that it needs after what was told: none at the beginning, the largest break else.

    `owed` is the white space before what was left out since.
    """
    return (wider(owed, lead(text)) if before else "") + text.lstrip()


def lead(text: str) -> str:
    """The white space that it begins with."""
    return text[: len(text) - len(text.lstrip())]


def wider(owed: str, own: str) -> str:
    """The larger break of both, and the indentation of the second, where it begins a line."""
    if "\n" not in own:
        return owed if "\n" in owed else max(owed, own, key=len)
    breaks, _, indent = own.rpartition("\n")
    return "\n" * max(owed.count("\n"), breaks.count("\n") + 1) + indent
