"""Small changes to the words of an answer."""

import pytest

from app.grounding.wording import joined, wider, with_numbers, with_numbers_below, without_connective, without_numbers


@pytest.mark.parametrize(
    ("text", "left"),
    [
        pytest.param("However, tides rise.", "Tides rise.", id="however"),
        pytest.param("But tides rise.", "Tides rise.", id="but"),
        pytest.param("Therefore the sea rises.", "The sea rises.", id="without a comma"),
        pytest.param("in addition, 3 tides rise.", "3 tides rise.", id="lower case, a number"),
        pytest.param("\n\n- **However,** tides rise.", "\n\n- **However,** tides rise.", id="only a part is bold"),
        pytest.param("\n\n- **However, tides rise.**", "\n\n- **Tides rise.**", id="in an item, bold"),
        pytest.param("> 2. Finally, tides rise.", "> 2. Tides rise.", id="in a quoted item"),
        pytest.param("  Also, `x` rises.", "  `x` rises.", id="code"),
        pytest.param("Then tides rise.", "Then tides rise.", id="needs a comma"),
        pytest.param("Butter melts. So does ice.", "Butter melts. So does ice.", id="only at the beginning"),
        pytest.param("Butter melts.", "Butter melts.", id="the beginning of a word"),
        pytest.param("So, ", "So, ", id="nothing else"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_a_sentence_does_not_lean_on_the_one_before(text, left):
    assert without_connective(text) == left


@pytest.mark.parametrize(
    ("text", "left"),
    [
        pytest.param("Tides [1] rise [2][3].", "Tides rise.", id="plain"),
        pytest.param("Tides rise ([1]).", "Tides rise.", id="in brackets"),
        pytest.param("Tides rise **[1]**.", "Tides rise.", id="bold"),
        pytest.param("Tides rise [1], [2]; [3].", "Tides rise.", id="with commas between"),
        pytest.param("Tides rise [1] and [2].", "Tides rise.", id="with a word between"),
        pytest.param("\n\n[1] Tides rise.", "\n\nTides rise.", id="at the beginning"),
        pytest.param("- [1] Tides rise.", "- Tides rise.", id="at the beginning of an item"),
        pytest.param("Use `x[0]` and ``a ` [1]`` [2].", "Use `x[0]` and ``a ` [1]``.", id="not in code"),
        pytest.param("A [b] and [c1].", "A [b] and [c1].", id="not other brackets"),
    ],
)
def test_numbers_go_with_what_belongs_to_them(text, left):
    assert without_numbers(text) == left


@pytest.mark.parametrize(
    ("text", "numbers", "left"),
    [
        pytest.param("Tides rise.", [1, 3], "Tides rise [1][3].", id="before the full stop"),
        pytest.param("Tides [2] rise [9].", [1], "Tides rise [1].", id="in place of others"),
        pytest.param("Tides rise [2].", [], "Tides rise.", id="none"),
        pytest.param("Tides rise", [1], "Tides rise [1]", id="without a full stop"),
        pytest.param("Tides rise?!  ", [1], "Tides rise [1]?!  ", id="stops and blanks"),
        pytest.param('"Tides rise."', [1], '"Tides rise [1]."', id="before a quotation mark"),
        pytest.param("**Tides rise.**", [1], "**Tides rise.** [1]", id="after emphasis and its full stop"),
        pytest.param("**So:**", [1], "**So:** [1]", id="after emphasis and its colon"),
        pytest.param('"*Tides rise.*"', [1], '"*Tides rise.* [1]"', id="after emphasis, within quotation marks"),
        pytest.param("**Tides**:", [1], "**Tides** [1]:", id="after emphasis, before a colon"),
        pytest.param("**Tides**", [1], "**Tides** [1]", id="after emphasis"),
        pytest.param("Call f(x)", [1], "Call f(x) [1]", id="after brackets"),
        pytest.param("Call `f.`", [1], "Call `f.` [1]", id="after code"),
        pytest.param("Call `f`.", [1], "Call `f` [1].", id="after code, before the full stop"),
        pytest.param("潮汐。", [1], "潮汐 [1]。", id="wide full stop"),
        pytest.param("\n| a | b |", [1], "\n| a | b [1] |", id="in the last cell"),
        pytest.param("So:", [1], "So [1]:", id="before a colon"),
    ],
)
def test_numbers_stand_at_the_end(text, numbers, left):
    assert with_numbers(text, numbers) == left


@pytest.mark.parametrize(
    ("code", "left"),
    [
        pytest.param("```\nx\n```", "```\nx\n```\n[1][2]", id="closed"),
        pytest.param("\n\n~~~~py\n```\n~~~~~", "\n\n~~~~py\n```\n~~~~~\n[1][2]", id="with another fence in it"),
        pytest.param("```\nx\n``", "```\nx\n``\n```\n[1][2]", id="not closed"),
        pytest.param("```", "```\n```\n[1][2]", id="only begun"),
        pytest.param("\n   ```\n   x\n   ```", "\n   ```\n   x\n   ```\n   [1][2]", id="indented"),
        pytest.param("> ```\n> x\n> ```", "> ```\n> x\n> ```\n> [1][2]", id="quoted"),
    ],
)
def test_numbers_of_code_stand_below_it(code, left):
    assert with_numbers_below(code, [1, 2]) == left
    assert with_numbers_below(code, []) == code


@pytest.mark.parametrize(
    ("owed", "own", "expected"),
    [
        ("", " ", " "),
        (" ", "", " "),
        ("\n", " ", "\n"),
        ("\n\n", "\n", "\n\n"),
        ("\n", "\n\n", "\n\n"),
        ("\n    ", "\n", "\n"),
        ("\n\n", "\n  ", "\n\n  "),
        ("\n\n  ", " ", "\n\n  "),
        ("", "", ""),
    ],
)
def test_the_larger_break_is_left_with_its_own_indentation(owed, own, expected):
    assert wider(owed, own) == expected


def test_nothing_is_before_the_first_text():
    assert joined("", "\n\n", "  Tides") == "Tides"
    assert joined("Tides.", "\n\n", " They") == "\n\nThey"


@pytest.mark.parametrize("part", [" ", "\n", ".", "[1]", "[1", "[1] ", ". ", "`", "`a", "*", "and ", "- ", "("])
def test_no_text_takes_long(part):
    text = part * (100_000 // len(part)) + "x"
    assert "[7]" in with_numbers(text, [7])
    assert without_connective(text)
    assert with_numbers_below(text, [])
