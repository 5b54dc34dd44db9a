"""What a claim has that is foreign to the statement that is to say it, however much else they share."""

import re
import unicodedata
from collections.abc import Iterator, Sequence

from app.grounding.evidence import Evidence
from app.grounding.matching import Match, Matching
from app.grounding.quantities import Quantity, quantities
from app.grounding.statements import Statement
from app.grounding.subjects import subject

DOUBTS = frozenset(["myth", "untrue", "falsely", "wrongly", "contrary", "supposedly", "allegedly", "pretends"])
DENIALS = frozenset(
    ["false", "wrong", "fails", "fail", "failed", "failing", "rarely", "seldom", "hardly", "barely", "scarcely"]
)
"""Words that turn round what they stand beside; the latter are also ordinary words of a claim in other words."""
NEAR = 0.75
"""Share of the claim's words that one statement has, from which on such a word turns the statement round."""
INVISIBLE, SCRIPTS = {"Cf", "Cc"}, {"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE"}
LONGEST_SYMBOL = 3
"""Letters of one such as \u03bcm or \u0394x."""
DENYING = re.compile("[\U0001f6ab\u274c\u26d4\u2717\u2718\U0001f6d1\u20e0]")
STRUCK = re.compile("~~(?=\\S)|(?<=\\w)[\u0335-\u0338]")
"""Out, by Markdown or by a stroke over a letter."""
DENYING_WORDS = re.compile(r"\(not\)|\b(?:hardly|scarcely|barely) ever\b", re.IGNORECASE)
COUNTED = re.compile(r"\b(?P<name>[a-z]{3,}) (?P<number>\d+(?:\.\d+)?)(?![\w%°]|\.\d)")
"""Such as "category 1"."""
NO_NAMES = frozenset(
    ["the", "about", "than", "least", "most", "only", "with", "from", "and", "for", "are", "has", "have"]
)
CLOSE = 0.5
"""Share of the claim's words from which on a statement is the one that it repeats."""
FOREIGN = 0.22
"""Cosine of a word with all that the statements say, below which it is about something else."""


def plain(sentence: str) -> str:
    """As it is seen: compatible forms of letters and digits are one, what has no form is gone."""
    seen = unicodedata.normalize("NFKC", sentence)
    return "".join(char for char in seen if unicodedata.category(char) not in INVISIBLE or char in "\t\n\r")


def disguises(sentence: str) -> Iterator[str]:
    """Words of letters of several scripts, and signs that deny what they stand beside."""
    for word in re.findall(r"[^\W\d_]+", sentence):
        scripts = {unicodedata.name(char, "").split(" ")[0] for char in word} & SCRIPTS
        if len(scripts) > 1 and not ("GREEK" in scripts and len(word) <= LONGEST_SYMBOL):
            yield f"{word} has letters of several scripts"
    yield from (f"the passage does not say {sign}" for sign in DENYING.findall(sentence))
    if STRUCK.search(sentence):
        yield "it is struck out"


def foreign_names(matching: Matching) -> Iterator[str]:
    return (f"the name {name} is not in the passage" for name in matching.unknown_names)


def foreign_doubts(matching: Matching) -> Iterator[str]:
    for phrase in DENYING_WORDS.findall(matching.claim.text):
        if all(phrase.lower() not in one.folded for one in matching.cited):
            yield f"the passage does not say {phrase}"
    for word in matching.claim.words:
        doubts = word.text in DOUBTS or (word.text in DENIALS and matching.coverage >= NEAR)
        if doubts and all(word.text not in one.words for one in matching.cited):
            yield f"the passage does not say {word.text}"


def misplaced_numbers(matching: Matching, match: Match) -> Iterator[str]:
    """Numbers that the passage has, but another statement than this one, which has others in their place."""
    evidence, statement = matching.cited[match.passage], match.statement
    text = _said(evidence, statement)
    for counted in COUNTED.finditer(matching.claim.text):
        name, number = counted["name"], counted["number"]
        numbers = re.findall(rf"\b{name}s? (\d+(?:\.\d+)?)", text) if name not in NO_NAMES else []
        if numbers and number not in numbers:
            yield f"the statement speaks of {name} {numbers[0]}"
    if not statement.is_row and match.share >= CLOSE:
        beside = _beside(matching, evidence, statement)
        lengths = {float(length) for length in evidence.lengths}
        for quantity, said in _displaced(matching.claim.text, quantities(text), quantities(f"{text} {beside}")):
            if quantity.unit or quantity.value not in lengths:
                yield f"the statement has another number than {said}"


def foreign_words(matching: Matching, match: Match, cosines: Sequence[float | None]) -> Iterator[str]:
    """`cosines`: of each content word with the nearest token of the statements. A row has no words but its values."""
    if match.statement.is_row:
        return
    for word, family, cosine in zip(matching.claim.content, matching.families, cosines, strict=True):
        if not family and cosine is not None and cosine < FOREIGN:
            yield f"nothing in the passage is like {word.text}"


def _displaced(claim: str, there: Sequence[Quantity], near: Sequence[Quantity]) -> Iterator[tuple[Quantity, str]]:
    """Of a kind that the statement has, but neither this one, nor has one beside it."""
    for quantity in quantities(claim):
        has_others = any(quantity.is_of_a_kind(one) for one in there)
        if quantity.is_claim and has_others and not any(quantity.is_stated_by(one) for one in near):
            yield quantity, claim[quantity.start : quantity.end]


def _is_spoken_of(matching: Matching, evidence: Evidence, statement: Statement) -> bool:
    """At least half of the words of an item's label are in the claim."""
    about = subject(evidence, statement) if statement.is_labelled else []
    return bool(about) and 2 * sum(stem in matching.known for stem in about) >= len(about)


def _beside(matching: Matching, evidence: Evidence, statement: Statement) -> str:
    """The statements before and after it; of list items with labels, those that are spoken of."""
    index = evidence.statements.index(statement)
    around = [*evidence.statements[max(0, index - 1) : index], *evidence.statements[index + 1 : index + 2]]
    if statement.is_labelled and _is_spoken_of(matching, evidence, statement):
        around = [one for one in around if not one.is_labelled]
        around += [one for one in evidence.statements if one.is_labelled and _is_spoken_of(matching, evidence, one)]
    return " ".join(map(evidence.said, around))


def _said(evidence: Evidence, statement: Statement) -> str:
    """With its context."""
    context = [] if statement.context is None else [statement.context]
    return " ".join(map(evidence.said, (*context, statement)))
