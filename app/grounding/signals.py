"""What speaks for a claim and against it, as numbers: of its words, and of the model's vectors."""

import re
from collections.abc import Sequence
from itertools import groupby, pairwise
from math import log

import msgspec

from app.grounding.contradiction import is_reversed, opposed_clauses, poorest_clause
from app.grounding.matching import Match, Matching
from app.grounding.polarity import is_odd, opposed, spoken_of
from app.grounding.subjects import speaks_of_another
from app.grounding.word_order import differ_in_voice, exchanged, moved

MOST_UNKNOWN, MOST_OPPOSED, MOST_EXCHANGED = 4, 2, 2
HALF, LITTLE = 0.5, 0.4
BORNE, STRANGE = 0.55, 0.5
MEASURE = re.compile(
    r"\b(?:twice|half|third|double[sd]?|triple[sd]?|quarter|minute|hour|day|week|month|year|hourly|daily|weekly|monthly|yearly"
    r"|percent|an? second)\b"
)

Cosines = Sequence[float | None]


class Signals(msgspec.Struct, frozen=True):
    coverage: float
    """Share of the content words that one statement has under its headings."""
    scarce: float
    """How far the coverage is below 0.4."""
    unknown: float
    """Content words that no passage has, at most four."""
    unknown_names: float
    paired: float
    """Share of the neighbouring words in the passages that one statement has both of."""
    poorest_clause: float
    """Of its clauses of three words or more, the least share that one statement has."""
    unsaid: float
    """Share of the statement's words that the claim does not have."""
    unmeasured: float
    """1 for a word such as "twice" or "month" that no passage has."""
    other_subject: float
    """1 if the statement is about something else, and the claim has a term of other statements."""
    opposed_clauses: float
    """Clauses with an antonym in the clause that speaks of the same."""
    opposed: float
    """Words of which the statement has an antonym in their place, at most two."""
    denied: float
    """1 for another number of negators and antonyms, even or odd, less for a claim in other words."""
    reversed: float
    """1 if a word is under a negator here or there only, less for a claim in other words."""
    moved: float
    """Share of the statement's words in another order; less in other words, 0 between active and passive."""
    exchanged: float
    """Words that are in order if two change places, at most two, less for a claim in other words."""
    length: float
    """Logarithm of the number of content words."""
    cosine: float = 0.0
    """With the nearest statement."""
    weak: float = 0.0
    """Share of the content words whose cosine is below 0.45."""
    unborne: float = 0.0
    """How far its worst part is below 0.55: the share of the words that a statement has, or their mean cosine."""
    strange: float = 0.0
    """Most neighbouring words that the statement does not have, all with a cosine below 0.5."""


def lexical(matching: Matching, match: Match) -> Signals:
    """`match` is the statement that says it, if one does."""
    claim, statement = matching.claim, match.statement
    evidence = matching.cited[match.passage]
    nearness = _nearness(matching.coverage)
    stems = matching.known
    denies_cell = statement.is_row and is_odd(claim.words)
    spoken = list(statement.words) if denies_cell else spoken_of(statement.words, evidence.text, stems)
    antonyms = opposed(claim.words, spoken or statement.words)
    is_denied = (is_odd(claim.words) + is_odd(spoken) + len(antonyms)) % 2
    text = evidence.said(statement)
    in_order = [] if statement.is_row else statement.stem_list
    is_moved = 0 if differ_in_voice(claim.text, text) else moved(matching.families, in_order)
    return Signals(
        coverage=matching.coverage,
        scarce=max(0.0, LITTLE - matching.coverage),
        unknown=min(MOST_UNKNOWN, sum(not family for family in matching.families)),
        unknown_names=len(matching.unknown_names),
        paired=_paired(matching),
        poorest_clause=poorest_clause(matching),
        unsaid=1 - len(stems & statement.stems) / len(statement.stems) if statement.stems else 0.0,
        unmeasured=_is_unmeasured(matching),
        other_subject=speaks_of_another(matching, match),
        opposed_clauses=opposed_clauses(matching, match),
        opposed=min(MOST_OPPOSED, len(antonyms)),
        denied=is_denied * nearness,
        reversed=is_reversed(matching, match) * _nearness(match.share),
        moved=is_moved * nearness,
        exchanged=min(MOST_EXCHANGED, exchanged(matching.families, in_order)) * nearness,
        length=log(1 + len(claim.content)),
    )


def unborne(matching: Matching, cosines: Cosines) -> float:
    """`cosines`: of each content word with the nearest token of the statements compared; None where there is none."""
    return max(0.0, BORNE - min((_borne(matching, part, cosines) for part in matching.claim.parts), default=1.0))


def strange(match: Match, cosines: Cosines) -> int:
    strangers = [
        not found and cosine is not None and cosine < STRANGE
        for found, cosine in zip(match.found_under_heading, cosines, strict=True)
    ]
    return max((len(list(group)) for is_stranger, group in groupby(strangers) if is_stranger), default=0)


def _borne(matching: Matching, part: Sequence[int], cosines: Cosines) -> float:
    found = max((sum(match.found_under_heading[i] for i in part) for match in matching.matches), default=0)
    near = [cosine for i in part if (cosine := cosines[i]) is not None]
    return max(found / len(part), sum(near) / len(near) if near else 0.0)


def _nearness(share: float) -> float:
    """From 0 at half of the words to 1 at all."""
    return max(0.0, share - HALF) / HALF


def _is_unmeasured(matching: Matching) -> bool:
    words = set(MEASURE.findall(matching.claim.text.lower()))
    return any(all(not re.search(rf"\b{word}\b", one.folded) for one in matching.cited) for word in words)


def _paired(matching: Matching) -> float:
    known = [
        (i, j) for i, j in pairwise(range(len(matching.families))) if matching.families[i] and matching.families[j]
    ]
    have = [match.found_under_heading for match in matching.matches]
    return sum(any(found[i] and found[j] for found in have) for i, j in known) / len(known) if known else 0.0
