"""Do the passages support a sentence? A probability, what is wrong, and which words of a passage say it.

The rules are for what can be checked letter by letter (`facts`). The rest is judged by signals of the words, and of the
model's vectors where the words leave it open.
"""

from collections.abc import Sequence

import msgspec
from cachetools import LRUCache

from app.book.bm25 import TermEncoder
from app.book.embedding import Embedder
from app.grounding.binding import misbound
from app.grounding.calibration import BY_WORDS, WITH_TOKENS, WITHOUT_TOKENS, Calibration
from app.grounding.columns import of_other_columns
from app.grounding.comparison import Comparison
from app.grounding.evidence import Evidence
from app.grounding.facts import problems
from app.grounding.instructions import without_orders
from app.grounding.matching import Claim, Match, Matching
from app.grounding.quotes import Span, quote, widened
from app.grounding.rows import of_other_cells
from app.grounding.signals import lexical
from app.grounding.strangers import disguises, foreign_doubts, foreign_names, foreign_words, misplaced_numbers, plain
from app.grounding.subjects import of_other_subjects
from app.grounding.words import WordReader

THRESHOLD = 0.35
"""Below it a sentence counts as unsupported."""
VERBATIM = 0.99
WITH_PROBLEMS, WITH_FOREIGN = 0.02, 0.4
"""Of the score without them: of wrong facts, and of words about something else."""
HOPELESS, SURE = 0.15, 0.6
"""Scores of the words alone; only between them the model is asked: on the pairs it would hardly change the others."""
CANDIDATES = 3
"""Passages that are judged when a sentence cites none."""
KEPT = 256
"""Passages that are kept ready."""


class Verdict(msgspec.Struct, frozen=True):
    score: float
    """Probability, 0 to 1."""
    problems: tuple[str, ...]
    """What the passages do not say, a phrase each."""
    passage: int
    """Index of the passage that carries most of it."""
    quotes: tuple[Span, ...]
    """Of each passage the start and end of what supports it best."""
    refuted: float = 0.0
    """What the score would be, but for what is wrong."""

    @property
    def supported(self) -> bool:
        return not self.problems and self.score >= THRESHOLD

    @property
    def quote(self) -> Span:
        """In the text of the passage that carries most."""
        return self.quotes[self.passage] if self.quotes else (0, 0)


class Judge:
    def __init__(self, embedder: Embedder, terms: TermEncoder) -> None:
        self._comparison = Comparison(embedder)
        self._reader = WordReader(terms.stems)
        self._passages: LRUCache[tuple[str, tuple[str, ...]], Evidence] = LRUCache(KEPT)

    def evidence(self, text: str, heading_path: Sequence[str]) -> Evidence:
        return Evidence.of(text, heading_path, self._reader)

    def passage(self, text: str, heading_path: Sequence[str]) -> Evidence:
        """Of the book, kept for other turns; what speaks to an assistant in it proves nothing."""
        key = text, tuple(heading_path)
        kept = self._passages.get(key)
        if kept is None:
            kept = self._passages[key] = self.evidence(without_orders(text), heading_path)
        return kept

    def matching(self, sentence: str, cited: Sequence[Evidence]) -> Matching:
        return Matching(Claim(sentence, self._reader), cited)

    def faults(self, sentence: str, cited: Sequence[Evidence]) -> tuple[str, ...]:
        """What the rules find wrong."""
        return faults(self.matching(plain(sentence), cited))

    async def judge(self, sentence: str, cited: Sequence[Evidence]) -> Verdict:
        """The passages are taken together: a sentence may rest on two. Raises EmbeddingError."""
        return await self._judge(self.matching(plain(sentence), cited))

    async def attribute(self, sentence: str, shown: Sequence[Evidence]) -> tuple[int, Verdict] | None:
        """Index of the passage that supports it best; None if none does. Raises EmbeddingError."""
        claim = Claim(plain(sentence), self._reader)
        alone = [Matching(claim, [one]) for one in shown]
        likely = sorted(range(len(shown)), key=lambda index: -_weight(alone[index]))[:CANDIDATES]
        verdicts = [(index, await self._judge(alone[index])) for index in likely]
        supported = [(index, verdict) for index, verdict in verdicts if verdict.supported]
        return max(supported, key=lambda pair: pair[1].score, default=None)

    async def _judge(self, matching: Matching) -> Verdict:
        wrong = faults(matching)
        quotes = tuple(quote(matching, passage) for passage in range(len(matching.cited)))
        said_in = [passage for passage, span in enumerate(matching.said) if span]
        if said_in and not wrong:
            return Verdict(VERBATIM, (), said_in[0], quotes)
        if not matching.matches:
            return Verdict(0.0, wrong or ("no passage says anything",), 0, quotes)
        match = matching.matches[0]
        signals = lexical(matching, match)
        score, refuted = BY_WORDS.score(signals), 0.0
        if not wrong and score > HOPELESS and (score < SURE or not all(matching.families)):
            match, signals, cosines = await self._comparison.signals(matching, signals)
            score = _calibration(match).score(signals)
            wrong = tuple(foreign_words(matching, match, cosines))
            score *= WITH_FOREIGN if wrong else 1
        elif wrong:
            refuted, score = score, score * WITH_PROBLEMS
        return Verdict(round(score, 4), wrong, match.passage, _with(quotes, match, matching), refuted)


def faults(matching: Matching) -> tuple[str, ...]:
    """What the rules find wrong; in what a passage says word for word only what is foreign to all of them."""
    foreign = (*disguises(matching.claim.text), *foreign_names(matching), *foreign_doubts(matching))
    wrong = tuple(dict.fromkeys((*problems(matching.claim.text, matching.cited), *foreign)))
    if wrong or any(matching.said) or not matching.matches:
        return wrong
    match = matching.matches[0]
    return (
        *misplaced_numbers(matching, match),
        *of_other_cells(matching, match),
        *misbound(matching),
        *of_other_subjects(matching, match),
        *of_other_columns(matching, match),
    )


def _calibration(match: Match) -> Calibration:
    """Of a statement that was compared."""
    return WITHOUT_TOKENS if match.statement.vectors is None or match.statement.vectors[1] is None else WITH_TOKENS


def _with(quotes: tuple[Span, ...], match: Match, matching: Matching) -> tuple[Span, ...]:
    """The statement that was found to say it takes the place of the passage's quote, unless that has it."""
    start, end = quotes[match.passage]
    if start <= match.statement.start and match.statement.end <= end:
        return quotes
    span = widened(match.statement, matching.cited[match.passage], matching.families)
    return (*quotes[: match.passage], span, *quotes[match.passage + 1 :])


def _weight(matching: Matching) -> float:
    """How much of the claim's words one of the statements has."""
    return matching.matches[0].weight if matching.matches else 0.0
