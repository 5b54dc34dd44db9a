"""What stands before a sentence of an answer, which may speak of it by a pronoun."""

from collections.abc import Callable, Sequence

from app.chat.holes import depth
from app.chat.rulings import Proof
from app.grounding.anaphora import leans
from app.grounding.sentences import Segment

LEANING = {"sentence", "item", "intro"}
"""Kinds of segments that may begin with "They"."""


class Foregoing:
    def __init__(self, text_of: Callable[[int], str]) -> None:
        """`text_of` gives the passage with a number."""
        self._text_of = text_of
        self.has_hole = True
        """Nothing was told before, or not what stood there."""
        self._latest: Sequence[Proof] = ()
        """Of what was told last."""

    def leave_out(self) -> None:
        self.has_hole = True

    def tell(self, proofs: Sequence[Proof]) -> None:
        self.has_hole = False
        self._latest = proofs

    def is_missed_by(self, segment: Segment, proofs: Sequence[Proof], *, has_told: bool, has_withheld: bool) -> bool:
        """Whom it speaks of was said in what was left out, or was not said; an item speaks of what its list does."""
        is_prose = segment.kind in {"sentence", "intro"} and depth(segment) is None
        says_something = proofs or (segment.kind == "intro" and has_withheld)
        may_lean = self.has_hole and segment.kind in LEANING and (is_prose or not has_told)
        if not (says_something and may_lean and leans(segment.body)):
            return False
        return not any(self._goes_on_in_book(proof, is_first=not (has_told or has_withheld)) for proof in proofs[:1])

    def _goes_on_in_book(self, proof: Proof, *, is_first: bool) -> bool:
        """The book has such a sentence right after what was told last; the first follows the question."""
        text = self._text_of(proof.n)
        follows = any(
            before.n == proof.n
            and before.start <= proof.start
            and not any(map(str.isalnum, text[before.end : proof.start]))
            for before in self._latest
        )
        return (follows or is_first) and leans(text[proof.start : proof.end])
