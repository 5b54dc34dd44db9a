"""Whether a table says a claim's words and numbers, of the rows and columns that the claim speaks of."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

from app.grounding.evidence import Evidence
from app.grounding.matching import Match, Matching
from app.grounding.polarity import is_odd
from app.grounding.quantities import Quantity, quantities
from app.grounding.statements import Statement
from app.grounding.tables import cells

Stems = frozenset[str]


class Cell(NamedTuple):
    text: str
    stems: Stems
    numbers: list[Quantity]


class Table:
    """The rows that have one head."""

    def __init__(self, evidence: Evidence, head: Statement) -> None:
        self._evidence = evidence
        self.head = _cells(evidence, head)
        self._of_rows = [one for one in evidence.statements if one.is_row and one.context is head]
        self.rows = [_cells(evidence, row) for row in self._of_rows]

    def spoken_of(self, known: Stems) -> list[Sequence[Cell]]:
        """Rows of whose first cell the claim has at least half, if that is more than it has of the others."""
        found: list[Sequence[Cell]] = []
        taken: set[str] = set()
        for row in sorted(self.rows, key=lambda row: -_share(row[0].stems, known)):
            named = row[0].stems & known
            if named == row[0].stems or (2 * len(named) >= len(row[0].stems) and not named <= taken):
                found.append(row)
                taken |= named
        return found

    @cached_property
    def elsewhere(self) -> Stems:
        """Of the passage outside of its rows."""
        others = (one.stems for one in self._evidence.statements if one not in self._of_rows)
        return self._evidence.heading_stems.union(*others)

    def telling(self, column: int) -> Stems:
        """The words that only this head has."""
        others = (cell.stems for index, cell in enumerate(self.head) if index != column)
        return self.head[column].stems.difference(*others)


def of_other_cells(matching: Matching, match: Match) -> Iterator[str]:
    """Numbers and words of other rows than those that the claim names, and numbers of other columns."""
    evidence, statement = matching.cited[match.passage], match.statement
    if not statement.is_row:
        return
    table = Table(evidence, statement.context or statement)
    spoken = table.spoken_of(matching.known)
    own = [] if statement.context is None else [_cells(evidence, statement)]
    numbers = [one for one in quantities(matching.claim.text) if one.is_claim]
    rows = spoken or (own if len(numbers) == 1 else table.rows)
    yield from _of_other_numbers(matching, table, rows)
    if spoken:
        yield from _of_other_rows(matching, table, spoken)
    yield from _of_other_columns(matching, table, rows)


def _of_other_numbers(matching: Matching, table: Table, rows: Sequence[Sequence[Cell]]) -> Iterator[str]:
    there = [number for row in (table.head, *rows) for cell in row for number in cell.numbers]
    for number in quantities(matching.claim.text):
        is_count = number.unit is None and number.value == len(table.rows)
        if number.is_claim and not is_count and not _is_among(number, there):
            yield f"the row does not say {matching.claim.text[number.start : number.end]}"


def _of_other_rows(matching: Matching, table: Table, spoken: Sequence[Sequence[Cell]]) -> Iterator[str]:
    """A word of another row's cell that stands nowhere else, and nothing of the named rows' cells of that column.

    A claim that denies may speak of what its row lacks.
    """
    if is_odd(matching.claim.words):
        return
    own = table.elsewhere.union(*(cell.stems for row in spoken for cell in row))
    for row in table.rows:
        for index, cell in enumerate(row):
            there = frozenset().union(*(one[index].stems for one in spoken if index < len(one)))
            if index and there and cell.stems & matching.known - own and not there & matching.known:
                yield f"the table says this of {row[0].text}, not of {spoken[0][0].text}"
                return


def _of_other_columns(matching: Matching, table: Table, rows: Sequence[Sequence[Cell]]) -> Iterator[str]:
    """As many numbers as heads that are named: each, in order, is that of its head."""
    claim = matching.claim
    width = min(len(row) for row in (table.head, *rows))
    columns = [index for index in range(1, width) if any(row[index].numbers for row in rows)]
    named = {index: place for index in columns if (place := _place(matching, table.head[index].stems)) is not None}
    heads = sorted(named, key=lambda index: named[index])
    in_cells = [number for row in rows for index in columns for number in row[index].numbers]
    said = [one for one in quantities(claim.text) if one.is_claim and _is_among(one, in_cells)]
    if len(said) != len(heads):
        return
    for index, number in zip(heads, said, strict=True):
        if not _is_among(number, [one for row in rows for one in row[index].numbers]):
            yield f"the table does not say {claim.text[number.start : number.end]} of {table.head[index].text}"


def _cells(evidence: Evidence, row: Statement) -> list[Cell]:
    text = evidence.said(row)
    return [_cell(evidence, row, row.start + start, row.start + end) for start, end in cells(text)] or [
        _cell(evidence, row, row.start, row.end)
    ]


def _cell(evidence: Evidence, row: Statement, start: int, end: int) -> Cell:
    words = (word for word in row.words if start <= word.start < end)
    offset = len(evidence.whole) - len(evidence.text)
    numbers = [one for one in evidence.quantities if start <= one.start - offset < end]
    return Cell(evidence.text[start:end].strip(), frozenset(word.stem for word in words if word.stem), numbers)


def _place(matching: Matching, stems: Stems) -> int | None:
    """Where the claim has the first of the words; None without one."""
    content = zip(matching.claim.content, matching.families, strict=True)
    return min((word.start for word, family in content if family & stems), default=None)


def _share(stems: Stems, known: Stems) -> float:
    return len(stems & known) / len(stems) if stems else 0.0


def _is_among(number: Quantity, there: Sequence[Quantity]) -> bool:
    return any(number.is_stated_by(one) or number._replace(unit=None).is_stated_by(one) for one in there)
