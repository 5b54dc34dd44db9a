"""What speaks for a claim and against it."""

import msgspec
import numpy as np
import pytest

from app.grounding.calibration import Calibration
from app.grounding.comparison import weak_share, word_matches
from app.grounding.evidence import Evidence
from app.grounding.matching import Claim, Matching
from app.grounding.signals import Signals, lexical, strange, unborne
from app.grounding.words import WordReader

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

    @pytest.mark.parametrize(
        ("sentence", "passage", "expected"),
        [
            ("It walks twice a day.", "It walks.", 1),
            ("It walks twice a day.", "Twice a day it walks.", 0),
            ("It doubles the speed.", "It raises the speed.", 1),
            ("It takes a second.", "It is quick.", 1),
            ("It is the second robot.", "It is a robot.", 0),
            ("It stops at midday.", "It stops.", 0),
            ("It stops every day.", "It stops on Monday.", 1),
        ],
        ids=[
            "twice",
            "as there",
            "doubles",
            "a unit of time",
            "an ordinal",
            "a part of a word",
            "a part of a word there",
        ],
    )
    def test_of_measure_are_unmeasured_if_no_passage_has_them(self, sentence, passage, expected):
        assert signals(sentence, passage).unmeasured == expected

    def test_say_of_another_what_the_statement_says_of_its_subject(self):
        passage = "**Robots** carry heavy boxes. **Drones** bring letters."
        assert signals("Drones carry heavy boxes", passage).other_subject
        assert not signals("Robots carry heavy boxes", passage).other_subject

    def test_are_opposed_in_the_clause_that_speaks_of_the_same(self):
        passage = "The gear lowers torque, and the belt increases noise."
        assert signals("The gear increases torque", passage).opposed_clauses == pytest.approx(2 / 3)
        assert signals("The belt increases noise", passage).opposed_clauses == 0

    def test_have_a_poorest_clause(self):
        passage = "Robots carry heavy boxes."
        assert signals("Robots carry heavy boxes, but yellow engines burn paper", passage).poorest_clause == 0
        assert signals("Robots carry heavy boxes", passage).poorest_clause == 1

    def test_of_the_statement_may_be_left_unsaid(self):
        assert signals("Robots with Juno legs walk").unsaid == 0
        assert signals("Robots walk").unsaid == 0.6

    def test_are_reversed_less_in_other_words(self):
        passage = "Robots never carry heavy boxes."
        assert signals("Robots carry heavy boxes", passage).reversed == 1
        assert 0 < signals("Robots carry heavy yellow boxes", passage).reversed < 1
        assert signals("Robots never carry heavy boxes", passage).reversed == 0

    def test_are_not_reversed_by_a_negator_of_another_clause(self):
        passage = "Robots never carry boxes as long as drones bring letters."
        assert signals("Robots never carry boxes while drones bring letters", passage).reversed == 0

    def test_of_a_row_have_no_order(self):
        row = "| Property | Robots | Drones |\n| --- | --- | --- |\n| Heavy freight | boxes and crates | letters |"
        sentence = "Drones bring letters, and boxes are the heavy freight"
        assert signals(sentence, row).moved == signals(sentence, row).exchanged == 0
        assert signals(sentence, "Heavy freight, boxes and crates, letters").moved > 0


class TestCosines:
    """Of the content words of a claim whose last two words the passage does not have."""

    MATCHING = Matching(
        Claim("Robots with Juno legs walk, and penguins swim", READER), [Evidence.of(PASSAGE, (), READER)]
    )

    @pytest.mark.parametrize(
        ("cosines", "expected"),
        [
            pytest.param([0.9] * 5 + [0.2, 0.3], 0.3, id="a part that nothing bears"),
            pytest.param([0.1] * 5 + [0.9, 0.7], 0.0, id="words bear one part, cosines the other"),
            pytest.param([0.9] * 5 + [0.3, None], 0.25, id="a word without a cosine"),
            pytest.param([0.9] * 5 + [None, None], 0.55, id="no cosine"),
        ],
    )
    def test_bear_the_parts_of_a_claim(self, cosines, expected):
        assert unborne(self.MATCHING, cosines) == pytest.approx(expected)

    @pytest.mark.parametrize(
        ("cosines", "expected"),
        [
            pytest.param([0.9] * 5 + [0.2, 0.3], 2, id="neighbours"),
            pytest.param([0.9] * 5 + [0.2, 0.6], 1, id="one is near"),
            pytest.param([0.1] * 5 + [0.6, 0.7], 0, id="the statement has them"),
            pytest.param([0.9] * 5 + [0.2, None], 1, id="one has none"),
        ],
    )
    def test_of_neighbours_make_them_strange(self, cosines, expected):
        assert strange(self.MATCHING.matches[0], cosines) == expected


@pytest.mark.parametrize(
    ("sentence", "parts"),
    [
        ("Robots carry heavy boxes", [[0, 1, 2, 3]]),
        ("Robots carry boxes, and drones bring letters", [[0, 1, 2], [3, 4, 5]]),
        ("Robots carry boxes but drones bring letters; ships wait", [[0, 1, 2], [3, 4, 5], [6, 7]]),
        ("Robots carry boxes, and rust", [[0, 1, 2]]),
        ("Robots carry boxes, letters, stones", [[0, 1, 2, 3, 4]]),
    ],
)
def test_a_claim_has_parts_of_two_words_or_more(sentence, parts):
    assert Claim(sentence, READER).parts == parts


class TestTokens:
    STATEMENT = np.array([[1, 0], [0, 1]], np.float32)
    CLAIM = np.array([[1, 0], [0.6, 0.8], [0, 0.4], [0, 0.2]], np.float32)

    def test_of_a_word_match_by_their_mean_worst_word_first(self):
        assert word_matches([[0], [1], [2, 3]], self.CLAIM, self.STATEMENT) == pytest.approx([0.3, 0.8, 1.0])

    def test_of_nothing_match_nothing(self):
        assert word_matches([], self.CLAIM, self.STATEMENT) == [0.0]
        assert word_matches([[0]], self.CLAIM, self.STATEMENT[:0]) == [0.0]

    def test_are_weak_below_a_cosine(self):
        assert weak_share([0.1, 0.3, 0.5, 0.6]) == 0.5
        assert weak_share([0.5, 0.9]) == 0


@pytest.mark.parametrize(("odds", "probability"), [(-5000.0, 0.0), (0.0, 0.5), (1.0, 0.731059), (5000.0, 1.0)])
def test_odds_of_any_size_are_a_probability(odds, probability):
    nothing = msgspec.convert(dict.fromkeys(Signals.__struct_fields__, 0.0), Signals)
    assert Calibration(odds, nothing).score(nothing) == pytest.approx(probability, abs=1e-6)
