"""Words that the end of a line divides: with their hyphen, where it is the word's own."""

import re
from collections.abc import Iterable
from itertools import pairwise

SOFT_HYPHENS = ("\x02", "\ufffe", "\u00ad")
"""What a PDF's text has for a hyphen at a line's end; the first two also within a line, which then was two."""
_DIVISION = re.compile("[\x02\ufffe]")
_WORD = re.compile(r"\w[\w-]*")
_AROUND = " .,;:!?()[]{}\"'“”‘’"


class Hyphens:
    """Knows the words that the lines of a document have undivided."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._words: set[str] = set()
        for line in lines:
            for token in line.casefold().split():
                if not token.endswith(("-", *SOFT_HYPHENS)) and not _DIVISION.search(token):
                    for word in _WORD.findall(token):
                        self._words |= {word, *word.split("-")}

    def line(self, line: str) -> str:
        """With the words whole."""
        if not _DIVISION.search(line):
            return line
        return " ".join(map(self._whole, line.split(" ")))

    def between(self, before: str, after: str) -> str:
        """A hyphen or nothing, where a word at the end of one text goes on at the beginning of the other."""
        left, right = before.rsplit(maxsplit=1)[-1:], after.split(maxsplit=1)[:1]
        return self._hyphen(left[0].strip(_AROUND), right[0].strip(_AROUND)) if left and right else ""

    def _whole(self, token: str) -> str:
        pieces = _DIVISION.split(token)
        joined = (
            self._hyphen(before.strip(_AROUND), after.strip(_AROUND)) + after for before, after in pairwise(pieces)
        )
        return "".join([pieces[0], *joined])

    def _hyphen(self, before: str, after: str) -> str:
        if not before or not after:
            return ""
        if not after[0].islower() and not (before.isupper() and after[0].isupper()):
            return "-"
        before, after = before.casefold(), after.casefold()
        if f"{before}-{after}" in self._words:
            return "-"
        if f"{before}{after}" in self._words:
            return ""
        has_first = before.rpartition("-")[2] in self._words
        has_both = has_first and after.partition("-")[0] in self._words
        return "-" if has_both or (has_first and "-" in before) else ""
