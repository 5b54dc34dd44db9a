"""The units of a text that may support a claim: which there are, and that they are exact."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.grounding.spans import sentence_spans


def units(text: str) -> list[str]:
    return [text[start:end] for start, end in sentence_spans(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Tides rise. They fall.", ["Tides rise.", "They fall."], id="two sentences"),
        pytest.param("Tides rise", ["Tides rise"], id="no full stop"),
        pytest.param("Tides\nrise. They\nfall.", ["Tides\nrise.", "They\nfall."], id="soft line breaks"),
        pytest.param("Tides\r\nrise.\r\n\r\nThey fall.", ["Tides\r\nrise.", "They fall."], id="CRLF"),
        pytest.param("Tides rise\n\nthey fall", ["Tides rise", "they fall"], id="paragraphs"),
        pytest.param("# Tides\nThey rise.", ["Tides", "They rise."], id="heading"),
        pytest.param("## Why? When? ##", ["Why? When? ##"], id="a heading is one unit"),
        pytest.param("Tides\n=====\nThey rise.", ["Tides", "They rise."], id="underlined heading"),
        pytest.param("- rise. And fall.\n- turn", ["rise.", "And fall.", "turn"], id="items"),
        pytest.param("1. rise\n2) fall\n* [x] turn", ["rise", "fall", "turn"], id="numbers and boxes"),
        pytest.param("- rise\n  and fall\n  - turn", ["rise\n  and fall", "turn"], id="nested items"),
        pytest.param("They are:\n- high", ["They are:", "high"], id="introduced items"),
        pytest.param("> Tides\n> rise. They fall.", ["Tides\n> rise.", "They fall."], id="quote"),
        pytest.param("| a | b |\n|---|:-:|\n| c. D | e |", ["| a | b |", "| c. D | e |"], id="table"),
        pytest.param("a | b\n--|--\nc | d\n\nSo | so. So.", ["a | b", "c | d", "So | so.", "So."], id="open table"),
        pytest.param("```py\nx = 1. Y\n\ny = 2\n```\nSo.", ["x = 1. Y", "y = 2", "So."], id="code"),
        pytest.param("~~~~\n~~~\n# x\n~~~~~\n# So", ["~~~", "# x", "So"], id="a longer fence closes"),
        pytest.param("```\nx\n\n# y", ["x", "# y"], id="an open fence lasts to the end"),
        pytest.param("So:\n\n    x = 1. Y\n    y", ["So:", "x = 1. Y", "y"], id="indented code"),
        pytest.param("> Tides rise.\n> They fall.", ["Tides rise.", "They fall."], id="quoted lines"),
        pytest.param("- so\n\nSo\n\n    x. Y", ["so", "So", "x. Y"], id="indented code after a list"),
        pytest.param("a. B | c\n--|--\nd | e", ["a. B | c", "d | e"], id="a head with a full stop"),
        pytest.param("- so\n\n    it. Is", ["so", "it.", "Is"], id="a paragraph of an item is no code"),
        pytest.param("<!-- No.\nNo. -->\nYes.\n***\nSo.", ["Yes.", "So."], id="comments and rules"),
        pytest.param(":::warning Never so\nSo it is.\n:::", ["Never so", "So it is."], id="title of an admonition"),
        pytest.param("", [], id="nothing"),
        pytest.param(" \n\t\n", [], id="white space"),
    ],
)
def test_sentences_items_rows_and_lines_are_units(text, expected):
    assert units(text) == expected


MARKDOWN = "Tides rise. |e.g. |so|- |1. |> |```|~~~|# |    |<!--|-->|---|。|(|)|`|**|? |\n|\n\n|\r\n|\r|\x0b| "
markdown = st.lists(st.sampled_from([*MARKDOWN.split("|"), "| a ", "|---|"])).map("".join)


@settings(max_examples=300, deadline=None)
@given(markdown | st.text())
def test_spans_are_in_order_apart_and_without_white_space_around_them(text):
    before = 0
    for start, end in sentence_spans(text):
        assert before <= start < end <= len(text)
        assert text[start:end] == text[start:end].strip()
        before = end


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(["Tides", "rise.", "e.g.", "(so", "so)", "“Yes!”", "`a. b`", "潮。", "**So.**"])))
def test_of_prose_every_word_is_in_a_span(words):
    assert " ".join(units(" ".join(words))).split() == " ".join(words).replace("潮。", "潮。 ").split()
