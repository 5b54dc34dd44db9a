"""A text that comes in pieces, without what has no form: what is told is what was judged."""

import unicodedata

JOINERS = "\u200c\u200d"
SPACES = "\t\n\r"
SELECTORS = range(0xE0100, 0xE01F0)


class Visible:
    """Joiners stay between characters that are not ASCII, as in emoji and in Persian."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self._last = self._joiner = ""

    def feed(self, text: str) -> str:
        return "".join(map(self._read, text))

    def _read(self, char: str) -> str:
        if char in JOINERS:
            self._joiner = char if self._last and not self._last.isascii() else ""
            return ""
        if char not in SPACES and (unicodedata.category(char) in {"Cf", "Cc"} or ord(char) in SELECTORS):
            return ""
        joiner = "" if char.isascii() else self._joiner
        self._last, self._joiner = char, ""
        return joiner + char
