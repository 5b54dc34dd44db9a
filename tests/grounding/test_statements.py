"""What a passage says, statement by statement, and what each leans on."""

import time

import pytest

from app.grounding.statements import Statement, statements
from app.grounding.words import WordReader

READER = WordReader(lambda text: [text] if len(text) > 2 else [])
LIST = """\
Before the list:

- **Actuators** of the arm:
  - Electric: 50 W
  - Hydraulic: it takes much power. It is loud.

    A paragraph of the item.
- [ ] Sensors. They are cheap.
  1. Lidar

After the list.
- Alone
"""


def read(text: str) -> dict[str, Statement]:
    return {text[one.start : one.end]: one for one in statements(text, READER)}


def said(text: str, statement: Statement | None) -> str | None:
    return statement and text[statement.start : statement.end]


@pytest.mark.parametrize(
    ("statement", "context"),
    [
        ("Before the list:", None),
        ("**Actuators** of the arm:", "Before the list:"),
        ("Electric: 50 W", "**Actuators** of the arm:"),
        ("Hydraulic: it takes much power.", "**Actuators** of the arm:"),
        ("It is loud.", "Hydraulic: it takes much power."),
        ("A paragraph of the item.", "Hydraulic: it takes much power."),
        ("Sensors.", "Before the list:"),
        ("They are cheap.", "Sensors."),
        ("Lidar", "Sensors."),
        ("After the list.", None),
        ("Alone", None),
    ],
)
def test_an_item_leans_on_the_one_above_and_that_on_what_introduces_the_list(statement, context):
    assert said(LIST, read(LIST)[statement].context) == context


def test_a_statement_leans_on_all_that_is_above_it():
    assert read(LIST)["Electric: 50 W"].leaning_on == {"electric", "actuators", "arm", "before", "list"} | {"the"}


@pytest.mark.parametrize("indent", ["  ", "\t", "> ", "    "])
def test_whatever_the_indentation_is_made_of(indent):
    text = f"- Upper\n{indent}- Lower\n" if indent != "> " else "> - Upper\n>   - Lower\n"
    assert said(text, read(text)["Lower"].context) == "Upper"


def test_a_row_leans_on_the_head_of_its_table():
    text = "| a | b |\n|---|---|\n| c | d |\n\nText.\n\n| e | f |\n"
    rows = read(text)
    assert said(text, rows["| c | d |"].context) == "| a | b |"
    assert rows["| e | f |"].context is None


@pytest.mark.parametrize(
    ("item", "label"),
    [
        ("- Lidar: 8 W", "Lidar: "),
        ("- **Lidar:** 8 W", "**Lidar:** "),
        ("- **Lidar**: 8 W", "**Lidar**: "),
        ("- `lidar` - 8 W", "`lidar` - "),
        ("1. Depth camera \u2013 3 W", "Depth camera \u2013 "),
        ("- Lidar at 8:30", ""),
        ("- The lidar-based map", ""),
        ("- A lidar. Range: 8 m", ""),
        ("Lidar: 8 W", ""),
    ],
)
def test_the_label_of_an_item(item, label):
    one = next(statements(item, READER))
    assert item[one.start : one.label_end] == label
    assert one.is_labelled == bool(label)


def test_time_is_linear_in_the_length_of_a_list():
    def seconds(items: int) -> float:
        text = "".join(f"{'  ' * (index % 7)}- item {index}. More of it.\n" for index in range(items))
        began = time.process_time()
        list(statements(text, READER))
        return time.process_time() - began

    seconds(100)
    assert seconds(4000) < 40 * seconds(400)
