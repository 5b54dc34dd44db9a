"""Where one text stands in another: exactly, or with slips that leave every number as it is.

The slips are counted as in Levenshtein's distance. Runs that both texts have are found first, and only what
lies between them is compared letter by letter, so that the time goes with the length.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from app.book.common_runs import Pair, common_runs, places_of
from app.book.visible_text import FOOTNOTE, VisibleText

MOST_CELLS = 40_000
"""Pairs of letters that are compared."""
INNER = 12
"""Letters from which on a text may begin and end within a word."""
_NEVER = 1_000_000
_NUMBER = re.compile(r"-?\d(?:[.,:/-]?\d)*")
_NUMBER_BEFORE, _NUMBER_AFTER = re.compile(r"\d[.,]?$"), re.compile(r"[.,]?\d")


class Alignment(NamedTuple):
    slips: int
    start: int
    end: int
    """Indexes of the letters in the text that was looked in."""


def find(wanted: str, text: VisibleText) -> Alignment | None:
    """The first place where it stands letter by letter; what is optional may be there or not."""
    letters, indexes = text.certain()
    for start in places_of(wanted, letters):
        found = Alignment(0, indexes[start], indexes[start + len(wanted) - 1] + 1)
        if _is_whole(text, found, inner=len(wanted) >= INNER):
            return found
    full = (Alignment(0, start, start + len(wanted)) for start in places_of(wanted, text.text))
    return next((one for one in full if _is_whole(text, one, inner=len(wanted) >= INNER)), None)


def align(wanted: str, text: VisibleText, most_slips: int) -> Alignment | None:
    """The place where it stands with few slips, none of them in a number."""
    runs = common_runs(wanted, text)
    found = _Comparison(wanted, text, most_slips).along(runs) if runs else None
    return found if found and _is_whole(text, found, inner=True) else None


def _is_whole(text: VisibleText, found: Alignment, *, inner: bool) -> bool:
    """It neither begins nor ends within a number, and within a word only if it is `inner`."""
    return not any(_splits(text, border, inner=inner) for border in (found.start, found.end))


def _splits(text: VisibleText, border: int, *, inner: bool) -> bool:
    if not 0 < border < len(text.text) or not _touch(text, border):
        return False
    start = border - 2 if border > 1 and _touch(text, border - 1) else border - 1
    end = border + 2 if border + 1 < len(text.text) and _touch(text, border + 1) else border + 1
    before, after = text.text[start:border], text.text[border:end]
    in_number = _NUMBER_BEFORE.search(before) and _NUMBER_AFTER.match(after)
    return bool(in_number) or (not inner and _is_letter(before[-1]) and _is_letter(after[0]))


def _touch(text: VisibleText, index: int) -> bool:
    """Nothing lies between the letter before and this one."""
    return text.ends[index - 1] == text.starts[index]


def _is_letter(char: str) -> bool:
    """Of a script that writes spaces between its words, or a mark on such a letter."""
    return (char.isalnum() and char < "\u0e00") or "\u0300" <= char < "\u0370"


class _TooDifferentError(Exception):
    pass


class _Comparison:
    """Counts the slips of one text in another."""

    def __init__(self, wanted: str, text: VisibleText, most_slips: int) -> None:
        self._wanted, self._text = wanted, text.text
        self._insert = _costs(wanted)
        self._skip = [0 if optional else cost for cost, optional in zip(_costs(self._text), text.optional, strict=True)]
        self._most = most_slips
        self._reach = most_slips + sum(text.optional)
        self._slips = self._cells = 0

    def along(self, chain: Sequence[Pair]) -> Alignment | None:
        try:
            at, place = self._back(*chain[0], 0, 0)
            start = place - self._open(range(at - 1, -1, -1), range(place - 1, -1, -1))
            at, place = self._forth(at, place)
            for seed in chain[1:]:
                if seed[0] >= at and seed[1] >= place:
                    to = self._back(*seed, at, place)
                    self._between(range(at, to[0]), range(place, to[1]))
                    at, place = self._forth(*to)
            end = place + self._open(range(at, len(self._wanted)), range(place, len(self._text)))
        except _TooDifferentError:
            return None
        return Alignment(self._slips, start, end)

    def _back(self, at: int, place: int, least_at: int, least_place: int) -> Pair:
        while at > least_at and place > least_place and self._wanted[at - 1] == self._text[place - 1]:
            at, place = at - 1, place - 1
        return at, place

    def _forth(self, at: int, place: int) -> Pair:
        while at < len(self._wanted) and place < len(self._text) and self._wanted[at] == self._text[place]:
            at, place = at + 1, place + 1
        return at, place

    def _between(self, at: range, places: range) -> None:
        self._count(self._row(at, places)[-1])

    def _open(self, at: range, places: range) -> int:
        """Letters of the text that belong to an end of what is wanted; they are read away from what is known."""
        row = self._row(at, places[: len(at) + self._reach])
        least = min(row)
        self._count(least)
        ends = [end for end, slips in enumerate(row) if slips == least]
        last = self._wanted[at[-1]] if at else None
        return next((end for end in ends[::-1] if end and self._text[places[end - 1]] == last), ends[0])

    def _count(self, slips: int) -> None:
        self._slips += slips
        if self._slips > self._most:
            raise _TooDifferentError

    def _row(self, at: range, places: range) -> list[int]:
        """The last of Levenshtein's matrix: of all that is wanted, and of each beginning of the places."""
        self._cells += len(at) * len(places)
        if self._cells > MOST_CELLS:
            raise _TooDifferentError
        row = [0]
        for place in places:
            row.append(row[-1] + self._skip[place])
        for index in at:
            row = self._next_row(row, index, places)
            if min(row) > self._most - self._slips:
                raise _TooDifferentError
        return row

    def _next_row(self, row: Sequence[int], index: int, places: range) -> list[int]:
        char, insert = self._wanted[index], self._insert[index]
        last = row[0] + insert
        next_row = [last]
        for column, place in enumerate(places):
            other = self._text[place]
            if other == char or (other == FOOTNOTE and char.isdigit()):
                change = 0
            else:
                change = _NEVER if insert == _NEVER or self._skip[place] == _NEVER else 1
            last = min(row[column] + change, row[column + 1] + insert, last + self._skip[place])
            next_row.append(last)
        return next_row


def _costs(text: str) -> list[int]:
    """Of leaving a letter out: 1, but numbers must stay."""
    costs = [1] * len(text)
    for number in _NUMBER.finditer(text):
        costs[number.start() : number.end()] = [_NEVER] * (number.end() - number.start())
    return costs
