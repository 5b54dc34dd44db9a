"""Where a sentence ends, read character by character, so that no cut of a text changes it."""

import re
from collections import deque

from app.grounding.code import CodeSpans

LONGEST_BRACKET = 200
"""Within brackets that are open longer than this, sentences end again."""
LONGEST_WORD = 16
LEAD_IN_WORDS = 5

STOPS, WIDE_STOPS = ".!?…", "。！？"
CLOSING = "\"'”’»)]}*_~」』）】］"
OPENING = "([*_~"
"""What may stand before a citation as well as before a sentence."""
BRACKETS = {")": "(", "]": "[", "）": "（", "】": "【"}
CONTINUING = ",;:)]}%–—-=+&|>，；：、）】"
"""No sentence begins with these."""
MARKUP = "\"'“‘«([{*_~"

ABBREVIATION = re.compile(
    r"[Vv]s|[Cc]f|[Ff]igs?|[Ee]qs?|Dr|Mrs?|Ms|Prof|St|[Aa]pprox|[Rr]esp|al|[Cc]a|[Vv]iz|[Ii]ncl|[Ee]xcl|Refs?|Dept|Est"
    r"|(?:[^\W\d_]\.-?)+[^\W\d_]",
)
BEFORE_NUMBER = re.compile(r"nos?|pp?|ch|chap|sect?|vol|tab|c|v|ver|art|para|app|ex|refs?", re.IGNORECASE)
"""Abbreviations before a number, words elsewhere."""
INITIAL = re.compile(r"[A-ZÀ-ÖØ-Þ]")
LIST_NUMBER = re.compile(r"[0-9]{1,3}|[a-z]")


class SentenceEnds:
    """Reads prose; a citation is read as its number.

    An end is known with the first character after it that is neither white space nor may begin a citation.
    """

    def __init__(self) -> None:
        self._code = CodeSpans()
        self._brackets: deque[tuple[str, int]] = deque(maxlen=LONGEST_BRACKET)
        self._position = 0
        self._begin()

    def _begin(self) -> None:
        self._word = ""
        self._before = ""
        self._words = 0
        self._first = ""
        self._cited = False
        self._ends: _End | None = None

    def read(self, atom: str | int) -> int | None:
        """How many characters and citations ago, this one included, the sentence ended; None if it goes on."""
        self._position += 1
        ended = self._ends
        back = self._position - ended.position if ended and self._follows(ended, atom) else None
        if back is not None:
            self._begin()
        self._take(atom)
        return back

    def _follows(self, end: "_End", atom: str | int) -> bool:
        """Whether what is read proves that the sentence ended; else the end is moved, or given up."""
        if isinstance(atom, int):
            end.position, end.apart, end.opened, end.cited = self._position, False, False, True
            return False
        if end.opened and atom not in OPENING:
            self._ends = None
            return self._is_end(end, "")
        if atom.isspace():
            end.apart = True
            return False
        if not end.apart and (atom in CLOSING or atom in STOPS or atom in WIDE_STOPS):
            end.position = self._position
            end.closing = (end.closing + atom)[-2:]
            end.wide = end.wide or atom in WIDE_STOPS
            return False
        if (end.apart or end.wide) and atom in OPENING:
            end.opened = True
            return False
        proved = (end.apart or end.wide) and self._is_end(end, atom)
        self._ends = None
        return proved

    def _is_end(self, end: "_End", following: str) -> bool:
        """`following` is empty if a bracket or emphasis follows."""
        if not self._words or self._in_bracket(end.position):
            return False
        if end.wide:
            return following not in CONTINUING or not following
        if following and (following in CONTINUING or following in STOPS):
            return False
        if following.islower() and not end.cited:
            return False
        return not (end.stop == "." and self._is_abbreviated(end, following)) and not self._leads_in(end)

    def _is_abbreviated(self, end: "_End", following: str) -> bool:
        if ABBREVIATION.fullmatch(end.word) or (INITIAL.fullmatch(end.word) and end.word != "I"):
            return True
        if BEFORE_NUMBER.fullmatch(end.word):
            return following.isdigit()
        return bool(LIST_NUMBER.fullmatch(end.word)) and (end.before in {":", ";"} or self._words == 1)

    def _leads_in(self, end: "_End") -> bool:
        """**Name.** before what is said of it."""
        is_bold = self._first in {"**", "__"} and end.closing == self._first
        return is_bold and self._words <= LEAD_IN_WORDS and not self._cited

    def _in_bracket(self, position: int) -> bool:
        opened = next((opened for _, opened in reversed(self._brackets) if opened <= position), None)
        return opened is not None and position - opened <= LONGEST_BRACKET

    def _take(self, atom: str | int) -> None:
        if isinstance(atom, int):
            self._code.read("x")
            self._cited = True
        elif self._code.read(atom):
            self._count(atom)
        else:
            self._take_prose(atom)

    def _take_prose(self, char: str) -> None:
        if char in WIDE_STOPS or char in STOPS:
            if self._ends is None:
                self._ends = _End(self._position, char, self._word, self._before)
        elif char in BRACKETS.values():
            self._brackets.append((char, self._position))
        elif char in BRACKETS and self._brackets and self._brackets[-1][0] == BRACKETS[char]:
            self._brackets.pop()
        self._count(char)

    def _count(self, char: str) -> None:
        """Keep the word that is being read, and what stands before it."""
        if len(self._first) < 2 and (self._first or not char.isspace()):  # noqa: PLR2004
            self._first += char
        if char.isspace():
            self._before = self._word[-1:] or self._before
            self._word = ""
        elif (self._word or char not in MARKUP) and len(self._word) < LONGEST_WORD:
            if not self._word or not any(map(str.isalnum, self._word)):
                self._words += char.isalnum() or char == "`"
            self._word += char


class _End:
    """Where a sentence may have ended."""

    __slots__ = ("apart", "before", "cited", "closing", "opened", "position", "stop", "wide", "word")

    def __init__(self, position: int, stop: str, word: str, before: str) -> None:
        self.position = position
        self.stop = stop
        self.word = word
        self.before = before
        self.wide = stop in WIDE_STOPS
        self.apart = self.cited = self.opened = False
        self.closing = ""


def sentence_ends(prose: str) -> list[int]:
    """Offsets after each sentence but the last."""
    reader = SentenceEnds()
    backs = ((position, reader.read(char)) for position, char in enumerate(prose, 1))
    return [position - back for position, back in backs if back is not None]
