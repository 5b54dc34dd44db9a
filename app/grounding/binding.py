"""Whether the passages say a claim's words of another name, term or number than the claim does.

Both stand in the passages; what counts is whose mention the claim's words stand nearer to.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from app.grounding.facts import without_literals
from app.grounding.identifiers import CODE_SPAN
from app.grounding.matching import Claim, Matching
from app.grounding.mentions import CODE_NAME, Mention
from app.grounding.quantities import quantities
from app.grounding.statements import Statement

NAME_PART = re.compile(r"[_./:-]+")

Span = tuple[int, int]
Words = list[frozenset[str]]


class Rule(NamedTuple):
    """When a rival is so much nearer to the claim's words that they are said of it."""

    least_words: int
    least_nearness: float
    """Of the rival."""
    lead: float
    """By which it is nearer."""
    most: float
    """Nearness of the claim's own, as a share of the rival's."""

    def prefers(self, there: float, here: float) -> bool:
        """By the nearness of the rival and of the claim's own."""
        return there >= self.least_nearness and here <= min(there - self.lead, self.most * there)


NAMES = Rule(least_words=3, least_nearness=1.4, lead=0.35, most=0.75)
TERMS = Rule(least_words=3, least_nearness=1.4, lead=0.35, most=0.5)
NUMBERS = Rule(least_words=4, least_nearness=1.5, lead=1.0, most=0.5)


def misbound(matching: Matching) -> Iterator[str]:
    """Each says of what else the passages say it."""
    yield from of_other_names(matching)
    yield from of_other_terms(matching)
    yield from of_other_numbers(matching)


def of_other_names(matching: Matching) -> Iterator[str]:
    """Names in code; one competes with those that a statement mentions beside it, or that it shares a part with."""
    text = matching.claim.text
    said = [(match["name"], match.span()) for match in CODE_NAME.finditer(text)]
    mentions = [mention for one in matching.cited for mention in one.mentions.code_names] if said else []
    for name, span in said:
        part = _part(matching.claim, span)
        beside = {other for other, (start, _) in said if part[0] <= start < part[1]}
        own = [mention for mention in mentions if mention.written == name]
        rivals = [one for one in mentions if one.written not in beside and _is_rival(one, name, own)]
        rival = _preferred(NAMES, own, rivals, _words(matching, part, [span for _, span in said], NAMES))
        if rival:
            yield f"the passage says this of {rival.written}, not of {name}"


def of_other_terms(matching: Matching) -> Iterator[str]:
    """Emphasised terms; one competes with those of its statements, and with those that end with the same word."""
    mentions = [mention for one in matching.cited for mention in one.mentions.terms]
    said = {mention.stems: span for mention in mentions if (span := _place(matching, mention.stems))}
    for stems, span in said.items():
        own = [mention for mention in mentions if mention.stems == stems]
        rivals = [
            one
            for one in mentions
            if not matching.known.issuperset(one.stems)
            and (_is_beside(one, own) or (min(len(one.stems), len(stems)) > 1 and one.stems[-1] == stems[-1]))
        ]
        rival = _preferred(TERMS, own, rivals, _words(matching, _part(matching.claim, span), [*said.values()], TERMS))
        if rival:
            yield f"the passage says this of {rival.written}, not of {own[0].written}"


def of_other_numbers(matching: Matching) -> Iterator[str]:
    """A number competes with those of its kind that the claim lacks; none in code, and no part of a fraction."""
    text = matching.claim.text
    said = [one for one in quantities(without_literals(text)) if one.is_claim]
    mentions = [mention for one in matching.cited for mention in one.numbers] if said else []
    code = [match.span() for match in CODE_SPAN.finditer(text)]
    for number in said:
        is_part = "/" in text[max(0, number.start - 1) : number.end + 1]
        if is_part or any(start <= number.start < end for start, end in code):
            continue
        own = [mention for quantity, mention in mentions if number.is_stated_by(quantity)]
        rivals = [
            mention
            for quantity, mention in mentions
            if number.is_of_a_kind(quantity) and not any(one.is_stated_by(quantity) for one in said)
        ]
        span = number.start, number.end
        words = _words(matching, _part(matching.claim, span), [(one.start, one.end) for one in said], NUMBERS)
        rival = _preferred(NUMBERS, own, rivals, words)
        if rival:
            yield f"the passage says this of {rival.written}, not of {text[number.start : number.end]}"


def _preferred(rule: Rule, own: Sequence[Mention], rivals: Sequence[Mention], words: Words) -> Mention | None:
    """The rival that the words are said of rather than of the claim's own."""
    beside = {mention.statement: mention for mention in own}
    groups = {mention.group for mention in own if mention.group}
    fit = [one for one in rivals if one.group not in groups and not one.is_foil and _competes(one, beside)]
    if not own or not fit or len(words) < rule.least_words:
        return None
    near = [rival.nearness(words) for rival in fit]
    there, here = max(near), max(mention.nearness(words) for mention in own)
    return fit[near.index(there)] if rule.prefers(there, here) else None


def _competes(rival: Mention, beside: Mapping[Statement, Mention]) -> bool:
    """Not with what its statement defines, nor if the statement goes on about something else."""
    own = beside.get(rival.statement)
    return not rival.is_backward if own is None else not own.is_defined


def _part(claim: Claim, span: Span) -> Span:
    """Of the claim, around the span."""
    start = max((end for end in claim.part_ends if end <= span[0]), default=0)
    return start, min((end for end in claim.part_ends if end >= span[1]), default=len(claim.text))


def _words(matching: Matching, part: Span, without: Sequence[Span], rule: Rule) -> Words:
    """The known words of a part of the claim, or of all of it where the part has too few."""
    known = [
        (word.start, family)
        for word, family in zip(matching.claim.content, matching.families, strict=True)
        if family and not any(start <= word.start < end for start, end in without)
    ]
    inside = [family for start, family in known if part[0] <= start < part[1]]
    return inside if len(inside) >= rule.least_words else [family for _, family in known]


def _place(matching: Matching, stems: Sequence[str]) -> Span | None:
    """Where the claim has these words one after the other."""
    for first in range(len(matching.families) - len(stems) + 1):
        if all(stem in matching.families[first + index] for index, stem in enumerate(stems)):
            content = matching.claim.content
            return content[first].start, content[first + len(stems) - 1].end
    return None


def _is_rival(mention: Mention, name: str, own: Sequence[Mention]) -> bool:
    other = mention.written
    if other in name or name in other:
        return False
    return _is_beside(mention, own) or _are_alike(name, other)


def _is_beside(mention: Mention, own: Sequence[Mention]) -> bool:
    return any(mention.statement is one.statement for one in own)


def _are_alike(one: str, other: str) -> bool:
    """They begin or end with the same part, as `build_depend` and `exec_depend` do."""
    left, right = NAME_PART.split(one), NAME_PART.split(other)
    return min(len(left), len(right)) > 1 and (left[0] == right[0] or left[-1] == right[-1])
