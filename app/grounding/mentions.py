"""Where a passage names something, and how near to the name the words of its statement stand."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Sequence
from functools import cached_property

from app.grounding.quantities import Quantity
from app.grounding.statements import Statement

CODE_NAME = re.compile(r"(?<!`)`(?P<name>(?=[^`\n]*\w)[^`\s=+*(){}]+)(?:\(\))?`(?!`)")
TERM = re.compile(r"(?<![\w*`])(?P<mark>\*{1,2})(?P<name>(?=\S)[^*`\n]+)(?P=mark)(?![\w*`])")
LITERAL = re.compile(r"true|false|null|undefined|none|nil|nan|['\"].*|[-+]?[\d.]+\w{0,2}", re.IGNORECASE)
"""Code that names nothing."""
JOINT = re.compile(r"[\s*`,/]*(?:(?:and|or)\b)?[\s*`]*")
DEFINED = re.compile(r"(?:\(\))?[*`]*\s*[:|\u2013\u2014-]")
BORDER = re.compile(r"[;:|,()]|\.\s|\b(?:and|or|but|while|whereas|although|since|because)\b")
BORDER_WORDS = 3
"""A border between parts of a sentence counts as so many words."""
HALF_WAY = 4
"""Words at which a word counts half."""
IN_CONTEXT = 0.3
"""What a word counts that only the statement's context has."""
CONTRASTS = frozenset(["unlike", "contrary", "like", "than", "not", "without", "instead"])
BACKWARD = frozenset(["it", "its", "they", "their", "this", "these", "both", "such"])
"""With them a statement goes on about what the one before names."""


class Layout:
    """Where the words of a statement stand, and the borders between its parts."""

    def __init__(self, text: str, statement: Statement) -> None:
        self.statement = statement
        self.words = statement.words
        self._starts = [word.start for word in self.words]
        borders = [match.start() for match in BORDER.finditer(text, statement.start, statement.end)]
        self._borders_before = [bisect_left(borders, start) for start in self._starts]
        self._places: dict[str, list[int]] = {}
        for index, word in enumerate(self.words):
            self._places.setdefault(word.stem, []).append(index)

    def between(self, start: int, end: int) -> tuple[int, int]:
        """Indexes of the first word there and of the one after the last."""
        return bisect_left(self._starts, start), bisect_left(self._starts, end)

    def distance(self, stem: str, first: int, end: int) -> int | None:
        """From the words from `first` to `end` to the nearest with this stem, in words; None if there is none."""
        places = self._places.get(stem, [])
        before, after = bisect_left(places, first), bisect_left(places, end)
        found = [self._far(places[before - 1], first)] if before else []
        found += [self._far(end - 1, places[after])] if after < len(places) else []
        return min(found, default=None)

    def _far(self, left: int, right: int) -> int:
        return right - left - 1 + BORDER_WORDS * (self._borders_before[right] - self._borders_before[left])


class Mention:
    def __init__(self, text: str, layout: Layout, start: int, end: int) -> None:
        """`start` and `end` of the name in the passage's text, which has a word there."""
        self.written = text[start:end]
        self.group = 0
        """The same for names with nothing but "and", "or" or a comma between them; 0 for numbers."""
        self.statement = layout.statement
        self._text, self._layout, self._start, self._stop = text, layout, start, end
        self._first, self._end = layout.between(start, end)

    @cached_property
    def stems(self) -> tuple[str, ...]:
        """Of the name's words, in order."""
        return tuple(word.stem for word in self._layout.words[self._first : self._end] if word.stem)

    @cached_property
    def is_defined(self) -> bool:
        """It begins a row, or an item that goes on with a colon or a dash: all of it is said of this."""
        before = self._text[self.statement.start : self._start]
        return not before.strip("`*_-+| \t") and ("|" in before or bool(DEFINED.match(self._text, self._stop)))

    @cached_property
    def is_foil(self) -> bool:
        """Something is set against it, as in "unlike this"."""
        return any(word.text in CONTRASTS for word in self._layout.words[max(0, self._first - 2) : self._first])

    @cached_property
    def is_backward(self) -> bool:
        """Its statement goes on about what was named before."""
        return bool(self._layout.words) and self._layout.words[0].text in BACKWARD

    def nearness(self, families: Collection[Collection[str]]) -> float:
        """Of words, each given by the stems that count as it: 1 for each that is next to the name, less if farther."""
        return sum(self._nearness(family) for family in families)

    def _nearness(self, family: Collection[str]) -> float:
        distances = (self._layout.distance(stem, self._first, self._end) for stem in family)
        distance = min((one for one in distances if one is not None), default=None)
        if distance is not None:
            return 1 / (1 + distance / HALF_WAY)
        context = self.statement.context
        return 0.0 if context is None or context.stems.isdisjoint(family) else IN_CONTEXT


class Mentions:
    """Of one passage."""

    def __init__(self, text: str, statements: Sequence[Statement]) -> None:
        self._text, self._statements = text, statements
        self._layouts: dict[int, Layout] = {}
        self._starts = [statement.start for statement in statements]

    @cached_property
    def code_names(self) -> list[Mention]:
        return [one for one in self._matching(CODE_NAME) if not LITERAL.fullmatch(one.written)]

    @cached_property
    def terms(self) -> list[Mention]:
        """In italics or bold."""
        return [one for one in self._matching(TERM) if one.stems]

    def of_numbers(self, counted: Sequence[Quantity], offset: int) -> list[tuple[Quantity, Mention]]:
        """`offset`: of the passage's text in what was counted."""
        found = ((one, self._at(one.start - offset, one.end - offset)) for one in counted)
        return [(one, mention) for one, mention in found if mention is not None]

    def _matching(self, pattern: re.Pattern[str]) -> Iterator[Mention]:
        group, end = 1, 0
        for match in pattern.finditer(self._text):
            mention = self._at(*match.span("name"))
            if mention is not None:
                group += not JOINT.fullmatch(self._text, end, match.start())
                end, mention.group = match.end(), group
                yield mention

    def _at(self, start: int, end: int) -> Mention | None:
        index = bisect_right(self._starts, start) - 1
        if index < 0:
            return None
        layout = self._layouts.get(index)
        if layout is None:
            layout = self._layouts[index] = Layout(self._text, self._statements[index])
        first, after = layout.between(start, end)
        return Mention(self._text, layout, start, end) if first < after else None
