"""What two sentences deny of one another, and what stands in another order."""

import pytest

from app.grounding.polarity import clauses, is_odd, opposed, reversals
from app.grounding.word_order import differ_in_voice, exchanged, moved
from app.grounding.words import WordReader, is_same_family

READER = WordReader(lambda text: [text] if len(text) > 3 else [])


def order(one: str, other: str) -> tuple[float, int]:
    families = [{word} for word in one.split()]
    return moved(families, other.split()), exchanged(families, other.split())


class TestNegators:
    @pytest.mark.parametrize(
        ("sentence", "odd"),
        [
            ("It falls.", False),
            ("It doesn't fall.", True),
            ("It doesn’t fall.", True),
            ("It cannot fall.", True),
            ("Without power it does not fall.", False),
        ],
    )
    def test_deny_if_they_are_odd_in_number(self, sentence, odd):
        assert is_odd(READER.read(sentence)) is odd

    @pytest.mark.parametrize(
        ("sentence", "denied"),
        [
            ("The foot never slips.", "slips"),
            ("Rails prevent every fall.", "every fall"),
            ("It doesn't avoid falls.", ""),
            ("It holds without glue, and it is cheap.", "glue"),
        ],
        ids=["after a negator", "after a word that denies", "after two", "to the clause's end"],
    )
    def test_reverse_what_follows_in_the_clause(self, sentence, denied):
        found = [word.text for word, is_reversed in reversals(READER.read(sentence), sentence) if is_reversed]
        assert " ".join(found) == denied


class TestAntonyms:
    @pytest.mark.parametrize(
        ("one", "other", "pairs"),
        [
            ("It increases.", "It decreases.", [("increases", "decreases")]),
            ("It is stable.", "It is unstable.", [("stable", "unstable")]),
            ("It was unknown.", "It was known.", [("unknown", "known")]),
            ("It is active.", "It is passive.", [("active", "passive")]),
            ("It opens.", "It opens and closes.", []),
            ("It opens and closes.", "It closes and opens.", []),
            ("It runs.", "It walks.", []),
        ],
        ids=[
            "of the list",
            "of a prefix",
            "of a prefix here",
            "of two lines of the list",
            "that both have",
            "in another order",
            "other words",
        ],
    )
    def test_stand_in_the_place_of_one_another(self, one, other, pairs):
        assert opposed(READER.read(one), READER.read(other)) == pairs


def test_numerals_have_the_stem_of_their_digits():
    assert [word.stem for word in READER.read("three 3 thirty")] == ["3", "", "30"]


def test_clauses_end_at_marks_and_conjunctions():
    text = "It falls, because it runs (fast); nobody stops it."
    found = [" ".join(word.text for word in clause) for clause in clauses(READER.read(text), text)]
    assert found == ["it falls", "because it runs", "fast", "nobody stops it"]


class TestOrder:
    @pytest.mark.parametrize(
        ("one", "other", "expected"),
        [
            ("depth beats colour", "depth beats colour", (0, 0)),
            ("colour beats depth", "depth beats colour", (2 / 3, 2)),
            ("a b c d", "c d a b", (0.5, 0)),
            ("a b c d e", "x a b y c", (0, 0)),
            ("", "a b", (0, 0)),
        ],
        ids=["the same", "two in each other's place", "halves the other way round", "with other words", "no words"],
    )
    def test_tells_what_has_moved_from_what_has_changed_places(self, one, other, expected):
        assert order(one, other) == pytest.approx(expected)

    @pytest.mark.parametrize(
        ("one", "other", "differs"),
        [
            ("The node reads it.", "It is read by the node.", True),
            ("The node reads it.", "It writes the file.", False),
            ("It was started.", "It is stopped.", False),
        ],
    )
    def test_is_another_between_active_and_passive(self, one, other, differs):
        assert differ_in_voice(one, other) is differs


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("optim", "optimis", True),
        ("node", "node", True),
        ("stat", "state", True),
        ("forward", "forearm", False),
        ("a", "ab", False),
    ],
)
def test_stems_are_of_one_family_by_their_beginning(one, other, same):
    assert is_same_family(one, other) is same
