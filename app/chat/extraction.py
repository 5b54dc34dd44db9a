"""Answers made of sentences taken word for word from passages: what the offline model says."""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

PASSAGE = re.compile(r'<passage id="(?P<n>\d+)" section="(?P<section>[^"]*)">\n(?P<text>.*?)\n</passage>', re.DOTALL)
FENCE = re.compile(r"(`{3,}|~{3,}).*?(\1|\Z)", re.DOTALL)
NOT_PROSE = re.compile(r"^\s*(#|\||:::|!!!|\?\?\?|<|import |export |---|!\[|\[\w+\]:)")
BULLET = re.compile(r"^\s*([-*+]|\d+[.)])\s+|^\s*>\s?")
CLOSING = r"(?<=[.!?])[\"')\]*_`]*"
"""What belongs to the sentence after its full stop: quotation marks, brackets, emphasis."""
SENTENCE_END = re.compile(rf"({CLOSING})\s+(?=[\"'(\[*_`]*[A-Z0-9])")
ENDED = re.compile(rf"{CLOSING}\Z")
UNQUOTABLE = re.compile(r"\?[\"')\]*_`]*\Z|\[\d+\]")
"""A question is no answer, and the book's own numbers would be taken for citations."""
ABBREVIATION = re.compile(r"\b(e\.g|i\.e|etc|vs|cf|Fig|Eq|Dr|approx|No)\.$")
DEFINING = re.compile(r"^\s*(what|who)\s+(is|are|was|were|does)\b|\bdefin|\bmean", re.IGNORECASE)
VERB = re.compile(r"\b(?:is|are|means|refers to|was|were)\b")
ARTICLE = re.compile(r"\s+(?:an?|the|any|one|all|what|how|that)\b|\s*$", re.IGNORECASE)
"""What follows the verb of a definition."""
PARENTHESIS = re.compile(r"\([^)]*\)")

ENOUGH = 0.6
"""Share of the question's terms that one passage must hold to count as an answer."""
MOST_SENTENCES = 3
WITHIN_BEST = 0.75
"""A further sentence is quoted if its score is at least this share of the best one's."""
LONGEST = 400


class Sentence(NamedTuple):
    n: int
    text: str
    score: float


class Extractor:
    def __init__(self, stems: Callable[[str], list[str]]) -> None:
        self._stems = stems

    def answer(self, question: str, rendered_passages: str) -> str:
        """Sentences with their [n], best first; empty when no passage holds the question's terms."""
        terms = set(self._stems(question))
        sentences: list[Sentence] = []
        for rank, match in enumerate(PASSAGE.finditer(rendered_passages)):
            passage = f"{match['section']} {match['text']}"
            if terms and len(terms & set(self._stems(passage))) / len(terms) >= ENOUGH:
                sentences += self._scored(question, terms, match, rank)
        return " ".join(f"{sentence.text} [{sentence.n}]" for sentence in _best(sentences))

    def _scored(self, question: str, terms: set[str], match: re.Match[str], rank: int) -> Iterator[Sentence]:
        in_heading = set(self._stems(match["section"])) & terms
        for order, text in enumerate(sentences_of(match["text"])):
            stems = self._stems(text)
            covered = len(terms & set(stems)) + 0.5 * len(in_heading - set(stems))
            score = covered / len(terms) - 0.04 * rank - 0.01 * min(order, 10)
            if DEFINING.search(question) and stems[:1] and _defines(text, terms, self._stems):
                score += 0.5
            if terms & set(stems):
                yield Sentence(int(match["n"]), text, score)


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


def _defines(sentence: str, terms: set[str], stems: Callable[[str], list[str]]) -> bool:
    """Its subject is what was asked for: "<terms> (…) is …"."""
    subject = VERB.split(PARENTHESIS.sub("", sentence), maxsplit=1)
    if len(subject) == 1:
        return False
    found = set(stems(subject[0]))
    return bool(found) and found <= terms and ARTICLE.match(subject[1]) is not None


def _best(sentences: list[Sentence]) -> list[Sentence]:
    ranked = sorted(sentences, key=lambda sentence: -sentence.score)
    chosen: list[Sentence] = []
    for sentence in ranked:
        if len(chosen) == MOST_SENTENCES or sentence.score < WITHIN_BEST * ranked[0].score:
            break
        if all(sentence.text != other.text for other in chosen):
            chosen.append(sentence)
    return chosen
