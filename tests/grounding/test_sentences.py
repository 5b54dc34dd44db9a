"""The segments of an answer: what is one, what it says, and when it comes."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.grounding import sentences
from app.grounding.citations import Piece
from app.grounding.lines import LONGEST_HEAD
from app.grounding.runs import Run
from app.grounding.sentences import Segment, Segmenter


def cut(*pieces: Piece) -> list[Segment]:
    segmenter = Segmenter()
    return [*(segment for piece in pieces for segment in segmenter.feed(piece)), *segmenter.finish()]


def kinds(*pieces: Piece) -> list[tuple[str, str]]:
    """Each segment's kind and body."""
    return [(segment.kind, segment.body) for segment in cut(*pieces) if segment.body]


class TestProse:
    def test_each_sentence_is_a_segment_with_the_space_before_it(self):
        assert cut("Tides rise ", 1, ". They fall. ", 2, "\n\nSo.") == [
            Segment("sentence", "Tides rise [1].", "Tides rise.", (1,), 0),
            Segment("sentence", " They fall. [2]", "They fall.", (2,), 0),
            Segment("sentence", "\n\nSo.", "So.", (), 1),
        ]

    def test_a_citation_counts_once_and_in_order(self):
        assert cut("Tides ", 3, 1, " rise ", 3, ".")[0].cited == (3, 1)

    @pytest.mark.parametrize(
        ("pieces", "body"),
        [
            pytest.param(("**Tides rise.** ", 1), "Tides rise.", id="emphasis around the whole"),
            pytest.param(("_Tides rise_",), "Tides rise", id="underscores"),
            pytest.param(("**Tides** rise **high**",), "**Tides** rise **high**", id="emphasis within"),
            pytest.param(("Tides\n  rise\nhigh",), "Tides rise high", id="soft line breaks"),
            pytest.param(("> Tides\n> rise",), "Tides rise", id="quote"),
            pytest.param(("Tides ", 1, ", which rise (", 1, "; ", 2, ")."), "Tides, which rise.", id="citations"),
            pytest.param(("Tides rise **", 1, "**."), "Tides rise.", id="bold citation"),
            pytest.param(("Tides ", 1, 2, " rise f()"), "Tides rise f()", id="a call keeps its brackets"),
            pytest.param(("Tides <!-- no --> rise",), "Tides <!-- no --> rise", id="a comment within"),
            pytest.param(("Tides\0rise",), "Tidesrise", id="a character that no text has"),
        ],
    )
    def test_the_body_is_what_it_says(self, pieces, body):
        assert [segment.body for segment in cut(*pieces)] == [body]

    @pytest.mark.parametrize("colon", [":", ":**", "：", ": \n", ":\n\n- "])
    def test_what_ends_with_a_colon_is_an_introduction(self, colon):
        start = "**" if "**" in colon else ""
        assert [segment.kind for segment in cut(f"Tides. {start}They are{colon}")][:2] == ["sentence", "intro"]

    @pytest.mark.parametrize("text", ["They are: high. So", "- They: are"])
    def test_a_colon_within_introduces_nothing(self, text):
        assert "intro" not in dict(kinds(text))


class TestLists:
    def test_the_first_sentence_of_an_item_is_an_item_and_has_its_number(self):
        assert cut("1. Rise. Fall ", 1, "\n12) Turn") == [
            Segment("item", "1. Rise.", "Rise.", (), 0, 1),
            Segment("sentence", " Fall [1]", "Fall", (1,), 0),
            Segment("item", "\n12) Turn", "Turn", (), 0, 12),
        ]

    @pytest.mark.parametrize(
        ("text", "body"),
        [
            pytest.param("* rise", "rise", id="star"),
            pytest.param("+   rise", "rise", id="plus"),
            pytest.param("  - rise", "rise", id="indented"),
            pytest.param("- [x] rise", "rise", id="task"),
            pytest.param("- **Tide**: it rises", "**Tide**: it rises", id="bold lead-in"),
            pytest.param("- **Tide.** It rises", "**Tide.** It rises", id="bold lead-in with a full stop"),
            pytest.param("- rise\nand\n  fall", "rise and fall", id="continuation lines"),
            pytest.param("- 1. rise", "rise", id="item in an item"),
            pytest.param("> - rise", "rise", id="in a quote"),
        ],
    )
    def test_an_item_s_body_is_without_its_mark(self, text, body):
        assert kinds(text) == [("item", body)]

    @pytest.mark.parametrize(
        "text", ["-rise", "1.5 rise", "2024 rises", "**rise**", "--rise", "+1", "1.x", "__rise__", "=1", ":x"]
    )
    def test_other_beginnings_are_prose(self, text):
        assert kinds(f"{text} so")[0][0] == "sentence"

    def test_an_item_may_introduce_others(self):
        assert kinds("- high:\n  - rise") == [("intro", "high:"), ("item", "rise")]

    @pytest.mark.parametrize(
        "text",
        ["- a\n- b", "- a\n\n- b", "- a\n  - b", "1. a\n\n   b", "- so. B"],
        ids=["tight", "loose", "nested", "a paragraph in an item", "sentences"],
    )
    def test_a_list_is_one_paragraph(self, text):
        assert [segment.paragraph for segment in cut(text)] == [0, 0]


class TestParagraphs:
    @pytest.mark.parametrize(
        "text",
        [
            *["a\n\nb", "a\n- b", "- a\n\nb", "# a\nb", "a\n# b", "a\n|b|", "|a|\n\n|b|", "|a|\nb", "a\n```\n```"],
            *[
                "```\n```\nb",
                "- a\n\n> b",
                "- a\n***\n- b",
                "# a\n# b",
                "a\r\n\r\nb",
                "a\n\x0b\n```\n```",
                "a\n>\n> b",
                "- a\n\n  b\n  ===",
            ],
        ],
        ids=repr,
    )
    def test_begin(self, text):
        assert [segment.paragraph for segment in cut(text)] == [0, 1]

    @pytest.mark.parametrize("text", ["so. B", "so\nso. C", "> a\n> so. C", "|a|\n|b|", "|a|\n|-|\n|b|"], ids=repr)
    def test_go_on(self, text):
        assert [segment.paragraph for segment in cut(text)] == [0, 0]


class TestOtherBlocks:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            pytest.param("# Why. How?\nSo", [("heading", "Why. How?"), ("sentence", "So")], id="heading"),
            pytest.param("### **Why** ##", [("heading", "Why")], id="heading with closing marks"),
            pytest.param("Why\n===\nSo", [("heading", "Why"), ("sentence", "So")], id="underlined heading"),
            pytest.param("Why\n---\nSo", [("heading", "Why"), ("sentence", "So")], id="underlined with dashes"),
            pytest.param("So.\n---\nSo", [("sentence", "So."), ("sentence", "So")], id="a sentence is no heading"),
            pytest.param("So:\n---\n- so", [("intro", "So:"), ("item", "so")], id="an introduction is no heading"),
            pytest.param("So. It\n---\nX", [("sentence", each) for each in ("So.", "It", "X")], id="nor what is left"),
            pytest.param("So\nit\n---\nX", [("sentence", "So it"), ("sentence", "X")], id="nor are two lines"),
            pytest.param("# So:\n| so: |", [("heading", "So:"), ("row", "so:")], id="colons in headings and rows"),
            pytest.param("a | b\nc | d\n--|--", [("sentence", "a | b c | d --|--")], id="no head of two lines"),
            pytest.param(
                "a | b. C\n-|-", [("sentence", "a | b."), ("sentence", "C -|-")], id="no head of what is left"
            ),
            pytest.param("#so\n####### so", [("sentence", "#so ####### so")], id="no heading"),
            pytest.param(
                "| a | **b** |\n| :- | - |\n| 1. C | |\n| d\\|e\n",
                [("table_head", "a; b"), ("row", "1. C"), ("row", "d\\|e")],
                id="table",
            ),
            pytest.param(
                "a | b\n--|--\nc | d\nso",
                [("table_head", "a; b"), ("row", "c; d"), ("sentence", "so")],
                id="open table",
            ),
            pytest.param(
                "| a |\n| b |\nso", [("row", "a"), ("row", "b"), ("sentence", "so")], id="rows without a head"
            ),
            pytest.param(
                "|a|\n|-|\n\nSo | so", [("table_head", "a"), ("sentence", "So | so")], id="prose after a table"
            ),
            pytest.param("a | b. C\nd | e", [("sentence", "a | b."), ("sentence", "C d | e")], id="bars in prose"),
            pytest.param(
                "```py\nx = 1. Y\n\n  z\n```\nSo", [("code", "x = 1. Y\n\n  z"), ("sentence", "So")], id="code"
            ),
            pytest.param("~~~\n```\n~~~~", [("code", "```")], id="longer fence"),
            pytest.param("```\nx\n\n# y", [("code", "x\n\n# y")], id="code without end"),
            pytest.param("- ```\n  x\n  ```\n- so", [("code", "  x"), ("item", "so")], id="code in an item"),
            pytest.param("```x``` is so. Yes", [("sentence", "```x``` is so."), ("sentence", "Yes")], id="code span"),
            pytest.param("```py So it is\nx\n```", [("code", "So it is\nx")], id="words beside the language of code"),
            pytest.param(":::note So\nit is", [("sentence", ":::note So it is")], id="words beside a colon fence"),
            pytest.param("* * *\nSo\n\n___", [("sentence", "So")], id="rules"),
            pytest.param("<!-- No.\n\nNo. -->\nSo", [("sentence", "So")], id="comment"),
            pytest.param("<b>So</b>", [("sentence", "<b>So</b>")], id="tags"),
            pytest.param("- - - - - - - - - - -\nSo", [("sentence", "So")], id="a long rule"),
            pytest.param("So. 12. It", [("sentence", "So."), ("sentence", "12. It")], id="a number in prose"),
            pytest.param("- - - - - - - - so", [("item", "so")], id="a long beginning"),
        ],
    )
    def test_have_their_kind_and_body(self, text, expected):
        assert kinds(text) == expected

    def test_citations_stand_in_rows_and_headings(self):
        assert [(segment.body, segment.cited) for segment in cut("# a ", 1, "\n|b ", 2, "|c|")] == [
            ("a", (1,)),
            ("b; c", (2,)),
        ]

    @pytest.mark.parametrize("before", ["***\n", "\n \n", ":::note\n", "> "])
    def test_what_says_nothing_goes_with_what_follows(self, before):
        assert [(segment.text, segment.body) for segment in cut(f"{before}So. It")] == [
            (f"{before}So.", "So."),
            (" It", "It"),
        ]

    @pytest.mark.parametrize("end", ["\n", " ", "\n\n***\n", "\n<!-- x"])
    def test_at_the_end_it_is_a_segment_without_a_body(self, end):
        assert cut(f"So.{end}")[1:] == [Segment("sentence", end, "", (), 0)]

    def test_a_fence_at_the_end_is_code(self):
        assert cut("So\n```py")[1] == Segment("code", "\n```py", "", (), 1)

    def test_what_cites_is_no_heading(self):
        assert [segment.kind for segment in cut("Tides ", 1, "\n---\nSo")] == ["sentence", "sentence"]

    def test_a_comment_is_a_segment_without_a_body(self):
        assert cut("So.\n<!-- No. ", 1, "\n\nNo. --> It") == [
            Segment("sentence", "So.", "So.", (), 0),
            Segment("sentence", "\n<!-- No. [1]\n\nNo. -->", "", (), 0),
            Segment("sentence", " It", "It", (), 0),
        ]

    def test_a_citation_alone_has_no_body(self):
        assert cut("So.\n\n", 1)[1] == Segment("sentence", "\n\n[1]", "", (1,), 1)

    def test_nothing_has_no_segment(self):
        assert cut("") == []


class TestArrival:
    @pytest.mark.parametrize(
        ("text", "shows", "bodies"),
        [
            pytest.param("It rises. ", "T", ["It rises."], id="sentence"),
            pytest.param("It rises\n", "\n", ["It rises"], id="paragraph"),
            pytest.param("- rise\n-", " f", ["rise"], id="item"),
            pytest.param("# Tides", "\n", ["Tides"], id="heading"),
            pytest.param("|a|\n|-|", "\n", ["a"], id="head of a table"),
            pytest.param("|a|\nx", "\n", ["a"], id="first row"),
            pytest.param("|a|\n|-|\n|b|", "\n", ["a", "b"], id="row"),
            pytest.param("```\nx\n```", "\n", ["x"], id="code"),
        ],
    )
    def test_is_with_the_first_character_that_shows_the_end(self, text, shows, bodies):
        segmenter = Segmenter()
        *earlier, last = bodies
        assert [segment.body for segment in segmenter.feed(text)] == earlier
        assert [segment.body for segment in segmenter.feed(shows)] == [last]

    def test_a_citation_after_a_sentence_waits_for_more(self):
        segmenter = Segmenter()
        assert [segmenter.feed(piece) for piece in ("It rises. ", 1, " ", 2)] == [[]] * 4
        assert [segment.cited for segment in segmenter.feed(" S")] == [(1, 2)]


MARKS = "So. |e.g. |is|**|`|```|~~~|\n|\n\n|- |1. |[ ] |> |    |# |(|)|:|---|===|<!--|-->|。|\t|\r\n|\\|\0|? |…"
marked = st.lists(st.sampled_from([*MARKS.split("|"), "|", "| a ", "|-|\n", 1, 2]) | st.text(max_size=2))


def as_written(pieces: list[Piece]) -> str:
    return "".join(piece if isinstance(piece, str) else f"[{piece}]" for piece in pieces)


@settings(max_examples=400, deadline=None)
@given(marked)
def test_nothing_is_lost_or_doubled(pieces):
    segments = cut(*pieces)
    assert "".join(segment.text for segment in segments) == as_written(pieces)
    assert all(segment.text for segment in segments)


@settings(max_examples=300, deadline=None)
@given(marked)
def test_every_citation_outside_comments_is_of_a_segment(pieces):
    cited = [n for segment in cut(*pieces) for n in segment.cited]
    if "<!--" not in as_written(pieces):
        assert set(cited) == {piece for piece in pieces if isinstance(piece, int)}


@settings(max_examples=300, deadline=None)
@given(marked)
def test_every_word_outside_comments_is_in_a_body(pieces):
    text = as_written(pieces).replace("<!--", "").replace("```", "So").replace("~~~", "So")
    assert sum(segment.body.count("So") for segment in cut(text)) == text.count("So")


@settings(max_examples=300, deadline=None)
@given(marked)
def test_paragraphs_count_up_without_a_gap(pieces):
    paragraphs = [0, *(segment.paragraph for segment in cut(*pieces))]
    assert all(after - before in {0, 1} for before, after in pairwise(paragraphs))


@settings(max_examples=400, deadline=None)
@given(marked)
def test_no_cut_of_the_text_changes_the_segments(pieces):
    characters = [part for piece in pieces for part in (piece if isinstance(piece, str) else [piece])]
    whole: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, str) and whole and isinstance(whole[-1], str):
            whole[-1] += piece
        else:
            whole.append(piece)
    assert cut(*characters) == cut(*pieces) == cut(*whole)


@pytest.mark.parametrize("text", ["-", "- ", " ", "`", "| a\n", "So. ", "(. ", "--\n", "a | b\n", "``` a`\n", "<!--"])
def test_the_work_grows_with_the_text_alone(text, monkeypatch):
    calls = {"add": 0, "shape": 0}
    add, shape = Run.add, sentences.shape

    def counted_add(run: Run, piece: Piece, *, is_mark: bool = False) -> list[Piece]:
        calls["add"] += 1
        sentence = add(run, piece, is_mark=is_mark)
        calls["add"] += len(run.pieces) if sentence else 0  # what is moved behind a sentence
        return sentence

    def counted_shape(head: str) -> str:
        calls["shape"] += 1
        assert len(head) <= LONGEST_HEAD
        return shape(head)

    monkeypatch.setattr(Run, "add", counted_add)
    monkeypatch.setattr(sentences, "shape", counted_shape)
    whole = (text * 20_000)[:20_000]
    cut(*whole)
    assert calls["add"] <= 2 * len(whole)
    assert calls["shape"] <= len(whole)
