"""The text of a section, or of as much of it as lies near a chunk, put together from its chunks."""

from collections.abc import Iterable, Sequence
from itertools import groupby, takewhile
from typing import NamedTuple

from app.book.selection import spliced
from app.book.vector_store import Hit
from app.book.visible_text import VisibleText, joined_texts, visible_heading, visible_text


class Stretch(NamedTuple):
    chunks: list[Hit]
    """Of one section, in order."""
    text: str
    start: int
    end: int
    heading_path: list[str]
    is_whole: bool
    """All of the section."""


def stretches_around(hit: Hit, chunks: Iterable[Hit], reach: int) -> list[Stretch]:
    """Of the hit's section and of others of its source, in order; `reach` is in characters of the source.

    Of the hit alone where the chunks, as an index changes, don't make a text.
    """
    near = [one for one in chunks if one.payload["source"] == hit.payload["source"] and _gap(one, hit) <= reach]
    near.sort(key=lambda one: int(one.payload["start"]))
    groups = [list(group) for _, group in groupby(near, key=section_id)]
    return [stretch for group in groups for stretch in _stretch(group)] or _stretch([hit])


def section_id(hit: Hit) -> str:
    """Empty in an index of an older version."""
    return str(hit.payload.get("section_id", ""))


def sections_around(hit: Hit, distance: int) -> list[str]:
    """Ids of its section and of those before and after, which need not be there."""
    source, _, number = section_id(hit).rpartition("#")
    if not number.isdecimal():
        return []
    return [f"{source}#{one}" for one in range(max(0, int(number) - distance), int(number) + distance + 1)]


def visible(stretches: Sequence[Stretch]) -> VisibleText:
    """With the headings of the sections that begin here."""
    texts: list[VisibleText] = []
    above: list[str] = []
    for number, stretch in enumerate(stretches):
        path = stretch.heading_path
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(path, above, strict=False)))
        if number or stretch.is_whole:
            texts += map(visible_heading, path[same:])
        texts.append(visible_text(stretch.chunks[0].payload["source"], stretch.text, stretch.start))
        above = path
    return joined_texts(texts)


def _gap(one: Hit, other: Hit) -> int:
    """Characters between them, or less than none."""
    return max(
        int(one.payload["start"]) - int(other.payload["end"]), int(other.payload["start"]) - int(one.payload["end"])
    )


def _stretch(chunks: list[Hit]) -> list[Stretch]:
    """None or one."""
    whole = spliced(chunks)
    payload = chunks[0].payload
    is_whole = payload.get("section_chunks", 1) == len(chunks)
    return [Stretch(chunks, *whole, list(payload["heading_path"]), is_whole)] if whole else []
