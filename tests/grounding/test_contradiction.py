"""A claim's clauses beside those of a passage."""

import pytest

from app.grounding.contradiction import is_reversed, opposed_clauses, poorest_clause
from app.grounding.evidence import Evidence
from app.grounding.matching import Claim, Matching
from app.grounding.words import WordReader

READER = WordReader(lambda text: [text] if len(text) > 3 else [])


def matching(sentence: str, *passages: str) -> Matching:
    return Matching(Claim(sentence, READER), [Evidence.of(text, [], READER) for text in passages])


class TestOpposedClauses:
    PASSAGE = "With this axis a positive angle swings the thigh backward, so flexing the knee forward is negative."

    @pytest.mark.parametrize(
        ("sentence", "passage", "expected"),
        [
            ("Flexing the knee forward is positive.", PASSAGE, 3 / 4),
            ("Flexing the knee forward is negative.", PASSAGE, 0),
            ("A positive angle swings the thigh backward.", PASSAGE, 0),
            ("Joint commands pass through the bridge.", "Joint commands bypass the bridge.", 3 / 5),
            ("A fast robot walks along rails.", "Many slow cranes roll along dusty roads.", 0),
            (
                "The gear increases torque, and the belt lowers noise.",
                "The gear lowers torque. The belt is new.",
                2 / 3,
            ),
        ],
        ids=["another clause has it", "the same", "the other clause", "of the list", "of something else", "one of two"],
    )
    def test_weigh_what_is_shared_beside_an_antonym(self, sentence, passage, expected):
        found = matching(sentence, passage)
        assert opposed_clauses(found, found.matches[0]) == pytest.approx(expected)

    def test_are_of_another_statement_if_that_is_far_closer(self):
        found = matching(
            "Wheels roll on rails, and heavy doors close slowly today.",
            "Wheels roll on rails. Heavy doors open slowly today.",
        )
        first = next(match for match in found.matches if match.statement.words[0].text == "wheels")
        assert opposed_clauses(found, first) == pytest.approx(4 / 5)


class TestReversal:
    @pytest.mark.parametrize(
        ("sentence", "passage"),
        [
            ("A teacher says which action was right.", "No teacher says which action was right."),
            ("Friction helps the grasp.", "The grasp holds without friction."),
            ("Rails prevent falls.", "Rails allow falls."),
            ("It rests on wording, not on structure.", "It rests on structure, not on wording."),
        ],
        ids=["nobody", "without", "a word that denies", "the two exchanged"],
    )
    def test_is_a_word_under_a_negator_here_or_there_only(self, sentence, passage):
        found = matching(sentence, passage)
        assert is_reversed(found, found.matches[0])

    @pytest.mark.parametrize(
        ("sentence", "passage"),
        [
            ("No teacher says it.", "No teacher ever says it."),
            ("The grasp needs no friction.", "The grasp holds without friction."),
            ("It doesn't lack power.", "It has power."),
            ("It never rains.", "Snow falls."),
            ("Friction matters.", "Friction helps, but never without friction pads."),
            ("Friction matters.", "Friction helps, but nobody measures friction."),
        ],
        ids=["denied in both", "in other words", "twice", "nothing shared", "twice there", "both ways there"],
    )
    def test_is_none_where_both_deny_the_same(self, sentence, passage):
        found = matching(sentence, passage)
        assert not is_reversed(found, found.matches[0])


class TestPoorestClause:
    @pytest.mark.parametrize(
        ("sentence", "expected"),
        [
            ("Robots carry heavy boxes", 1),
            ("Robots carry heavy boxes, while yellow engines burn paper", 0),
            ("Robots carry heavy boxes, but slowly", 1),
            ("Drones carry heavy boxes", 3 / 4),
            ("Snow", 1),
        ],
        ids=["all there", "one is missing", "too short to count", "one word missing", "no clause"],
    )
    def test_is_the_share_of_its_words_that_one_statement_has(self, sentence, expected):
        assert poorest_clause(matching(sentence, "Robots carry heavy boxes. Snow falls.")) == pytest.approx(expected)

    def test_may_stand_in_another_passage(self):
        sentence = "Robots carry boxes, and engines burn paper"
        assert poorest_clause(matching(sentence, "Robots carry boxes.", "Engines burn paper.")) == 1
