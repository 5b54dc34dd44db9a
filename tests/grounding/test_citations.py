"""The citation parser: what is a citation, what is not, and that no cut of the text changes it."""

import re
from collections.abc import Iterable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.grounding import citations
from app.grounding.citations import LONGEST_HELD, LONGEST_MARKER, LONGEST_RANGE, LONGEST_SPACE, CitationParser, Piece

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
        pytest.param("tides[1].", ["tides", 1, "."], id="glued to a word"),
        pytest.param("[1][2]", [1, 2], id="side by side"),
        pytest.param("[1] [3]", [1, " ", 3], id="with a space between"),
        pytest.param("both [1, 2].", ["both ", 1, 2, "."], id="list"),
        pytest.param("all [1;2; 3].", ["all ", 1, 2, 3, "."], id="semicolons"),
        pytest.param("both [ 1 ,2 ].", ["both ", 1, 2, "."], id="blanks within"),
        pytest.param("all [1-3].", ["all ", 1, 2, 3, "."], id="range"),
        pytest.param("all [1–2, 3].", ["all ", 1, 2, 3, "."], id="range with a dash, in a list"),
        pytest.param("line\n[3]\n", ["line\n", 3, "\n"], id="on a line of its own"),
        pytest.param("so [[1]].", ["so ", 1, "."], id="doubled brackets"),
        pytest.param("so 【1】 or ［2］", ["so ", 1, " or ", 2], id="wide brackets"),
        pytest.param("so 【1†source】.", ["so ", 1, "."], id="with a word for the source"),
        pytest.param("so [^1].", ["so ", 1, "."], id="as a footnote"),
        pytest.param("so ([1]).", ["so (", 1, ")."], id="in brackets"),
        pytest.param("so `[1]`, ``[2]``.", ["so ", 1, ", ", 2, "."], id="alone in backticks"),
        pytest.param("so [1](http://x/y#z), yes", ["so ", 1, ", yes"], id="as a link"),
        pytest.param("so [1] (see x)", ["so ", 1, " (see x)"], id="before brackets"),
        pytest.param("so [1](see it)", ["so ", 1, "(see it)"], id="before brackets that are no target"),
        pytest.param("so [1]([2])", ["so ", 1, "(", 2, ")"], id="before a citation in brackets"),
        pytest.param("[1]: so", [1, ": so"], id="before a colon"),
        pytest.param(r"so \\[1]", ["so \\\\", 1], id="after an escaped backslash"),
        pytest.param(r"so \[1\], [\[2\]], \[[3]\].", ["so ", 1, ", ", 2, ", ", 3, "."], id="escaped"),
        pytest.param("so [①, ②].", ["so ", 1, 2, "."], id="digits in circles"),
        pytest.param("so [1: Tides of 2].", ["so ", 1, "."], id="with a title"),
        pytest.param("so 【1:0†source】.", ["so ", 1, "."], id="with a place"),
        pytest.param("so [id=1] [#2] [doc3].", ["so ", 1, " ", 2, " ", 3, "."], id="with a short name"),
        pytest.param("so [Passage 1, passage 2] [ref 3].", ["so ", 1, 2, " ", 3, "."], id="with a name"),
        pytest.param("so [source: 1] [sources 2-3].", ["so ", 1, " ", 2, 3, "."], id="as a source"),
        pytest.param("so [^1^].", ["so ", 1, "."], id="as a raised footnote"),
        pytest.param("so [1 and 2] [2 & 3].", ["so ", 1, 2, " ", 2, 3, "."], id="with a word between"),
        pytest.param("so (see [1]) (Source: [2]).", ["so (", 1, ") (", 2, ")."], id="in brackets with a word"),
        pytest.param("so [1\nand so [2", ["so ", 1, "\nand so ", 2], id="never closed"),
    ],
)
def test_a_known_number_becomes_a_citation(text, pieces):
    assert parsed([text]) == (pieces, 0)


@pytest.mark.parametrize(
    ("text", "pieces", "dropped"),
    [
        pytest.param("Tides rise [9].", ["Tides rise."], 1, id="one, with the blank before it"),
        pytest.param("so \t [9].", ["so."], 1, id="all blanks before it"),
        pytest.param("so [8, 9].", ["so."], 2, id="list"),
        pytest.param("so [1, 9, 2].", ["so ", 1, 2, "."], 1, id="among known ones"),
        pytest.param("so [2-5].", ["so ", 2, 3, "."], 2, id="range"),
        pytest.param(f"so [3-{LONGEST_RANGE + 3}].", ["so ", 3, "."], 1, id="only the ends of a long range"),
        pytest.param("so [3-1].", ["so ", 3, 1, "."], 0, id="only the ends of a range that falls"),
        pytest.param("so [0].", ["so."], 1, id="nought"),
        pytest.param("so [1] [9] [1].", ["so ", 1, " ", 1, "."], 1, id="between known ones"),
        pytest.param("so `[9]`, ([9]), [9](http://x), 【9†x】.", ["so,,,."], 4, id="with what is around it"),
        pytest.param("so ([9])(x)", ["so(x)"], 1, id="no link behind brackets"),
        pytest.param("so\n\n[9]\n- so", ["so\n\n\n- so"], 1, id="line ends stay"),
        pytest.param(r"so \[9\] (see [8]) [doc 7] [6", ["so"], 4, id="in other spellings"),
        pytest.param(f"so [{'9' * (LONGEST_MARKER - 2)}].", ["so."], 1, id="huge number"),
    ],
)
def test_an_unknown_number_is_dropped_and_counted(text, pieces, dropped):
    assert parsed([text]) == (pieces, dropped)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("`ranges[0]`", id="code span"),
        pytest.param("``a ` b[9]`` and `` `[9]` ``", id="code spans with backticks"),
        pytest.param("`one\nline[9]`", id="code span over a line end"),
        pytest.param("```ranges[9]``` and ```[9]```", id="code spans like fences"),
        pytest.param("`[9] or [8]` and `[9]", id="code spans that begin with a marker"),
        pytest.param("`[9]`` and ```[9]`` and `a``[9]`", id="backticks that do not match"),
        pytest.param("```python\nranges[0]\n\nranges[9]\n```", id="fence"),
        pytest.param("~~~ `[9]`\nranges[0]\n```\n[9]\n~~~", id="fence of tildes"),
        pytest.param("   ```\nranges[0]\n\n[9]\n   ```", id="indented fence"),
        pytest.param("1. so\n\n     ```\n     ranges[0]\n\n     [9]\n     ```", id="fence in an item"),
        pytest.param("- ```\n  ranges[0]\n\n  [9]\n  ```", id="fence that begins an item"),
        pytest.param("> ```\n> [9]\n>\n> [9]\n> ```", id="fence in a quote"),
        pytest.param("   >   ```\n> [9]\n>\n> [9]", id="indented fence in an indented quote"),
        pytest.param("````\n```\nranges[9]\n````", id="fence in a longer fence"),
        pytest.param("```\n``` x\n[9]", id="a line with more than marks closes no fence"),
        pytest.param("```\n    ```\n[9]", id="a line too far in closes no fence"),
        pytest.param("```\nranges[9]", id="fence that is never closed"),
        pytest.param("a stray ` keeps [9]", id="code span that is never closed"),
        pytest.param("[note] and [a1] and [1a] and [] and [1.5] and [-1] and [1,] and [1 2]", id="no number"),
        pytest.param("[9】 and ［9] and {9}", id="brackets that do not match"),
        pytest.param("[text](url) and [see 9](http://x)", id="links"),
        pytest.param(r"\[9] and \[x\] and \[ x = [9 \]", id="escaped"),
        pytest.param("[^9]: note\n  [^9]: note", id="footnotes"),
        pytest.param(
            "[documents] and [id] and [12:30] and [1:] and [1: ] and [source: tides.md] and (see it)", id="words"
        ),
        pytest.param("  two   blanks\n\nand a paragraph  ", id="blanks"),
        pytest.param("[" + "1," * LONGEST_MARKER + "1]", id="longer than any marker"),
        pytest.param("[" + "9" * 5000 + "]", id="longer than any number"),
        pytest.param("[1,\n2]", id="line end within"),
    ],
)
def test_other_text_is_passed_on_as_it_is(text):
    assert parsed([text]) == ([text], 0)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("`ranges[0]` tells [1]", id="span"),
        pytest.param("```\nranges[0]\n```\nso [1]", id="fence"),
        pytest.param("~~~\nranges[0]\n~~~~~  \nso [1]", id="longer fence"),
        pytest.param("- so\n      ```\n      [0]\n      ```\n  so [1]", id="fence in an item"),
        pytest.param("a stray ` ends here\n\nso [1]", id="paragraph"),
        pytest.param("a stray ` ends here\r\n\r\nso [1]", id="paragraph with CRLF"),
        pytest.param("```\r\n[9]\r\n```\r\nso [1]", id="fence with CRLF"),
        pytest.param("a stray ` ends here\n- so [1]", id="item"),
        pytest.param("# a stray ` ends here\nso [1]", id="heading"),
        pytest.param("| a stray ` |\n| so [1]", id="row"),
        pytest.param("so\n\n    ```\n\nso [1]", id="no fence so far in"),
        pytest.param("- so\n\nso\n\n     ```\n\nso [1]", id="no fence so far in after a list"),
        pytest.param("[1]~~~\n\nso [1]", id="no fence behind a citation"),
        pytest.param("a stray `\n# so [1]", id="a heading after it"),
        pytest.param(r"`a\` so [1]", id="backslash in code"),
        pytest.param("so ```\n\nso [1]", id="no fence within a line"),
        pytest.param(r"an escaped \` so [1]", id="escaped backtick"),
        pytest.param("~~so~~ [1]", id="struck out"),
    ],
)
def test_citations_go_on_where_code_ends(text):
    pieces, dropped = parsed([text])
    assert (pieces[-1], dropped) == (1, 0)


MARKS = (
    "[1]|[9]|[|]|[[|]]|1|9|,|;|-| |  "
    "|`|``|```|~~~|\n|\n\n|- |1. |> |    |#|(|)|(x)|(see |source|doc |: | and |①|\\|【|】|†|［|］|[^|:|é|a"
)
marked = st.lists(st.sampled_from([*MARKS.split("|"), "|"])).map("".join)


@settings(max_examples=400, deadline=None)
@given(marked | st.text(), st.data())
def test_no_cut_of_the_text_changes_the_result(text, data):
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)))))
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert parsed(pieces) == parsed([text]) == parsed(text)


@pytest.mark.parametrize(
    "text",
    [
        "`a\n\n[9]",
        "a" + " " * LONGEST_SPACE + " [9]",
        "[" + " " * LONGEST_MARKER + "9]",
        " " * (LONGEST_MARKER - 3) + "[9]",
        "`" * 100 + "[1]",
        "``[" + " " * (LONGEST_MARKER - 6) + "1]``",
        "[1](" + "x" * LONGEST_HELD + ")",
    ],
    ids=["paragraph", "blanks before", "blanks within", "many blanks", "backticks", "longest", "long target"],
)
def test_no_cut_at_a_bound_changes_the_result(text):
    assert parsed(text) == parsed([text])


@settings(max_examples=200, deadline=None)
@given(marked)
@example("[" + " 1," * LONGEST_MARKER)
@example("\n" * 3 * LONGEST_HELD)
@example(" " * 3 * LONGEST_HELD)
@example("`" * 3 * LONGEST_HELD)
@example("a " + "`" * 3 * LONGEST_HELD)
@example("x" + " " * LONGEST_HELD + "[1](" + "y" * (LONGEST_HELD - 30))
@example("[1](" + "y" * 3 * LONGEST_HELD)
@example("【1†" + "s" * LONGEST_HELD)
def test_little_is_held_back(text):
    parser = CitationParser(lambda n: n in KNOWN)
    for char in text:
        parser.feed(char)
        assert len(parser._held) + len(parser._spaces) <= LONGEST_HELD


class Counting:
    """A pattern that notes how many characters it was given to look at."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self._pattern = pattern
        self.looked_at: list[int] = []

    def match(self, text: str, position: int, end: int = 1_000_000) -> re.Match[str] | None:
        self.looked_at.append(min(end, len(text)) - position)
        return self._pattern.match(text, position, end)


@pytest.mark.parametrize(
    "text",
    [
        "[",
        "`",
        "[1,",
        " ",
        "[1](x",
        "`[1",
        "\n```",
        "([[1",
        "【1†",
        "[id",
        "[docs",
        "[passage 1 and ",
        "(see ",
        "\\[",
        "[1: x",
    ],
)
@pytest.mark.parametrize("size", [1, 1000], ids=["by character", "at once"])
def test_the_work_grows_with_the_text_alone(text, size, monkeypatch):
    names = ["MARKER", "BEGUN", "TARGET", "BEGUN_TARGET"]
    patterns = [Counting(getattr(citations, name)) for name in names]
    for name, pattern in zip(names, patterns, strict=True):
        monkeypatch.setattr(citations, name, pattern)
    whole = (text * 20_000)[:20_000]
    parsed(whole[start : start + size] for start in range(0, len(whole), size))
    looked_at = [length for pattern in patterns for length in pattern.looked_at]
    assert len(looked_at) <= 4 * len(whole)
    if size == 1:
        assert max(looked_at, default=0) <= LONGEST_HELD


@pytest.mark.parametrize(
    "begun",
    [
        "[",
        "[1",
        "[1,",
        " [ 1",
        "  ",
        "``",
        "[[1]",
        "`[1]",
        "`[1]`",
        "[^1",
        "([1]",
        "【1†so",
        "［1",
        "\n[^1]",
        "[pas",
        "[Doc 1",
        "[1: T",
        "\\",
        "\\[1\\",
        "(see [",
        "[1 an",
        "[^1^",
    ],
)
def test_a_marker_that_may_be_completed_waits_for_its_end(begun):
    parser = CitationParser(lambda n: n in KNOWN)
    assert parser.feed(f"so{begun}") == ["so\n" if begun[0] == "\n" else "so"]


@pytest.mark.parametrize(
    "text", ["so [see", "so [1x", "so `x", "so (1", "so ```", "so [idea", "so (sea", "so \\x", "so [docsd"]
)
def test_text_that_can_be_no_marker_is_given_out_at_once(text):
    parser = CitationParser(lambda n: n in KNOWN)
    assert parser.feed(text) == [text]


@pytest.mark.parametrize("text", ["so [1]", "so [^1]", "so [[1]]"])
def test_a_citation_is_given_out_at_once(text):
    parser = CitationParser(lambda n: n in KNOWN)
    assert parser.feed(text) == ["so ", 1]


def test_a_restart_forgets_what_was_begun():
    parser = CitationParser(lambda n: n in KNOWN)
    parser.feed("[9] `a [1")
    parser.restart()
    assert parser.feed("[1]") == [1]
    assert parser.dropped == 1
