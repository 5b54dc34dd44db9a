"""What goes with a part of an answer that is left out: the rest of a list's item, and all that is numbered after it."""

import re

from app.grounding.lines import ITEM
from app.grounding.sentences import Segment
from app.grounding.wording import lead

INDENTED_ITEM = re.compile(rf"^([ \t>]*)(?:{ITEM.pattern})", re.MULTILINE)


class Holes:
    def __init__(self) -> None:
        self._hole: Segment | None = None
        self._paragraph = -1  # that was left out last

    def leave_out(self, segment: Segment) -> None:
        own = depth(segment)
        within = depth(self._hole) if self._hole and segment.paragraph == self._paragraph else None
        is_part = own is not None and within is not None and own > within
        if (own is not None or segment.kind == "table_head") and not is_part:
            self._hole, self._paragraph = segment, segment.paragraph

    def take(self, segment: Segment) -> bool:
        """Whether it must go, too."""
        if self._hole is None or segment.kind == "heading":
            self._hole = None
            return False
        own = depth(segment)
        if own is None:
            goes = self._belongs(self._hole, segment)
        elif goes := self._follows(self._hole, segment, own):
            self._hole = segment if own == depth(self._hole) else self._hole
        else:
            self._hole = None
        self._paragraph = segment.paragraph if goes else self._paragraph
        return goes

    def _belongs(self, hole: Segment, segment: Segment) -> bool:
        """It begins no item, but stands in the one that was left out."""
        within = depth(hole)
        _, line, indent = lead(segment.text).rpartition("\n")
        is_inside = within is not None and bool(line) and len(indent) > within
        return is_inside or segment.paragraph == self._paragraph

    def _follows(self, hole: Segment, segment: Segment, own: int) -> bool:
        """It is an item of the one that was left out, or comes after it in its numbered list."""
        within = depth(hole)
        is_same_list = segment.paragraph == self._paragraph
        if within is None or own > within:
            return is_same_list
        if own < within or hole.ordinal is None or segment.ordinal is None:
            return False
        return segment.ordinal == hole.ordinal + 1 or (is_same_list and segment.ordinal >= hole.ordinal)


def depth(segment: Segment) -> int | None:
    """How far the item is indented that begins with it; None if none does."""
    if segment.kind not in {"item", "intro"}:
        return None
    begun = INDENTED_ITEM.search(segment.text)
    return len(begun[1]) if begun else None
