"""What a reader sees of a text, letter by letter and with the place of each, so that text from a page can be found.

White space, case and marks that only shape the text are no part of it, on either side of a comparison.
"""

import html
import re
import unicodedata
from array import array
from collections.abc import Iterable
from functools import lru_cache
from itertools import compress
from pathlib import PurePosixPath
from typing import NamedTuple

from app.book.blocks import read_blocks

FOOTNOTE = "\ue000"
"""Stands for a digit of a footnote's number, which only the published page knows."""

_KNOWN_TEXTS = 256
_KNOWN_CHARS = 16384
_MARKDOWN_FILES = frozenset({".md", ".mdx", ".markdown"})
_SHAPING = frozenset("*_`~#|\\[]{}$^•◦▪‣●\ufe0e\ufe0f\u20e3")
_HYPHENS = "‐‒–—―−"  # noqa: RUF001
_ALIKE = dict.fromkeys("‘’‚‛′", "'") | dict.fromkeys("“”„‟«»", '"') | dict.fromkeys(_HYPHENS, "-")  # noqa: RUF001
_UNSEEN = {"Cf", "Cc"}
_LINE_MARKS = r"^[ \t]*+(?:(?:>|[-+*•]\s|\d{1,9}[.)]\s|\[[ xX]\]\s)[ \t]*+)++"
_FENCE = r"^[\s>]*+(?:`{3,}|~{3,}).*$"
_DASH = rf"(?P<dash>[-\u2011{_HYPHENS}]{{2,}}+)"
_MORE = re.compile(r"\A\s*(?:…|\.{3,})|(?:…|\.{3,})\s*\Z")
"""At the ends of a selection, that it goes on."""
_DASHES = re.compile(_DASH)
_LITERAL = re.compile(rf"(?P<optional>{_FENCE}|{_LINE_MARKS})|{_DASH}", re.MULTILINE)
_NESTED = r"\([^()]*+(?:\([^()]*+\)[^()]*+)*+\)"
_MARKDOWN = re.compile(
    rf"""(?P<escape>\\[!-/:-@\[-`{{-~])
    |(?P<code>(?P<ticks>`++)(?:[^`]|(?!(?P=ticks)(?!`))`++)++(?P=ticks))
    |(?P<unseen><!--.{{0,2000}}?-->|\{{/\*.{{0,2000}}?\*/\}}
      |<(?P<raw>script|style)\b[^>]*+>.{{0,2000}}?</(?P=raw)\s*+>
      |</?[A-Za-z][\w.:-]*+(?:\s(?:"[^"]*+"|'[^']*+'|\{{(?:[^{{}}]|\{{[^{{}}]*+\}})*+\}}|[^<>"'{{}}])*+)?+/?+>|</?>
      |^[ \t>]*+\|?+[ \t]*+:?+-++:?+[ \t]*+(?:\|[ \t]*+:?+-*+:?+[ \t]*+)*+$
      |!\[[^\]]*+\](?:{_NESTED}|\[[^\]]*+\])|(?<=\]){_NESTED})
    |(?P<address><(?:https?:|mailto:)[^\s<>]*+>)
    |(?P<footnote>\[\^[^\]\s]++\]:?+)
    |(?P<optional>^[ \t>]*+:{{3,}}[^\n]*+$|\[![A-Z]++\]|(?<=\])\[[^\]\n]*+\]|\{{[^{{}}\n]*+\}}|{_LINE_MARKS})
    |(?P<entity>&(?:\#\d{{1,7}}|\#[xX][\da-fA-F]{{1,6}}|\w{{2,31}});)
    |{_DASH}""",
    re.MULTILINE | re.VERBOSE | re.DOTALL,
)


class VisibleText(NamedTuple):
    text: str
    starts: "array[int]"
    """Offset of each letter in the source; negative where it is not known."""
    ends: "array[int]"
    optional: bytearray
    """1 for what a page may show or not, such as the number of a list's item."""

    def certain(self) -> tuple[str, list[int]]:
        """Without what is optional, and the indexes of what is left."""
        if not any(self.optional):
            return self.text, list(range(len(self.text)))
        kept = [index for index, optional in enumerate(self.optional) if not optional]
        return "".join(self.text[index] for index in kept), kept


def visible_heading(heading: str) -> VisibleText:
    """Optional as a whole: a heading's place in the source is not known."""
    plain = "".join(_SEEN[char] for char in heading)
    starts = array("q", range(-len(plain) - 1, -1))
    return VisibleText(plain, starts, array("q", (start + 1 for start in starts)), bytearray(b"\1" * len(plain)))


@lru_cache(_KNOWN_TEXTS)
def visible_text(source: str, text: str, offset: int = 0) -> VisibleText:
    """Of a part of a source file that begins at `offset`; the file's suffix says whether it is Markdown."""
    suffix = PurePosixPath(source).suffix.lower()
    writer = _Writer(text, offset)
    if suffix not in _MARKDOWN_FILES:
        writer.write(_LITERAL, 0, len(text))
        return writer.written()
    for block in read_blocks(text, 0, is_mdx=suffix == ".mdx" or None):
        kind = getattr(block, "kind", "text")
        if kind == "code" and not text.startswith("<", block.start):
            writer.write(_LITERAL, block.start, block.end)
        elif kind not in {"skip", "hidden"}:
            writer.write(_MARKDOWN, block.start, block.end)
    return writer.written()


def joined_texts(texts: Iterable[VisibleText]) -> VisibleText:
    whole = VisibleText("", array("q"), array("q"), bytearray())
    parts = []
    for one in texts:
        parts.append(one.text)
        whole.starts.extend(one.starts)
        whole.ends.extend(one.ends)
        whole.optional.extend(one.optional)
    return whole._replace(text="".join(parts))


def selected_texts(selected: str) -> list[str]:
    """What was selected, as it is, and, if that is something else, as Markdown; nothing without a letter or digit.

    Then the same without the dots at its ends that say that it goes on.
    """
    forms = dict.fromkeys(form for text in (selected, _MORE.sub("", selected)) for form in _forms(text))
    return [form for form in forms if any(char.isalnum() for char in form)]


def _forms(selected: str) -> tuple[str, str]:
    plain = _Writer(selected, 0)
    plain.write(_DASHES, 0, len(selected))
    return plain.written().text, visible_text("selected.md", selected).certain()[0]


class _Writer:
    def __init__(self, source: str, offset: int) -> None:
        self._source = source
        self._offset = offset
        self._parts: list[str] = []
        self._starts = array("q")
        self._ends = array("q")
        self._optional = bytearray()

    def written(self) -> VisibleText:
        return VisibleText("".join(self._parts), self._starts, self._ends, self._optional)

    def write(self, markup: re.Pattern[str], start: int, end: int) -> None:
        position = start
        for match in markup.finditer(self._source, start, end):
            self._add(position, match.start())
            self._mark(match)
            position = match.end()
        self._add(position, end)

    def _mark(self, match: re.Match[str]) -> None:
        start, end = match.span()
        match match.lastgroup:
            case "escape":
                self._add(start + 1, end)
            case "code":
                self.write(_DASHES, start, end)
            case "address":
                self._add(start + 1, end - 1)
            case "optional":
                self._add(start, end, optional=True)
            case "footnote":
                self._put(FOOTNOTE * 3, start, end, optional=True)
            case "entity":
                self._put("".join(_SEEN[char] for char in html.unescape(match[0])), start, end)
            case "dash":
                self._put("-", start, end)

    def _add(self, start: int, end: int, *, optional: bool = False) -> None:
        seen = [_SEEN[char] for char in self._source[start:end]]
        text = "".join(seen)
        places = list(compress(range(self._offset + start, self._offset + end), seen))
        if len(text) != len(places):  # a letter has become several
            places = [place for place, one in enumerate(seen, self._offset + start) for _ in one]
        self._parts.append(text)
        self._starts.extend(places)
        self._ends.extend([place + 1 for place in places])
        self._optional.extend((b"\1" if optional else b"\0") * len(text))

    def _put(self, text: str, start: int, end: int, *, optional: bool = False) -> None:
        """As a whole in the place of something else."""
        self._parts.append(text)
        self._starts.extend([self._offset + start] * len(text))
        self._ends.extend([self._offset + end] * len(text))
        self._optional.extend([optional] * len(text))


class _Seen(dict[str, str]):
    """Letter -> what counts of it: decomposed, case-folded, in plain quotes and dashes; or nothing."""

    def __missing__(self, char: str) -> str:
        if len(self) >= _KNOWN_CHARS:
            self.clear()
        plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", char).casefold())
        seen = self[char] = "".join(
            _ALIKE.get(one, one)
            for one in plain
            if one not in _SHAPING and not one.isspace() and unicodedata.category(one) not in _UNSEEN
        )
        return seen


_SEEN = _Seen()
