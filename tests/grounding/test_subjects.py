"""Whether a claim says of one thing what the passage says of another."""

import pytest

from app.grounding.evidence import Evidence
from app.grounding.matching import Claim, Matching
from app.grounding.subjects import of_other_subjects, speaks_of_another, subject
from app.grounding.words import WordReader

READER = WordReader(lambda text: [text] if len(text) > 2 and text not in {"the", "and", "are", "with"} else [])
PASSAGE = "**Robots** carry heavy boxes upstairs. **Drones** bring letters, and drones like wind. Old boxes break."


def evidence(text: str, *headings: str) -> Evidence:
    return Evidence.of(text, headings, READER)


def is_of_another(sentence: str, text: str = PASSAGE, *headings: str) -> bool:
    matching = Matching(Claim(sentence, READER), [evidence(text, *headings)])
    return speaks_of_another(matching, matching.matches[0])


class TestSubject:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("| Small lidar scanner unit | 20 metres |", ["small", "lidar", "scanner", "unit"]),
            ("**Depth cameras** measure distance.", ["depth", "cameras"]),
            ("The `joint` element has limits.", ["joint"]),
            ("A small robot walks slowly.", ["small", "robot"]),
            ("Some thin long metal finger bends.", ["some", "thin", "long"]),
        ],
        ids=["first cell", "emphasised", "code", "words before the verb", "three words"],
    )
    def test_is_what_a_statement_begins_with(self, text, expected):
        one = evidence(text)
        assert subject(one, one.statements[0]) == expected


class TestTerms:
    def test_are_marked_or_capitalised_or_in_a_heading(self):
        text = "The *gait* of Juno is `slow`. It walks.\n\n| Cell | other |\n| --- | --- |\n| first | second |"
        assert evidence(text, "Walking").terms >= {"gait", "juno", "slow", "cell", "first", "walking"}
        assert evidence(text, "Walking").terms.isdisjoint({"walks", "other", "second"})


class TestClaim:
    @pytest.mark.parametrize(
        "sentence",
        ["Drones carry heavy boxes upstairs.", "Heavy boxes are carried upstairs with drones."],
        ids=["in its place", "in another place"],
    )
    def test_speaks_of_another_if_its_term_is_elsewhere(self, sentence):
        assert is_of_another(sentence)

    @pytest.mark.parametrize(
        "sentence",
        [
            "Robots carry heavy boxes upstairs.",
            "Machines carry heavy boxes upstairs.",
            "Robots and drones carry heavy boxes upstairs.",
            "Heavy boxes upstairs break.",
        ],
        ids=["the same", "a word that the passage lacks", "both", "a word that is no term"],
    )
    def test_does_not_with_the_subject_or_without_a_term(self, sentence):
        assert not is_of_another(sentence)

    def test_does_not_if_the_headings_have_its_term(self):
        assert not is_of_another("Drones carry heavy boxes upstairs.", PASSAGE, "Drones")


FLAT = (
    "The landlord is responsible for repairs. The tenant must report a defect without delay. "
    "Before that nothing is owed, a neighbour pays nothing, and a guest may stay for six weeks. "
    "It lasts for three months.\n\n"
    "| Word | Meaning |\n| - | - |\n| Speed | how fast it walks |\n| Range | how far it reaches |"
)


def of_others(sentence: str) -> list[str]:
    matching = Matching(Claim(sentence, READER), [evidence(FLAT)])
    return list(of_other_subjects(matching, matching.matches[0]))


@pytest.mark.parametrize(
    ("sentence", "problem"),
    [
        ("The landlord must report a defect without delay.", "the passage says this of tenant, not of landlord"),
        ("The tenant is responsible for repairs.", "the passage says this of landlord, not of tenant"),
        ("The range is how fast it walks.", "the passage says this of Speed, not of range"),
    ],
)
def test_what_the_passage_says_of_another_subject_is_a_problem(sentence, problem):
    assert of_others(sentence) == [problem]


@pytest.mark.parametrize(
    "sentence",
    [
        pytest.param("The tenant must report a defect without delay.", id="of the same"),
        pytest.param("Whoever rents must report a defect without delay.", id="a subject that the passage has not"),
        pytest.param("The landlord must delay everything.", id="too little else"),
        pytest.param("A guest may stay for six weeks.", id="a later clause of the statement"),
        pytest.param("The tenant lasts for three months.", id="a statement that goes on about another one's subject"),
    ],
)
def test_nothing_else_is(sentence):
    assert of_others(sentence) == []
