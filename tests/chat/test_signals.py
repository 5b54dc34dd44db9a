"""What speaks for a claim and against it."""

import numpy as np
import pytest

from app.chat.comparison import weakest, word_matches
from app.chat.evidence import Evidence
from app.chat.matching import Claim, Matching
from app.chat.signals import Signals, lexical
from app.chat.words import WordReader

READER = WordReader(lambda text: [text] if len(text) > 3 else [])
PASSAGE = "Robots with Juno legs walk. The camera sees colours."


def signals(sentence: str, text: str = PASSAGE, *headings: str) -> Signals:
    matching = Matching(Claim(sentence, READER), [Evidence.of(text, headings, READER)])
    return lexical(matching, matching.matches[0])


class TestWords:
    def test_are_covered_by_one_statement_under_its_headings(self):
        assert signals("Robots walk slowly").coverage == pytest.approx(2 / 3)
        assert signals("Robots walk slowly", PASSAGE, "Slowly").coverage == 1

    def test_are_scarce_where_less_than_two_of_five_are_covered(self):
        assert signals("robots write long novels").scarce == pytest.approx(0.15)
        assert signals("robots walk").scarce == 0

    def test_may_be_unknown_and_so_may_names(self):
        found = signals("The robots of Pisa and Juno's walk slowly")
        assert (found.unknown, found.unknown_names) == (2, 1)

    def test_are_paired_if_one_statement_has_neighbours(self):
        assert signals("robots walk").paired == 1
        assert signals("robots walk colours").paired == 0.5
        assert signals("novels").paired == 0


class TestTokens:
    STATEMENT = np.array([[1, 0], [0, 1]], np.float32)
    CLAIM = np.array([[1, 0], [0.6, 0.8], [0, 0.4], [0, 0.2]], np.float32)

    def test_of_a_word_match_by_their_mean_worst_word_first(self):
        assert word_matches([[0], [1], [2, 3]], self.CLAIM, self.STATEMENT) == pytest.approx([0.3, 0.8, 1.0])

    def test_of_nothing_match_nothing(self):
        assert word_matches([], self.CLAIM, self.STATEMENT) == [0.0]
        assert word_matches([[0]], self.CLAIM, self.STATEMENT[:0]) == [0.0]

    def test_are_weak_in_the_lowest_quarter(self):
        assert weakest([0.1, 0.3, 0.5, 0.5, 0.6, 0.7, 0.8, 0.9]) == pytest.approx(0.2)
        assert weakest([0.4, 0.9]) == 0.4
