"""Sentences that recite what the model was ordered to do: none of them is told."""

import re
from collections.abc import Iterable, Iterator

RUN = 6
"""Words in a row that no sentence shares with the orders by chance."""
WORD = re.compile(r"\w+")


class Recital:
    def __init__(self, orders: str) -> None:
        self._runs = frozenset(_runs(orders))

    def is_in(self, sentence: str, passages: Iterable[str]) -> bool:
        """It has words of the orders that stand in none of the passages."""
        recited = self._runs.intersection(_runs(sentence))
        return bool(recited) and not any(recited.issubset(_runs(text)) for text in passages)


def _runs(text: str) -> Iterator[tuple[str, ...]]:
    words = WORD.findall(text.casefold())
    return (tuple(words[first : first + RUN]) for first in range(len(words) - RUN + 1))
