"""Where a selection stands among the sections that were read."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from app.book.alignment import Alignment, align, find
from app.book.common_runs import likeness
from app.book.stretches import Stretch, section_id, stretches_around, visible
from app.book.vector_store import Hit
from app.book.visible_text import VisibleText


class Reading(NamedTuple):
    """What stands around a hit."""

    hit: Hit
    stretches: list[Stretch]
    text: VisibleText

    @property
    def chunks(self) -> list[Hit]:
        return [chunk for stretch in self.stretches for chunk in stretch.chunks]


class Place(NamedTuple):
    reading: Reading
    alignment: Alignment

    def span(self) -> tuple[Stretch, int, int]:
        """The longest part in one section, as offsets in the source; all of the section for its heading alone."""
        parts = [(stretch, *self._offsets_in(stretch)) for stretch in self.reading.stretches]
        stretch, starts, ends = max(parts, key=lambda part: len(part[1]))
        if starts:
            return stretch, starts[0], ends[-1]
        after = [start for start in self.reading.text.starts[self.alignment.end :] if start >= 0]
        below = next(one for one in reversed(self.reading.stretches) if not after or one.start <= after[0])
        return below, below.start, below.end

    def selected(self) -> list[Hit]:
        """As few chunks as have all of it, in order."""
        letters = range(self.alignment.start, self.alignment.end)
        starts = [start for start in (self.reading.text.starts[letter] for letter in letters) if start >= 0]
        _, first, last = self.span()
        return _covering(self.reading.chunks, min(starts, default=first), max([last, *starts]))

    def _offsets_in(self, stretch: Stretch) -> tuple[list[int], list[int]]:
        text, (_, first, last) = self.reading.text, self.alignment
        spans = [
            (start, end)
            for start, end in zip(text.starts[first:last], text.ends[first:last], strict=True)
            if stretch.start <= start < stretch.end
        ]
        return [start for start, _ in spans], [end for _, end in spans]


def reading_around(hit: Hit, chunks: Iterable[Hit], reach: int) -> Reading:
    stretches = stretches_around(hit, chunks, reach)
    return Reading(hit, stretches, visible(stretches))


def readings(hits: Iterable[Hit], chunks: Sequence[Hit], reach: int, *, across: bool) -> Iterator[Reading]:
    """Of each hit that is in none before, from the chunks of its own section, or `across` the borders of sections."""
    read: set[str] = set()
    for hit in hits:
        if hit.id not in read:
            near = chunks if across else [one for one in chunks if section_id(one) == section_id(hit)]
            reading = reading_around(hit, near, reach)
            read.update(chunk.id for chunk in reading.chunks)
            yield reading


def exact_place(forms: Sequence[str], among: Iterable[Reading]) -> Place | None:
    """In the first reading that has one of the forms."""
    found = ((reading, find(form, reading.text)) for reading in among for form in forms)
    return next((Place(reading, alignment) for reading, alignment in found if alignment), None)


def similar_place(forms: Sequence[str], among: Iterable[Reading], share: float) -> Place | None:
    """In the first reading where one of the forms has few slips: at most so large a share of its letters."""
    found = ((reading, align(form, reading.text, int(share * len(form)))) for reading in among for form in forms)
    return next((Place(reading, alignment) for reading, alignment in found if alignment), None)


def likest(forms: Sequence[str], among: Iterable[Reading], most: int) -> list[Reading]:
    """Those that have something of the selection, most first."""
    rated = [(max(likeness(form, reading.text) for form in forms), reading) for reading in among]
    best = sorted((pair for pair in rated if pair[0]), key=lambda pair: -pair[0])
    return [reading for _, reading in best[:most]]


def _covering(chunks: Sequence[Hit], start: int, end: int) -> list[Hit]:
    chosen: list[Hit] = []
    while start < end:
        here = [one for one in chunks if one.payload["start"] <= start < one.payload["end"]]
        here = here or [one for one in chunks if start < one.payload["start"] < end][:1]
        if not here:
            break
        chosen.append(max(here, key=lambda one: int(one.payload["end"])))
        start = chosen[-1].payload["end"]
    return chosen
