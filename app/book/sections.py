"""A page's headings and blocks as sections: each heading with what is under it."""

from collections.abc import Iterator, Sequence

import msgspec

from app.book.blocks import Block, Heading


class Section(msgspec.Struct, frozen=True):
    heading_path: tuple[str, ...]
    """The page's title and the headings above and of this section."""
    anchor: str
    """Empty for the top of the page."""
    start: int
    """Where its heading begins."""
    end: int
    blocks: tuple[Block, ...]
    """In order, without the heading, unless it is all that there is."""


def cut_sections(title: str, parts: Sequence[Heading | Block], start: int, end: int) -> Iterator[Section]:
    """Cut at every heading; what is before the first makes a section only if there is something.

    A heading without text only changes the anchor.
    """
    before, runs = _runs(parts)
    starts = [*(heading.start for heading, _ in runs), end]
    if before:
        yield Section((title,), "", start, starts[0], tuple(before))
    above: list[Heading] = []
    for index, (heading, blocks) in enumerate(runs):
        above = [*(upper for upper in above if upper.level < heading.level), heading]
        path = (title, *(upper.text for upper in above if upper.text and not _is_title(upper, title)))
        anchor = "" if index == 0 and _is_title(heading, title) else heading.anchor
        below = runs[index + 1][0].level if index + 1 < len(runs) else 0
        own = [] if below > heading.level else _own_line(heading, blocks)
        yield Section(path, anchor, heading.start, starts[index + 1], (*own, *blocks))


def _own_line(heading: Heading, blocks: Sequence[Block]) -> list[Block]:
    """A heading with nothing to read below it is read itself: it could not be found otherwise."""
    says_nothing = heading.text and all(block.kind in {"skip", "hidden"} for block in blocks)
    return [Block("text", heading.start, heading.end)] if says_nothing else []


def _runs(parts: Sequence[Heading | Block]) -> tuple[list[Block], list[tuple[Heading, list[Block]]]]:
    """Split into what is before the first heading, and each heading with what follows it."""
    blocks: list[Block] = []
    before, runs = blocks, []
    for part in parts:
        if isinstance(part, Heading):
            blocks = []
            runs.append((part, blocks))
        else:
            blocks.append(part)
    return before, runs


def _is_title(heading: Heading, title: str) -> bool:
    return heading.level == 1 and _letters(heading.text) == _letters(title)


def _letters(text: str) -> str:
    """What is left of a title when punctuation and case don't count."""
    return "".join(char for char in text.casefold() if char.isalnum()) or text
