"""Whether a table says a claim's words of another column than the claim does."""

from collections.abc import Iterator
from typing import NamedTuple

from app.grounding.evidence import Evidence
from app.grounding.matching import Match, Matching
from app.grounding.statements import Statement
from app.grounding.tables import cells

LEAST_WORDS = 2
"""Of the claim in a cell, and in no other of the row, for it to say that cell."""


class Cell(NamedTuple):
    text: str
    stems: frozenset[str]
    is_name: bool
    """It has a word that is written as a name, such as "URDF"."""


def of_other_columns(matching: Matching, match: Match) -> Iterator[str]:
    """The claim names a head and has no word of its cell, but those of a cell whose head it does not name.

    Only of heads that exclude each other; "Required" and "Description" are said of the same thing.
    """
    evidence, row = matching.cited[match.passage], match.statement
    if row.context is None or not row.is_row:
        return
    columns = list(zip(_cells(evidence, row.context)[1:], _cells(evidence, row)[1:], strict=False))
    named = [(head, cell) for head, cell in columns if head.stems and matching.known.issuperset(head.stems)]
    if not named or any(not matching.known.isdisjoint(cell.stems - head.stems) for head, cell in named):
        return
    all_stems = [one.stems for column in columns for one in column]
    for head, cell in columns:
        elsewhere = frozenset().union(*(stems for stems in all_stems if stems is not cell.stems))
        own = sum(not family.isdisjoint(cell.stems - elsewhere) for family in matching.families)
        if own >= LEAST_WORDS and all(_exclude_each_other(evidence, head, other) for other, _ in named):
            yield f"the table says this of {head.text}, not of {named[0][0].text}"


def _exclude_each_other(evidence: Evidence, one: Cell, other: Cell) -> bool:
    """They are named alike, or both are names, or terms that the passage emphasises."""
    terms = frozenset().union(*(mention.stems for mention in evidence.mentions.terms))
    if one.stems == other.stems or not one.stems or not other.stems:
        return False
    both_terms = one.stems <= terms and other.stems <= terms
    return bool(one.stems & other.stems) or both_terms or (one.is_name and other.is_name)


def _cells(evidence: Evidence, row: Statement) -> list[Cell]:
    text = evidence.said(row)
    return [_cell(row, text[start:end], row.start + start, row.start + end) for start, end in cells(text)]


def _cell(row: Statement, text: str, start: int, end: int) -> Cell:
    words = [word for word in row.words if start <= word.start < end]
    is_name = any(word.is_name and not text[word.start - start : word.end - start].istitle() for word in words)
    return Cell(text.strip(), frozenset(word.stem for word in words if word.stem), is_name)
