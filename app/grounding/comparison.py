"""A claim beside the statements that are nearest by words, compared by the model's vectors."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from tokenizers import Tokenizer

from app.book.arrays import Matrix, Vector
from app.book.embedding import Embedder
from app.grounding.matching import Claim, Match, Matching
from app.grounding.signals import Signals, lexical, strange, unborne
from app.grounding.statements import Statement

FEW, MANY, CLEAR = 1, 2, 0.5
"""Statements that are compared if one has so large a share of the claim's words, and if none has."""
WEAK = 0.45
"""A cosine of a word that the statement doesn't have in other words either."""


class Nearness(NamedTuple):
    cosine: float
    similarity: float
    weak: float


class Comparison:
    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._tokenizer: Tokenizer = Tokenizer.from_str(embedder.tokenizer_json)

    async def signals(self, matching: Matching, first: Signals) -> tuple[Match, Signals, list[float | None]]:
        """Of the nearest statement, and of each content word the cosine with the nearest token of those compared.

        `first`: the signals of the words of the statement that is nearest by them. What is new is embedded in one call.
        Without token vectors there are no cosines of words. Raises EmbeddingError.
        """
        matches = matching.matches[: FEW if matching.coverage >= CLEAR else MANY]
        dense, tokens = await self._embedded(matching, [match for match in matches if match.statement.vectors is None])
        words = self._words(matching.claim, 0 if tokens is None else len(tokens))
        near = [_nearness(match.statement, dense, tokens, words) for match in matches]
        best = max(range(len(matches)), key=lambda index: near[index].similarity + near[index].cosine)
        cosines = _cosines(words, tokens, [match.statement for match in matches])
        signals = msgspec.structs.replace(
            lexical(matching, matches[best]) if best else first,
            cosine=near[best].cosine,
            weak=near[best].weak,
            unborne=unborne(matching, cosines) if tokens is not None else 0.0,
            strange=strange(matches[best], cosines),
        )
        return matches[best], signals, cosines

    async def _embedded(self, matching: Matching, fresh: Sequence[Match]) -> tuple[Vector, Matrix | None]:
        """The claim's vectors; the statements keep theirs."""
        texts = [matching.claim.text, *(matching.cited[match.passage].said(match.statement) for match in fresh)]
        dense, tokens = await self._embedder.embed([[text] for text in texts])
        for index, match in enumerate(fresh, 1):
            match.statement.vectors = dense[index][0], None if tokens is None else tokens[index][1:-1]
        return dense[0][0], None if tokens is None else tokens[0]

    def _words(self, claim: Claim, count: int) -> list[list[int]]:
        """Of each content word, the indexes of its tokens among the first `count`; empty for one beyond them."""
        offsets = self._tokenizer.encode(claim.text).offsets
        inside = [index for index, (start, end) in enumerate(offsets[:count]) if start < end]
        starts, ends = [offsets[index][0] for index in inside], [offsets[index][1] for index in inside]
        return [inside[bisect_right(ends, word.start) : bisect_left(starts, word.end)] for word in claim.content]


def _cosines(
    words: Sequence[Sequence[int]], tokens: Matrix | None, statements: Sequence[Statement]
) -> list[float | None]:
    there = [one.vectors[1] for one in statements if one.vectors is not None and one.vectors[1] is not None]
    if tokens is None or not there:
        return [None] * len(words)
    best = (tokens @ np.concatenate(there).T).max(axis=1)
    return [float(np.mean(best[list(indexes)])) if indexes else None for indexes in words]


def _nearness(statement: Statement, dense: Vector, tokens: Matrix | None, given: Sequence[Sequence[int]]) -> Nearness:
    words = [word for word in given if word]
    there, tokens_there = statement.vectors or (np.zeros_like(dense), None)
    cosine = float(dense @ there)
    if tokens is None or tokens_there is None:
        return Nearness(cosine, 0.0, 0.0)
    matches = word_matches(words, tokens, tokens_there)
    return Nearness(cosine, float(np.mean(matches)), weak_share(matches))


def word_matches(words: Sequence[Sequence[int]], tokens: Matrix, statement: Matrix) -> list[float]:
    """Of each word, given by its tokens, the mean cosine with the statement's nearest tokens; worst first."""
    if not len(statement) or not words:
        return [0.0]
    best = (tokens @ statement.T).max(axis=1)
    return sorted(float(np.mean([best[index] for index in word])) for word in words)


def weak_share(matches: Sequence[float]) -> float:
    return sum(match < WEAK for match in matches) / len(matches)
