"""The sentences of a passage that can be quoted as they stand."""

import re
from collections.abc import Iterator

FENCE = re.compile(r"(`{3,}|~{3,}).*?(\1|\Z)", re.DOTALL)
NOT_PROSE = re.compile(r"^\s*(#|\||:::|!!!|\?\?\?|<|import |export |---|!\[|\[\w+\]:)")
BULLET = re.compile(r"^\s*([-*+]|\d+[.)])\s+(?:\[[ xX]\]\s+)?|^\s*>\s?")
CLOSING = r"(?<=[.!?])[\"')\]*_`]*"
"""What belongs to the sentence after its full stop: quotation marks, brackets, emphasis."""
SENTENCE_END = re.compile(rf"({CLOSING})\s+(?=[\"'(\[*_`]*[A-Z0-9])")
ENDED = re.compile(rf"{CLOSING}\Z")
UNQUOTABLE = re.compile(r"[?:][\"')\]*_`]*\Z|\[\d+\]|\Ahttps?:")
"""A question is no answer, nor is what only introduces; the book's own numbers would be taken for citations."""
ABBREVIATION = re.compile(r"\b(e\.g|i\.e|etc|vs|cf|Fig|Eq|Dr|approx|No)\.$")
LONGEST = 400
"""Characters."""


def sentences_of(passage: str) -> Iterator[str]:
    """Whole statements of the prose of a passage, each exactly as it stands there; a list item needs no full stop."""
    for paragraph, is_item in _paragraphs(FENCE.sub("\n\n", passage)):
        start = 0
        for end in (*[m.end(1) for m in SENTENCE_END.finditer(paragraph)], len(paragraph)):
            sentence = paragraph[start:end].strip()
            if ABBREVIATION.search(sentence):
                continue
            start = end
            is_whole = ENDED.search(sentence) or (is_item and start == len(paragraph) and " " in sentence)
            if is_whole and len(sentence) <= LONGEST and not UNQUOTABLE.search(sentence):
                yield sentence


def _paragraphs(text: str) -> Iterator[tuple[str, bool]]:
    """Runs of prose lines, and whether each is a list item."""
    lines: list[str] = []
    is_item = False
    for line in text.splitlines(keepends=True):
        plain = BULLET.sub("", line)
        if lines and (not line.strip() or NOT_PROSE.match(line) or plain != line):
            yield "".join(lines), is_item
            lines = []
        if line.strip() and not NOT_PROSE.match(line):
            is_item = plain != line if not lines else is_item
            lines.append(plain)
    if lines:
        yield "".join(lines), is_item
