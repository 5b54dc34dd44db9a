"""The best supporting span of a passage: the words that carry a claim, always a literal part of the passage's text."""

from collections.abc import Collection, Sequence

from app.grounding.evidence import Evidence
from app.grounding.matching import Matching
from app.grounding.statements import Statement

WORTH = 2
"""So many words of the claim must a neighbour add to be quoted, too."""
LONGEST = 400
"""Characters of a quote of more than one statement."""

Span = tuple[int, int]


def quote(matching: Matching, passage: int) -> Span:
    """Start and end in the passage's text: a statement, or two neighbours; the whole text if it has none."""
    evidence = matching.cited[passage]
    if span := matching.said[passage]:
        return _whole_statements(evidence, span)
    alone = matching if len(matching.cited) == 1 else Matching(matching.claim, [evidence])
    if not alone.matches:
        return _stripped(evidence.text)
    return widened(alone.matches[0].statement, evidence, alone.families)


def widened(chosen: Statement, evidence: Evidence, families: Sequence[Collection[str]]) -> Span:
    """With the neighbour that adds more, if it adds enough and both are short."""
    index = evidence.statements.index(chosen)
    missing = [family for family in families if chosen.stems.isdisjoint(family)]
    neighbours = [evidence.statements[i] for i in (index - 1, index + 1) if 0 <= i < len(evidence.statements)]
    best = max(neighbours, key=lambda one: _adds(one, missing), default=chosen)
    start, end = min(chosen.start, best.start), max(chosen.end, best.end)
    if _adds(best, missing) >= WORTH and end - start <= LONGEST:
        return start, end
    return chosen.start, chosen.end


def _adds(statement: Statement, missing: Sequence[Collection[str]]) -> int:
    return sum(not statement.stems.isdisjoint(family) for family in missing)


def _whole_statements(evidence: Evidence, span: Span) -> Span:
    touched = [one for one in evidence.statements if one.start < span[1] and one.end > span[0]]
    return touched[0].start, touched[-1].end


def _stripped(text: str) -> Span:
    start = len(text) - len(text.lstrip())
    return start, max(start, len(text.rstrip()))
