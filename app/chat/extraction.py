"""Answers made of sentences taken word for word from passages: what the offline model says."""

import difflib
import math
import re
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from html import unescape
from typing import NamedTuple

from app.book.arrays import Matrix
from app.chat.material import OPEN_PAGE, SELECTED
from app.chat.questions import core
from app.chat.quotable import ENDED, sentences_of
from app.grounding.instructions import without_orders
from tools import search_book

PASSAGE = re.compile(
    r'<passage id="(?P<n>\d+)" source="(?P<source>[^"]*)" section="(?P<section>[^"]*)">\n(?P<text>.*?)\n</passage>',
    re.DOTALL,
)
EVIDENCE = re.compile(re.escape(search_book.EVIDENCE).replace(r"\{:\.2f\}", r"(\d\.\d\d)"))
COSINE, WITH_HEADINGS, ALONE, PASSAGE_WEIGHT, LATER_PASSAGE, LATER_SENTENCE = 6.0, 4.4, 0.6, 5.4, 0.35, 0.23
"""Of a sentence: its cosine with the question; its shares of the question's terms, with its headings and alone, and the
share of its passage; what each place further back costs. Chosen on the sample book's retrieval questions and
answer cases, from a softmax regression on.
"""
EVIDENCE_WEIGHT, ENOUGH = 10.0, 8.5
"""What the search's evidence adds to a score, and the sum from which on a sentence answers."""
COMPARED = 12
"""Sentences whose vectors are computed, the best by their words."""
ON_PAGE = 6.0
"""What a passage of the page that the reader has open is worth more."""
ABOUT_THE_BOOK = re.compile(
    r"\b(?:according to|in|from|does|do) (?:the|this|your) (?:book|text|chapter|author)s?\b(?: say| tell)?",
    re.IGNORECASE,
)
ADDRESS_END = re.compile(r"[?#]")
DIGIT = re.compile(r"\d")
MEASURED = re.compile(
    r"\bhow (?:many|much|long|heavy|far|fast|large|big|tall|high|wide|deep|often|old|quickly|soon|close|steep|strong)\b"
    r"|\b(?:rate|range|value|weight|mass|height|length|speed|frequency|number|percentage|share|radius|limit|latency|delay)\b",
    re.IGNORECASE,
)
QUANTITY = 1.5
"""What a sentence with a digit is worth more when the question asks for one."""
DEFINED = re.compile(
    r"^\W*(?:so |and |then )?what(?:'s| is| are| was| were| does)(?: an?| the)? (?P<subject>[^?]+?)"
    r"(?: in| of| for| mean| here| on| used|\?|$)",
    re.IGNORECASE,
)
DEFINES = (
    r"\W*(?:an?|the)?\W*{subject}\W*(?:\([^)]*\)\W*)?(?:,[^,]*,\s*)?(?:is|are|means?|was|were|refers? to|describes?)\b"
)
DEFINITION = 2.0
"""What a sentence is worth more that says what the thing is which the question asks for."""
BESIDE = 0.5
"""What a term counts that is only in the question before, or in another sentence than the one that asks."""
SHORTEST_MISSPELT, CLOSE = 5, 0.8
MOST_SENTENCES = 3
WITHIN_BEST = 2.0
"""A further sentence of the passage is quoted if its score is at most so much lower."""

Encode = Callable[[Sequence[str]], Awaitable[Matrix]]
"""Unit vectors of texts (texts, dimension)."""


class Sentence(NamedTuple):
    n: int
    section: str
    order: int
    """In its passage, from 0."""
    text: str
    score: float
    fit: float = 0.0
    """What the score has for being the kind of sentence that was asked for; no evidence that the book answers."""


class Extractor:
    def __init__(self, stems: Callable[[str], list[str]], encode: Encode) -> None:
        self._stems = stems
        self._encode = encode

    async def answer(self, question: str, rendered: str, *, earlier: str = "") -> str:
        """Sentences of one passage with their [n], in its order; empty when no passage seems to answer.

        `earlier` is the question before, for one that leans on it. A text that the reader selected is always spoken of.
        """
        page = OPEN_PAGE.search(rendered)
        selected, evidence = SELECTED.search(rendered), EVIDENCE.search(rendered)
        passages = [
            _Passage(
                int(match["n"]),
                unescape(match["section"]),
                without_orders(match["text"]),
                page is not None and is_on_page(unescape(match["source"]), page["page"]),
            )
            for match in PASSAGE.finditer(rendered)
        ]
        asked = f"{question} {selected['text']}" if selected else question
        sentences = await self._compared(asked, self._by_words(asked, earlier, passages))
        enough = ENOUGH - EVIDENCE_WEIGHT * float(evidence[1]) if evidence else -math.inf
        if not sentences or sentences[0].score - sentences[0].fit < enough:
            return ""
        return _written(_quoted(sentences))

    def _by_words(self, question: str, earlier: str, passages: Sequence["_Passage"]) -> list[Sentence]:
        """The best of all sentences, as far as their words say."""
        terms = {passage.n: self._terms(f"{passage.section}\n{passage.text}") for passage in passages}
        asked = ABOUT_THE_BOOK.sub(" ", core(question) or question)
        beside = f"{earlier} {question}"
        is_measured = MEASURED.search(asked) is not None
        weights = _weights(self._terms(asked), self._terms(beside), set().union(*terms.values()))
        sentences = []
        for rank, passage in enumerate(passages):
            base = (
                ON_PAGE * passage.is_on_page + PASSAGE_WEIGHT * _share(weights, terms[passage.n]) - LATER_PASSAGE * rank
            )
            heading = self._terms(passage.section)
            for order, text in enumerate(sentences_of(passage.text)):
                own = self._terms(text)
                score = base + WITH_HEADINGS * _share(weights, own | heading) + ALONE * _share(weights, own)
                fit = DEFINITION * _defines(text, asked) + QUANTITY * bool(is_measured and DIGIT.search(text))
                score += fit - LATER_SENTENCE * min(order, 10)
                sentences.append(Sentence(passage.n, passage.section, order, text, score, fit))
        return sorted(sentences, key=lambda one: -one.score)[:COMPARED]

    async def _compared(self, question: str, sentences: Sequence[Sentence]) -> list[Sentence]:
        """Best first, by their vectors, too."""
        if not sentences:
            return []
        vectors = await self._encode([question, *(f"{one.section}\n{one.text}" for one in sentences)])
        cosines = vectors[1:] @ vectors[0]
        scored = [one._replace(score=one.score + COSINE * float(c)) for one, c in zip(sentences, cosines, strict=True)]
        return sorted(scored, key=lambda one: -one.score)

    def _terms(self, text: str) -> set[str]:
        return set(self._stems(text))


class _Passage(NamedTuple):
    n: int
    section: str
    text: str
    is_on_page: bool


def is_on_page(source: str, page: str) -> bool:
    """As far as the names say: a page's address ends like the path of its file."""
    file, address = (f"/{_without_ending(path)}" for path in (source, ADDRESS_END.split(page)[0].strip("/")))
    return source == page or (len(address) > 1 and (file.endswith(address) or address.endswith(file)))


def _without_ending(path: str) -> str:
    name, _, ending = path.rpartition(".")
    return name if name and "/" not in ending else path


def _defines(sentence: str, question: str) -> bool:
    defined = DEFINED.search(question)
    if defined is None:
        return False
    pattern = DEFINES.format(subject=r"\W+".join(map(re.escape, re.findall(r"\w+", defined["subject"]))))
    return re.match(pattern, sentence, re.IGNORECASE) is not None


def _weights(asked: Collection[str], beside: Collection[str], known: AbstractSet[str]) -> dict[str, float]:
    """What each term counts. One that no passage has may be a misspelt one that some have."""
    return {_spelt(term, known): 1.0 if term in asked else BESIDE for term in sorted({*beside, *asked})}


def _spelt(term: str, known: AbstractSet[str]) -> str:
    if term in known or len(term) < SHORTEST_MISSPELT or not term.isalpha():
        return term
    return next(iter(difflib.get_close_matches(term, sorted(known), n=1, cutoff=CLOSE)), term)


def _share(weights: Mapping[str, float], terms: AbstractSet[str]) -> float:
    total = sum(weights.values())
    return sum(weight for term, weight in weights.items() if term in terms) / total if total else 0.0


def _written(sentences: Sequence[Sentence]) -> str:
    """As a list, where one is no whole sentence; on one line each."""
    quoted = [f"{' '.join(one.text.split())} [{one.n}]" for one in sentences]
    if len(quoted) > 1 and not all(ENDED.search(one.text) for one in sentences):
        return "\n".join(f"- {one}" for one in quoted)
    return " ".join(quoted)


def _quoted(best_first: Sequence[Sentence]) -> list[Sentence]:
    best = best_first[0]
    near = [one for one in best_first if one.n == best.n and one.score >= best.score - WITHIN_BEST]
    return sorted(near[:MOST_SENTENCES], key=lambda one: one.order)
