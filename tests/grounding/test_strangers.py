"""What is foreign to a statement, however much else a claim shares with it."""

import pytest

from app.grounding.evidence import Evidence
from app.grounding.support import Judge

PASSAGE = (
    "A stilling well is a vertical pipe with a small opening that filters out waves. Its float follows the mean level. "
    "The pipe of the deep well at Brest is 9 m long. It stands 40 m from the quay. "
    "The sea there is calm. Ships wait outside. The lighthouse is 12 m high. "
    "A category 1 stop keeps the power until the robot kneels; a category 0 stop removes it at once.\n\n"
    "| place | range |\n| --- | --- |\n| Bay of Fundy | 11.7 m |\n| Baltic | 0.3 m |"
)


@pytest.fixture
def wells(judge: Judge) -> Evidence:
    return judge.evidence(PASSAGE, ["Measuring tides"])


@pytest.mark.parametrize(
    "sentence",
    [
        pytest.param("A stilling well is a vertical elephant with a small opening that filters out waves.", id="word"),
        pytest.param("A stilling well is a vertical pipe that filters out waves, made by Admiral Quandt.", id="name"),
        pytest.param("It is a myth that a stilling well is a vertical pipe that filters out waves.", id="doubt"),
        pytest.param("A stilling well rarely filters out waves with its small opening.", id="rarely"),
        pytest.param("A category 2 stop keeps the power until the robot kneels.", id="number of a name"),
        pytest.param("| Bay of Fundy | 0.3 m |", id="number of another row"),
        pytest.param("The pipe of the deep well at Brest is 12 m long.", id="number of another statement"),
        pytest.param("A stilling well is n\u043et a vertical pipe that filters out waves.", id="Cyrillic letter"),
        pytest.param("A stilling well \U0001f6ab a vertical pipe that filters out waves.", id="denying sign"),
        pytest.param("~~A stilling well is a vertical pipe that filters out waves.~~", id="struck out"),
        pytest.param("A stilling well ~~is~~ a vertical pipe that filters out waves.", id="a word struck out"),
        pytest.param(
            "A stilling well i\u0336s\u0336 a vertical pipe that filters out waves.", id="stroke over letters"
        ),
        pytest.param("A stilling well is a vertical pipe that filters out waves (not).", id="not at the end"),
        pytest.param("A stilling well is a vertical pipe that hardly ever filters out waves.", id="hardly ever"),
        pytest.param("In the Bay of Fundy the range is \u2468 m.", id="digit in a circle"),
        pytest.param("In the Bay of Fundy the range is 1\u200b2 m.", id="invisible character"),
    ],
)
async def test_a_true_sentence_with_something_foreign_is_not_supported(judge, wells, sentence):
    verdict = await judge.judge(sentence, [wells])
    assert verdict.problems
    assert not verdict.supported


@pytest.mark.parametrize(
    "sentence",
    [
        "A stilling well is an upright pipe with a small opening that filters out waves.",
        "The float of a stilling well follows the mean level.",
        "A category 1 stop keeps the power until the robot kneels.",
        "| Bay of Fundy | 11.7 m |",
        "In the Bay of Fundy the range is 11.7 m.",
        "The range is 11.7 m in the Bay of Fundy and 0.3 m in the Baltic.",
        "The pipe of the deep well at Brest is 9 m long.",
        "The deep well at Brest has a pipe of 9 m and stands 40 m from the quay.",
    ],
)
async def test_the_same_without_it_is(judge, wells, sentence):
    verdict = await judge.judge(sentence, [wells])
    assert verdict.supported, verdict


ITEMS = (
    "- Actuators\n  - Electric: 50 W at rest\n  - Hydraulic: 200 W at rest\n"
    "- Sensors\n  - **Lidar:** 8 W\n  - **Camera:** 3 W"
)


@pytest.mark.parametrize(
    ("sentence", "is_said"),
    [
        ("Electric actuators take 50 W at rest.", True),
        ("Electric actuators take 200 W at rest.", False),
        ("The lidar takes 8 W.", True),
        ("The lidar takes 3 W.", False),
        ("The lidar takes 8 W and the camera 3 W.", True),
    ],
)
async def test_the_number_of_a_list_item_is_that_of_its_label(judge, sentence, is_said):
    verdict = await judge.judge(sentence, [judge.evidence(ITEMS, ["Power"])])
    assert verdict.supported == is_said, verdict


async def test_a_row_need_not_have_the_verb_of_a_sentence(judge):
    table = judge.evidence("| Model | Power |\n|---|---|\n| A1 | 320 W |\n| B2 | 450 W |", ["Robots"])
    assert (await judge.judge("The A1 draws 320 W.", [table])).problems == ()


@pytest.mark.parametrize(
    ("sentence", "is_said"),
    [("Der Grund dafür ist, dass Salz die Hefe bremst.", True), ("Die Pegeluhr von FooBar ist auf dem Turm.", False)],
)
async def test_a_noun_of_a_german_text_is_no_name_for_its_capital(judge, sentence, is_said):
    bread = judge.evidence(
        "Salz gibt man erst nach fünf Minuten Kneten dazu, denn es bremst die Hefe. Der Teig ruht auf dem Brett, "
        "und die Pegeluhr ist auf dem Turm.",
        ["Backen"],
    )
    verdict = await judge.judge(sentence, [bread])
    assert (verdict.problems == ()) == is_said, verdict
