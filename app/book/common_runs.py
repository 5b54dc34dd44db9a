"""Runs of letters that two texts have in common, from which it follows where the one may stand in the other."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from app.book.visible_text import VisibleText

SEED, SEED_STEP, LONG_SEED_STEP = 8, 4, 8
"""Letters of a run that is looked for, and from one such run to the next."""
LONG = 400
"""Letters of a text from which on the steps are long."""
MOST_PLACES = 4
"""Of one run."""
LEAST_SHARE, LONG_LEAST_SHARE = 0.25, 0.4
"""Of the runs that must be there for a comparison: less in a short text, where one slip breaks many of them."""
LOOKBACK = 24
"""Runs that are looked at for the one before."""

SLIP = 4
"""Letters more or less that may be a slip."""

Pair = tuple[int, int]
"""Where a run begins in the one and in the other."""


def common_runs(wanted: str, text: VisibleText) -> list[Pair]:
    """Those that stand in the text as in what is wanted, one after the other; none where there are too few."""
    chain = _chain(_best_window(_seeds(wanted, text.text), _drift(wanted, text)))
    least_share = LONG_LEAST_SHARE if len(wanted) >= LONG else LEAST_SHARE
    return chain if len(chain) >= least_share * len(_steps(wanted)) else []


def likeness(wanted: str, text: VisibleText) -> int:
    """How many runs of both there are about one place."""
    return len(_best_window(_seeds(wanted, text.text), _drift(wanted, text)))


def places_of(wanted: str, text: str) -> Iterator[int]:
    start = text.find(wanted)
    while start >= 0:
        yield start
        start = text.find(wanted, start + 1)


def _steps(wanted: str) -> range:
    return range(0, len(wanted) - SEED + 1, LONG_SEED_STEP if len(wanted) >= LONG else SEED_STEP)


def _drift(wanted: str, text: VisibleText) -> int:
    """How much farther apart two letters may be in one of the texts than in the other."""
    return 16 + len(wanted) // 8 + sum(text.optional)


def _seeds(wanted: str, text: str) -> list[Pair]:
    """Indexes in both of the runs that both have."""
    pairs: list[Pair] = []
    for at in _steps(wanted):
        seed = wanted[at : at + SEED]
        pairs += [(at, place) for place, _ in zip(places_of(seed, text), range(MOST_PLACES), strict=False)]
    return pairs


def _best_window(pairs: Sequence[Pair], drift: int) -> list[Pair]:
    """Most of the pairs that are about equally far apart, in order."""
    by_shift = sorted(pairs, key=lambda pair: pair[1] - pair[0])
    shifts = [place - at for at, place in by_shift]
    ends = [bisect_right(shifts, shift + drift) for shift in shifts]
    first = max(range(len(shifts)), key=lambda index: ends[index] - index, default=0)
    return sorted(by_shift[first : ends[first]]) if shifts else []


def _chain(pairs: Sequence[Pair]) -> list[Pair]:
    """The series that goes forward in both texts, is long, and seldom out of step."""
    scores: list[float] = []
    before: list[int] = []
    for index, (at, place) in enumerate(pairs):
        best, best_before = 0.0, -1
        for other in range(max(0, index - LOOKBACK), index):
            at_before, place_before = pairs[other]
            if at_before < at and place_before < place and scores[other] > best:
                score = scores[other] - _penalty((place - at) - (place_before - at_before))
                if score > best:
                    best, best_before = score, other
        scores.append(best + 1)
        before.append(best_before)
    series: list[Pair] = []
    index = max(range(len(pairs)), key=scores.__getitem__, default=-1)
    while index >= 0:
        series.append(pairs[index])
        index = before[index]
    return series[::-1]


def _penalty(shift: int) -> float:
    """Of a step out of line, in runs: where it is long, one run alone is not worth it."""
    if abs(shift) <= SLIP:
        return 0.5 if shift else 0.0
    return min(1 + abs(shift) / 100, 3)
