"""Whether a table says a claim's words of another column than the claim does."""

from collections.abc import Iterator
from typing import NamedTuple

from app.grounding.evidence import Evidence, Statement
from app.grounding.matching import Match, Matching

LEAST_WORDS = 2
"""Of the claim in a cell, and in no other of the row, for it to say that cell."""


class Cell(NamedTuple):
    text: str
    stems: frozenset[str]


def of_other_columns(matching: Matching, match: Match) -> Iterator[str]:
    """The claim names a head and has no word of its cell, but those of a cell whose head it does not name."""
    evidence, row = matching.cited[match.passage], match.statement
    if row.context is None or not evidence.said(row).startswith("|"):
        return
    heads, cells = _cells(evidence, row.context)[1:], _cells(evidence, row)[1:]
    known = frozenset().union(*matching.families)
    columns = list(zip(heads, cells, strict=False))
    named = [head for head, _ in columns if head.stems and known.issuperset(head.stems)]
    if not named or any(head in named and not known.isdisjoint(cell.stems - head.stems) for head, cell in columns):
        return
    for head, cell in columns:
        others = frozenset().union(*(one.stems for one in (*cells, *heads) if one is not cell))
        own = sum(not family.isdisjoint(cell.stems - others) for family in matching.families)
        if head not in named and own >= LEAST_WORDS:
            yield f"the table says this of {head.text}, not of {named[0].text}"


def _cells(evidence: Evidence, row: Statement) -> list[Cell]:
    cells, start = [], row.start
    for text in evidence.said(row).strip("|").split("|"):
        start = evidence.text.index(text, start)
        stems = frozenset(word.stem for word in row.words if word.stem and start <= word.start < start + len(text))
        cells.append(Cell(text.strip(), stems))
        start += len(text)
    return cells
