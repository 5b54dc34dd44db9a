"""A claim's clauses beside those of the passages: antonyms in the place of words, and words under a negator."""

from collections.abc import Sequence

from app.grounding.evidence import Clause
from app.grounding.matching import Match, Matching
from app.grounding.polarity import may_oppose, opposed, reversals

SHARED, ENOUGH = 0.5, 2
"""Share of a clause's content words, or their number, that make another speak of the same."""
CLOSER = 2
"""So many more words must a clause of another statement have than those of the best."""
LEAST_WORDS = 3
"""Of a clause that can be missing as a whole."""


def opposed_clauses(matching: Matching, match: Match) -> float:
    """How many clauses have an antonym in the clause that speaks of the same, each by the share of its words."""
    total = 0.0
    for words, places in matching.claim.clauses:
        if not any(may_oppose(words, one.words, one.stems) for one in matching.cited):
            continue
        nearest, shared = _nearest(matching, match, places)
        is_near = nearest and (shared >= ENOUGH or shared >= SHARED * len(places))
        if nearest and is_near and opposed(words, nearest.words):
            total += shared / len(places)
    return total


def is_reversed(matching: Matching, match: Match) -> bool:
    """A word that the statement only has under a negator has none here, or the other way round."""
    there: dict[str, set[bool]] = {}
    for word, denied in reversals(match.statement.words, matching.cited[match.passage].text):
        there.setdefault(word.stem, set()).add(denied)
    families = dict(zip((word.start for word in matching.claim.content), matching.families, strict=True))
    for word, denied in reversals(matching.claim.words, matching.claim.text):
        found = {one for stem in families.get(word.start, ()) for one in there.get(stem, ())}
        if found == {not denied}:
            return True
    return False


def poorest_clause(matching: Matching) -> float:
    """Of the clauses of three words or more, the least share of its words that one statement has."""
    shares = [
        max((sum(match.found_under_heading[place] for place in places) for match in matching.matches), default=0)
        / len(places)
        for _, places in matching.claim.clauses
        if len(places) >= LEAST_WORDS
    ]
    return min(shares, default=1.0)


def _nearest(matching: Matching, match: Match, places: Sequence[int]) -> tuple[Clause | None, int]:
    """The clause with most of these content words, and how many; one of the matching statement unless far behind."""
    families = [matching.families[place] for place in places]
    best: tuple[Clause | None, int] = None, 0
    best_own = best
    for evidence in matching.cited:
        for clause in evidence.clauses:
            shared = sum(not family.isdisjoint(clause.stems) for family in families)
            best = (clause, shared) if shared > best[1] else best
            if clause.statement is match.statement and shared > best_own[1]:
                best_own = clause, shared
    return best if best[1] >= best_own[1] + CLOSER else best_own
