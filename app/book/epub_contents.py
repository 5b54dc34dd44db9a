"""An EPUB's table of contents, and a heading at each place that it names and that has none."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from app.book.html_cleaning import remove
from app.book.html_tree import HEADINGS, Element, kinds_of, name_of, named, text_of

_CONTAINERS = frozenset({"html", "body", "main", "article", "section", "div"})
_LOOKED_AT = 50
"""Elements after a place, until its heading or text; and pieces of the text."""


class Entry(NamedTuple):
    level: int
    """From 1."""
    name: str


def entries_of_nav(root: Element) -> Iterator[tuple[str, Entry]]:
    """Links, each with what it says."""
    navs = named(root, "nav")
    toc = next((nav for nav in navs if kinds_of(nav) & {"toc", "doc-toc"}), navs[0] if navs else root)
    for link in named(toc, "a"):
        level = sum(name_of(each) == "ol" for each in link.iterancestors())
        yield link.get("href") or "", Entry(max(level, 1), text_of(link))


def entries_of_ncx(root: Element) -> Iterator[tuple[str, Entry]]:
    for point in named(root, "navpoint"):
        target = next((each.get("src") or "" for each in point if name_of(each) == "content"), "")
        name = next((text_of(each) for each in point if name_of(each) == "navlabel"), "")
        yield target, Entry(1 + sum(name_of(each) == "navpoint" for each in point.iterancestors()), name)


def fragment_of(link: str) -> str:
    return unquote(urlsplit(link).fragment)


def set_headings(main: Element, entries: Mapping[str, Entry], *, is_headed: bool) -> None:
    """Of a chapter that begins with text the name, and of the places in it those that have none."""
    places = _places(main)
    chapter = next((entry for fragment, entry in entries.items() if fragment not in places), None)
    above = 0
    if chapter and not is_headed:
        _name(main, chapter.name)
        above = chapter.level - 1
    present = {_letters(text_of(each)) for each in main.iter() if name_of(each) in HEADINGS}
    for fragment, entry in entries.items():
        place = places.get(fragment)
        if place is not None and _letters(entry.name) not in present and not _begins_with_heading(place):
            _head(place, fragment, entry.name, min(max(entry.level - above, 1), 6))


def _places(main: Element) -> dict[str, Element]:
    """All elements with an id."""
    places: dict[str, Element] = {}
    for each in main.iterdescendants():
        place = each.get("id") or (each.get("name") if name_of(each) == "a" else None)
        if place:
            places.setdefault(place, each)
    return places


def _name(main: Element, name: str) -> None:
    """The H1; all other headings get below it."""
    headings = [each for each in main.iter() if name_of(each) in HEADINGS]
    top = min((HEADINGS[name_of(each)] for each in headings), default=2)
    for heading in headings:
        heading.tag = f"h{min(HEADINGS[name_of(heading)] - top + 2, 6)}"
    first = main.makeelement("h1")
    first.text, first.tail, main.text = name, main.text, None
    main.insert(0, first)


def _begins_with_heading(place: Element) -> bool:
    if any(name_of(each) in HEADINGS for each in place.iterancestors()):
        return True
    for element in islice(_onwards(place), _LOOKED_AT):
        if name_of(element) in HEADINGS:
            return True
        if (element.text or "").strip() or (next(iter(element), None) is None and (element.tail or "").strip()):
            return False
    return False


def _onwards(place: Element) -> Iterator[Element]:
    yield from place.iter()
    for element in (place, *place.iterancestors()):
        for following in element.itersiblings():
            yield from following.iter()


def _head(place: Element, fragment: str, name: str, level: int) -> None:
    """The heading stands before the block, outside of lists and tables; a line that says the same is gone."""
    block = place
    for each in place.iterancestors():
        block = block if name_of(each) in _CONTAINERS else each
    heading = block.makeelement(f"h{level}")
    heading.text = name
    heading.set("id", fragment)
    block.addprevious(heading)
    pieces = [*islice(block.itertext(), _LOOKED_AT)]
    letters = _letters("".join(pieces))
    if letters and len(pieces) < _LOOKED_AT and _letters(name).startswith(letters):
        remove(block)


def _letters(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalpha())
