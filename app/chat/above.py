"""What a part of an answer stands under: headings, an introduction, the items of a list."""

import re

import msgspec

from app.chat.holes import depth
from app.chat.outline import level
from app.chat.rulings import Ruling
from app.grounding.polarity import is_limited
from app.grounding.sentences import Segment
from app.grounding.wording import CLOSING, lead, without_numbers

TITLE = re.compile(r"(\*\*|__)[^*_]+\1")
STOPS = tuple(".!?…。！？")
LONGEST_TITLE, LONGEST_LABEL = 8, 12
"""Words."""
OUTSIDE = -1
"""The depth of what is in no list."""


class _Head(msgspec.Struct):
    segment: Segment
    depth: int
    is_withheld: bool
    is_mere_label: bool
    """The first of the answer, under which nothing else can come to stand when it is left out."""
    paragraph: int | None = None
    """The latest that it introduces; None until there is one."""
    has_parts: bool = False
    """It introduces introductions."""


class Above:
    def __init__(self) -> None:
        self._heads: list[_Head] = []
        """Outermost first."""
        self._is_first = True

    def arrive(self, segment: Segment) -> None:
        """The next segment is under what is left."""
        if is_heading(segment):
            self._heads = [head for head in self._heads if level(head.segment) < level(segment)]
            return
        is_in_list = False
        while self._heads and not _is_under(self._heads[-1], segment, is_in_list=is_in_list):
            is_in_list = depth(self._heads.pop().segment) is not None

    def stand(self, segment: Segment, ruling: Ruling) -> None:
        """It arrived, and may have something under it."""
        begun = depth(segment)
        if is_heading(segment):
            self._add(segment, OUTSIDE, ruling, is_mere_label=not is_limited(segment.body))
        elif begun is not None:
            self._add(segment, begun, ruling, is_mere_label=ruling.is_label)
        elif segment.kind == "intro" or (segment.kind == "sentence" and not _is_ended(segment)):
            is_mere_label = ruling.reason != "context" and not is_limited(segment.body)
            self._add(segment, self._depth(), ruling, is_mere_label=is_mere_label)

    def withholds(self, segment: Segment) -> bool:
        """It stands under something that was withheld. A title takes no prose with it."""
        return any(head.is_withheld and not _spares(head, segment) for head in self._heads)

    @property
    def labels(self) -> list[str]:
        """Of the introduction and the items, outermost first."""
        said = [head.segment.body.rstrip(" *_:：") for head in self._heads if not is_heading(head.segment)]
        return [label for label in said if label and len(label.split()) <= LONGEST_LABEL]

    def _add(self, segment: Segment, within: int, ruling: Ruling, *, is_mere_label: bool) -> None:
        is_withheld = ruling.reason is not None and segment.kind != "item"
        self._heads.append(_Head(segment, within, is_withheld, is_mere_label and self._is_first))
        self._is_first = False

    def _depth(self) -> int:
        return self._heads[-1].depth if self._heads else OUTSIDE


def _is_under(head: _Head, segment: Segment, *, is_in_list: bool) -> bool:
    """`is_in_list`: what came before it is in an item that the head introduces."""
    if is_heading(head.segment):
        return True
    begun = depth(segment)
    if head.depth != OUTSIDE and begun is not None and begun <= head.depth:
        return False
    if head.paragraph is None:
        head.has_parts = segment.kind == "intro" and begun is None
        is_under = _introduces(head, segment)
    else:
        is_under = _goes_on(head, segment) or (is_in_list and begun is not None)
    head.paragraph = segment.paragraph
    return is_under


def _goes_on(head: _Head, segment: Segment) -> bool:
    """It is of the same block, within an item, or another part."""
    if segment.paragraph == head.paragraph or _indent(segment) > max(head.depth, 0):
        return True
    return head.has_parts and segment.kind == "intro"


def is_heading(segment: Segment) -> bool:
    """One by its marks, or a short line that is all bold."""
    if segment.kind != "sentence":
        return segment.kind == "heading"
    is_bold = TITLE.fullmatch(without_numbers(segment.text).strip()) is not None
    return is_bold and not _is_ended(segment) and len(segment.body.split()) <= LONGEST_TITLE


def _is_ended(segment: Segment) -> bool:
    return segment.body.rstrip(CLOSING).endswith(STOPS)


def _spares(head: _Head, segment: Segment) -> bool:
    return head.is_mere_label and (segment.kind in {"sentence", "code"} or not is_heading(head.segment))


def _introduces(head: _Head, segment: Segment) -> bool:
    """What comes right after an introduction; of a line without a full stop, and of an item, only items."""
    begun = depth(segment)
    if head.segment.kind == "intro":
        return True
    if head.depth == OUTSIDE:
        return begun is not None
    return segment.paragraph == head.segment.paragraph or _indent(segment) > head.depth


def _indent(segment: Segment) -> int:
    begun = depth(segment)
    if begun is not None:
        return begun
    return len(lead(segment.text).rpartition("\n")[2])
