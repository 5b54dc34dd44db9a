"""A paragraph, an item, a row or another block of an answer while it is being read."""

from typing import Literal

from app.grounding.citations import Piece
from app.grounding.sentence_ends import STOPS, WIDE_STOPS, SentenceEnds

Kind = Literal["sentence", "item", "heading", "table_head", "row", "code", "intro"]
COLONS = ":：;"


class Run:
    def __init__(self, kind: Kind, paragraph: int, ordinal: int | None = None) -> None:
        self.kind = kind
        self.paragraph = paragraph
        self.ordinal = ordinal
        self.pieces: list[Piece] = []
        """Citations, and single characters."""
        self.is_whole = True
        """Nothing of it was taken."""
        self.has_bar = False
        self._lines = 0
        self._ends = SentenceEnds()

    @property
    def is_prose(self) -> bool:
        return self.kind in {"sentence", "item"}

    def add(self, piece: Piece, *, is_mark: bool = False) -> list[Piece]:
        """Takes the sentence that is over with this, or nothing. Marks belong to the block, not to the prose."""
        self.pieces.append(piece)
        self.has_bar = self.has_bar or piece == "|"
        self._lines += piece == "\n"
        back = self._ends.read(" " if is_mark else piece) if self.is_prose else None
        if back is None:
            return []
        sentence, self.pieces = self.pieces[:-back], self.pieces[-back:]
        return sentence

    def take_space(self) -> list[Piece]:
        """Takes the white space at the end."""
        end = len(self.pieces)
        while end and str(self.pieces[end - 1]).isspace():
            end -= 1
        space, self.pieces = self.pieces[end:], self.pieces[:end]
        return space

    @property
    def may_be_table_head(self) -> bool:
        return self.is_whole and self._lines == 1 and self.has_bar and self.kind in {"sentence", "row"}

    @property
    def may_be_heading(self) -> bool:
        """What is a sentence, or cites, is none, whatever line is below it."""
        last = next((piece for piece in reversed(self.pieces) if not str(piece).isspace()), "")
        is_sentence = isinstance(last, int) or last in STOPS or last in WIDE_STOPS or last in COLONS
        return self.is_whole and self._lines == 1 and self.kind == "sentence" and not is_sentence
