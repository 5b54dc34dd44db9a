"""The citation parser: what is a citation, what is not, and that no cut of the text changes it."""

import time
from collections.abc import Iterable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.chat.citations import LONGEST_MARKER, CitationParser, Piece

KNOWN = range(1, 4)


def parsed(pieces: Iterable[str]) -> tuple[list[Piece], int]:
    """What comes out, with neighbouring texts joined, and how many numbers were dropped."""
    parser = CitationParser(lambda n: n in KNOWN)
    out: list[Piece] = []
    for piece in [*(piece for text in pieces for piece in parser.feed(text)), *parser.finish()]:
        if isinstance(piece, str) and out and isinstance(out[-1], str):
            out[-1] += piece
        else:
            out.append(piece)
    return out, parser.dropped


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        pytest.param("Tides rise [1].", ["Tides rise ", 1, "."], id="one"),
        pytest.param("[2] says so", [2, " says so"], id="first"),
        pytest.param("[1][2]", [1, 2], id="side by side"),
        pytest.param("[1] [3]", [1, " ", 3], id="with a space between"),
        pytest.param("both [1, 2].", ["both ", 1, 2, "."], id="list"),
        pytest.param("both [ 1 ,2 ].", ["both ", 1, 2, "."], id="blanks within"),
        pytest.param("line\n[3]\n", ["line\n", 3, "\n"], id="on a line of its own"),
        pytest.param("[[1]]", ["[", 1, "]"], id="doubled brackets"),
    ],
)
def test_a_known_number_becomes_a_citation(text, pieces):
    assert parsed([text]) == (pieces, 0)


@pytest.mark.parametrize(
    ("text", "pieces", "dropped"),
    [
        pytest.param("Tides rise [9].", ["Tides rise."], 1, id="one, with the blank before it"),
        pytest.param("so [8, 9].", ["so."], 2, id="list"),
        pytest.param("so [1, 9, 2].", ["so ", 1, 2, "."], 1, id="among known ones"),
        pytest.param("so [0].", ["so."], 1, id="nought"),
        pytest.param("so [1] [9] [1].", ["so ", 1, " ", 1, "."], 1, id="between known ones"),
    ],
)
def test_an_unknown_number_is_dropped_and_counted(text, pieces, dropped):
    assert parsed([text]) == (pieces, dropped)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("`ranges[0]`", id="code span"),
        pytest.param("``a ` b[9]``", id="code span with a backtick"),
        pytest.param("`one\nline[9]`", id="code span over a line end"),
        pytest.param("```python\nranges[0]\n\nranges[9]\n```", id="fence"),
        pytest.param("````\n```\nranges[9]\n````", id="fence in a longer fence"),
        pytest.param("```\nranges[9]", id="fence that is never closed"),
        pytest.param("[note] and [a1] and [1a] and [] and [1.5] and [-1]", id="no number"),
        pytest.param("an open [1", id="never closed"),
        pytest.param("  two   blanks\n\nand a paragraph  ", id="blanks"),
        pytest.param("[" + "1," * LONGEST_MARKER + "1]", id="longer than any marker"),
        pytest.param("[" + "9" * 5000 + "]", id="longer than any number"),
    ],
)
def test_other_text_is_passed_on_as_it_is(text):
    assert parsed([text]) == ([text], 0)


@pytest.mark.parametrize(
    "text",
    ["`ranges[0]` tells [1]", "```\nranges[0]\n```\nso [1]", "a stray ` ends here\n\nso [1]"],
    ids=["span", "fence", "paragraph"],
)
def test_citations_go_on_where_code_ends(text):
    pieces, dropped = parsed([text])
    assert (pieces[-1], dropped) == (1, 0)


@settings(deadline=None)
@given(st.lists(st.text(st.sampled_from("1,9 [[]]`\naé"))))
@example(list("`a\n\n[9]"))
@example(list("a" + " " * LONGEST_MARKER + " [9]"))
@example(list("[" + " " * LONGEST_MARKER + "9]"))
@example(list(" " * (LONGEST_MARKER - 3) + "[9]"))
@example(list("`" * 100 + "[1]"))
def test_no_cut_of_the_text_changes_the_result(pieces):
    assert parsed(pieces) == parsed(["".join(pieces)])


@settings(deadline=None)
@given(st.lists(st.text(st.sampled_from("1, []a\n"))))
@example(list("[" + " 1," * LONGEST_MARKER))
@example(list("\n" * 3 * LONGEST_MARKER))
def test_little_is_held_back(pieces):
    parser = CitationParser(lambda n: n in KNOWN)
    for piece in pieces:
        parser.feed(piece)
    assert sum(len(str(piece)) for piece in parser.finish()) <= LONGEST_MARKER


@pytest.mark.parametrize("begun", ["[", "[1", "[1,", " [ 1", "  ", "``"])
def test_a_marker_that_may_be_completed_waits_for_its_end(begun):
    parser = CitationParser(lambda n: n in KNOWN)
    assert parser.feed(f"so{begun}") == ["so"]
    assert parser.finish() == [begun]


def test_text_that_can_be_no_marker_is_given_out_at_once():
    parser = CitationParser(lambda n: n in KNOWN)
    assert parser.feed("so [see") == ["so [see"]


def test_a_citation_is_given_out_at_once():
    parser = CitationParser(lambda n: n in KNOWN)
    assert parser.feed("so [1]")[-1] == 1


def test_long_runs_of_blanks_and_brackets_take_no_long_time():
    started = time.perf_counter()
    parsed([" " * 30_000, "[1" * 30_000, "1," * 30_000, "\n" * 30_000])
    assert time.perf_counter() - started < 2
