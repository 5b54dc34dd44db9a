"""What of an answer waits for the sentence that makes it worth telling: headings, introductions, courtesies."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from app.chat.events import SentenceFlagged
from app.chat.holes import depth
from app.chat.rulings import Proof
from app.grounding.sentences import Segment
from app.grounding.wording import lead, wider

INTRODUCING = {"intro", "table_head"}
LOWEST = 7
"""The level of what is no heading."""
UNDERLINES = {"=": 1, "-": 2}
MARKS = re.compile(r"[ \t>]*(#{1,6})")


class Told(NamedTuple):
    """A segment as it is told; only the white space before it, if it is left out."""

    segment: Segment
    text: str
    proofs: Sequence[Proof] = ()
    verdict: SentenceFlagged | None = None
    """That follows it."""

    def left_out(self) -> "Told":
        return Told(self.segment, lead(self.text))

    @property
    def is_left_out(self) -> bool:
        return not self.text.strip()


class Outline:
    def __init__(self) -> None:
        self._held: list[Told] = []

    def arrive(self, segment: Segment) -> list[Segment]:
        """What can no longer be told, now that this comes: a heading without content, an introduction of nothing."""
        gone = _headings_before(segment, self._held) if segment.kind == "heading" else _left_alone(segment, self._held)
        self._held = [one.left_out() if one.segment in gone else one for one in self._held]
        return gone

    def hold(self, told: Told) -> None:
        """Of what is left out in a row, the white space is kept once."""
        if self._held and told.is_left_out and self._held[-1].is_left_out:
            told = Told(told.segment, wider(self._held.pop().text, told.text))
        self._held.append(told)

    def release(self) -> list[Told]:
        held, self._held = self._held, []
        return held


def level(segment: Segment) -> int:
    """Of a heading, 1 to 6."""
    if segment.kind != "heading":
        return LOWEST
    line = segment.text.rpartition("\n")[2]
    marks = MARKS.match(line)
    return len(marks[1]) if marks else UNDERLINES.get(line.strip(" \t>")[:1], 1)


def _headings_before(heading: Segment, held: Sequence[Told]) -> list[Segment]:
    """With what stands under them."""
    return [one.segment for one in held if not one.is_left_out and level(one.segment) >= level(heading)]


def _left_alone(now: Segment, held: Sequence[Told]) -> list[Segment]:
    """Introductions that are not right before this, or before what is."""
    gone = []
    for one in reversed(held):
        if one.is_left_out:
            continue
        if one.segment.kind in INTRODUCING and not _introduces(one.segment, now):
            gone.append(one.segment)
        else:
            now = one.segment
    return gone


def _introduces(intro: Segment, now: Segment) -> bool:
    if intro.kind == "table_head":
        return intro.paragraph == now.paragraph
    within, own = depth(intro), depth(now)
    is_beside = within is not None and own is not None and own <= within
    return intro.paragraph + 1 >= now.paragraph and not is_beside
