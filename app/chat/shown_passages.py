"""The passages that a turn has shown its model, made ready for judging."""

from collections.abc import Sequence

from app.grounding.evidence import Evidence
from app.grounding.support import Judge
from tools.context import FoundPassage


class ShownPassages:
    def __init__(self, judge: Judge, shown: Sequence[FoundPassage]) -> None:
        """`shown` grows."""
        self._judge = judge
        self._shown = shown
        self._evidence: list[Evidence] = []

    def all(self) -> list[Evidence]:
        """Of the passages shown, in the order of their numbers."""
        for passage in self._shown[len(self._evidence) :]:
            self._evidence.append(self._judge.passage(passage.text, passage.heading_path))
        return self._evidence

    def stems(self) -> frozenset[str]:
        return frozenset[str]().union(*(one.stems for one in self.all()))
