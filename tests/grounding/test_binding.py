"""Names, terms and numbers that the passage has, but says something else of; and columns of its tables."""

import pytest

from app.grounding.evidence import Evidence
from app.grounding.support import Judge
from app.grounding.tables import cells

PASSAGE = (
    "The command `tide_now` prints the height of the water, and `tide_plot` draws a curve for the next week.\n\n"
    "The option `port_name` is read at every start. The option `port_depth` is only read "
    "after a reset of the gauge.\n\n"
    "A **stilling gauge** filters out waves with a small opening, a **pressure gauge** lies on the sea bed and "
    "weighs the water above it. Both are read by the *logger* of the harbour.\n\n"
    "Ships may enter the harbour from a depth of 3 m at the gate. The wall of the harbour rises 8 m above the quay."
    " Every `.tid` file has two columns, and a `.har` file has five, one for each constituent."
    "\n\n"
    "| Property | Spring tide | Neap tide |\n| --- | --- | --- |\n"
    "| Moon | new or full moon | half moon in either quarter |\n"
    "| Danger | flooded promenades along the river | ships that run aground |"
)


@pytest.fixture
def tides(judge: Judge) -> Evidence:
    return judge.evidence(PASSAGE, ["Tides in the harbour"])


@pytest.mark.parametrize(
    ("sentence", "problem"),
    [
        pytest.param(
            "`tide_now` draws a curve for the next week.",
            "the passage says this of tide_plot, not of tide_now",
            id="beside it in the statement",
        ),
        pytest.param(
            "`port_name` is only read after a reset of the gauge.",
            "the passage says this of port_depth, not of port_name",
            id="alike",
        ),
        pytest.param(
            "A stilling gauge lies on the sea bed and weighs the water above it.",
            "the passage says this of pressure gauge, not of stilling gauge",
            id="term",
        ),
        pytest.param(
            "Ships may enter the harbour from a depth of 8 m at the gate.",
            "the passage says this of 3 m, not of 8 m",
            id="number",
        ),
        pytest.param(
            "With a neap tide the promenades along the river are flooded.",
            "the table says this of Spring tide, not of Neap tide",
            id="column",
        ),
    ],
)
async def test_what_is_said_of_another_is_not_supported(judge, tides, sentence, problem):
    verdict = await judge.judge(sentence, [tides])
    assert problem in verdict.problems
    assert not verdict.supported


@pytest.mark.parametrize(
    "sentence",
    [
        "`tide_plot` draws a curve for the next week.",
        "`tide_now` prints the height of the water.",
        "The height of the water is printed by `tide_now`, while `tide_plot` draws a curve for the next week.",
        "`port_depth` is only read after a reset of the gauge.",
        "A pressure gauge lies on the sea bed and weighs the water above it.",
        "Unlike a pressure gauge, a stilling gauge filters out waves with a small opening.",
        "Ships may enter the harbour from a depth of 3 m at the gate.",
        "The wall of the harbour is 8 m high above the quay.",
        "A `.har` file has five columns.",
        "With a spring tide the promenades along the river are flooded.",
        "A spring tide floods promenades along the river, a neap tide makes ships run aground.",
        "At the neap tide there is a half moon in either quarter.",
    ],
)
async def test_what_is_said_of_it_has_no_problem(judge, tides, sentence):
    assert (await judge.judge(sentence, [tides])).problems == ()


@pytest.mark.parametrize(
    ("passage", "sentence"),
    [
        pytest.param(
            "- `inverted`: fires when the toggle for colours changes, with `true` for inverted colours.",
            "`inverted` fires when the toggle for colours changes.",
            id="a value",
        ),
        pytest.param(
            "`min_rate` and `max_rate` bound the speed of the pump, from below and from above.",
            "`min_rate` bounds the speed of the pump from below.",
            id="joined by and",
        ),
        pytest.param(
            "- `fast_mode`: halves the time between two readings of the gauge, as `slow_mode` doubles the time.",
            "`fast_mode` halves the time between two readings of the gauge.",
            id="defined by its item",
        ),
        pytest.param(
            "The option `port_name` selects a port.\n\nIt is read at every start of the gauge, as `port_depth` is.",
            "`port_name` is read at every start of the gauge.",
            id="a pronoun",
        ),
        pytest.param(
            "The gauge has `port_name`. Every start of the gauge reads a name, unlike `port_depth` of the gauge.",
            "`port_name` is a name that every start of the gauge reads.",
            id="a contrast",
        ),
        pytest.param(
            "The gauge takes `rate: 1` for a third of the space on the screen, `rate: 3` takes all of it.",
            "With `rate: 3` the gauge takes 3/3 of the space on the screen.",
            id="a fraction and code",
        ),
        pytest.param(
            "| Name | Required | Description |\n| --- | --- | --- |\n| title | yes | heading of the dialog window |",
            "The title is required and is the heading of the dialog window.",
            id="columns that say one thing",
        ),
        pytest.param(
            "| Prop | Spring tide | Neap tide |\n| --- | --- | --- |\n"
            "| `a \\| b` | flooded promenades along the river | ships run aground |",
            "At spring tide promenades along the river are flooded.",
            id="an escaped pipe",
        ),
    ],
)
async def test_what_cannot_be_exchanged_is_no_problem(judge, passage, sentence):
    assert (await judge.judge(sentence, [judge.evidence(passage, [])])).problems == ()


async def test_a_long_list_of_names_is_judged_in_time_linear_in_it(judge):
    passage = "Options: " + ", ".join(f"`option_{number}`" for number in range(3000))
    verdict = await judge.judge("`option_7` reads the port of the gauge for the water.", [judge.evidence(passage, [])])
    assert not verdict.supported


@pytest.mark.parametrize(
    ("row", "texts"),
    [
        ("| a | b |", [" a ", " b "]),
        ("a | b", ["a ", " b"]),
        ("||b|", ["", "b"]),
        (r"| a \| b | c", [r" a \| b ", " c"]),
        ("|", [""]),
    ],
)
def test_a_row_has_cells(row, texts):
    assert [row[start:end] for start, end in cells(row)] == texts
