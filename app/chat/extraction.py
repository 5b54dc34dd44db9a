"""Answers made of sentences taken word for word from passages: what the offline model says."""

import difflib
import re
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
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

ENOUGH_IN_PASSAGE, ENOUGH_IN_SENTENCE = 0.6, 0.35
"""Shares of the weight of the question's terms; below them a passage, or a sentence under its headings, is silent."""
DEFINITION, LATER_PASSAGE, LATER_SENTENCE = 0.5, 0.04, 0.01
LEANING = 0.5
"""What a term of the question before counts."""
SHORTEST_MISSPELT, CLOSE = 5, 0.8
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

    def answer(self, question: str, rendered_passages: str, *, earlier: str = "") -> str:
        """Sentences with their [n], best first; empty when no passage holds the question's terms.

        `earlier` is the question before, for one that leans on it.
        """
        passages = [
            _Passage(int(match["n"]), match["text"], self._terms(match["section"]), self._terms(match["text"]))
            for match in PASSAGE.finditer(rendered_passages)
        ]
        weights = _weights(self._terms(question), self._terms(earlier), passages)
        if not any(len(term) > 1 and not term.isdigit() for term in weights):
            return ""
        sentences = [
            sentence
            for rank, passage in enumerate(passages)
            if _share(weights, passage.heading | passage.terms) >= ENOUGH_IN_PASSAGE
            for sentence in self._scored(question, weights, passage, rank)
        ]
        return " ".join(f"{sentence.text} [{sentence.n}]" for sentence in _best(sentences))

    def _scored(self, question: str, weights: dict[str, float], passage: "_Passage", rank: int) -> Iterator[Sentence]:
        for order, text in enumerate(sentences_of(passage.text)):
            terms = self._terms(text)
            own, with_heading = _share(weights, terms), _share(weights, terms | passage.heading)
            if own and with_heading >= ENOUGH_IN_SENTENCE:
                defines = DEFINING.search(question) and _defines(text, weights.keys(), self._stems)
                score = (own + with_heading) / 2 + (DEFINITION if defines else 0)
                yield Sentence(passage.n, text, score - LATER_PASSAGE * rank - LATER_SENTENCE * min(order, 10))

    def _terms(self, text: str) -> set[str]:
        return set(self._stems(text))


class _Passage(NamedTuple):
    n: int
    text: str
    heading: set[str]
    terms: set[str]


def _weights(asked: set[str], earlier: set[str], passages: list[_Passage]) -> dict[str, float]:
    """What each term counts. One that no passage has may be a misspelt one that some have."""
    known = {term for passage in passages for term in passage.heading | passage.terms}
    return {_spelt(term, known): 1.0 if term in asked else LEANING for term in sorted(earlier) + sorted(asked)}


def _spelt(term: str, known: set[str]) -> str:
    if term in known or len(term) < SHORTEST_MISSPELT or not term.isalpha():
        return term
    return next(iter(difflib.get_close_matches(term, known, n=1, cutoff=CLOSE)), term)


def _share(weights: dict[str, float], terms: set[str]) -> float:
    total = sum(weights.values())
    return sum(weight for term, weight in weights.items() if term in terms) / total if total else 0.0


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


def _defines(sentence: str, terms: AbstractSet[str], stems: Callable[[str], list[str]]) -> bool:
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
