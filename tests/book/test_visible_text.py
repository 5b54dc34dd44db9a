"""What of a text is compared with what a reader has selected."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.book.visible_text import FOOTNOTE, joined_texts, selected_texts, visible_heading, visible_text


def certain(text: str, source: str = "page.md") -> str:
    return visible_text(source, text).certain()[0]


def optional(text: str, source: str = "page.md") -> str:
    seen = visible_text(source, text)
    return "".join(char for char, may in zip(seen.text, seen.optional, strict=True) if may)


class TestMarkup:
    @pytest.mark.parametrize(
        ("text", "seen"),
        [
            ("**Bold** and _em_ and ~~gone~~", "boldandemandgone"),
            ("the `tide_gauge` class", "thetidegaugeclass"),
            ("``a ` b`` and `<node>`", "aband<node>"),
            ("see [the *gauge*](http://a.example/b(c) 'Title') now", "seethegaugenow"),
            ("see [the gauge][ref] now\n\n[ref]: http://a.example", "seethegaugenow"),
            ("a ![picture](a.png) and [![badge](b.svg)](c)", "aand"),
            ("> quoted\n> again", "quotedagain"),
            ("- one\n- [x] two\n\n1. three", "onetwothree"),
            ("| a | b |\n| --- | :-: |\n| 1 | 2 |", "ab12"),
            (":::note A title\n\nText.\n\n:::", "text."),
            ("> [!NOTE]\n> Text.", "text."),
            ("a <b>c</b> <Foo a={x > 1} b='>' /> d<br/>e", "acde"),
            ("<Tabs groupId='x'>\n\nText\n\n</Tabs>", "text"),
            ("if a < b and c > d", "ifa<bandc>d"),
            ("see <https://a.example/x>", "seehttps://a.example/x"),
            ("salt &amp; water&nbsp;&#8212; &lt;b&gt;", "salt&water-<b>"),
            (r"\*not em\* \<b>", "notem<b>"),
            ("a <!-- no --> b {/* no */} c", "abc"),
            ("text[^1] goes on\n\n[^1]: A note.", "textgoesonanote."),
        ],
        ids=lambda value: value[:24],
    )
    def test_is_no_part_of_it(self, text, seen):
        assert certain(text) == seen

    @pytest.mark.parametrize(
        ("text", "may_be_seen"),
        [
            ("1. one\n2. two", "1.2."),
            (":::tip Do not\n\nText.\n\n:::", ":::tipdonot:::"),
            ('```python title="gauge.py"\nx = 1\n```', 'pythontitle="gauge.py"'),
            ("a[i][j]", "j"),
            ("text[^long] goes on", FOOTNOTE * 3),
            ("the {props.name} robot", "props.name"),
        ],
        ids=lambda value: value[:12],
    )
    def test_is_optional_where_a_page_may_show_it(self, text, may_be_seen):
        assert optional(text) == may_be_seen

    def test_is_text_in_code(self):
        code = "```xml\n<node a='1'> [x](y) &amp; ![z](w)\n```"
        assert certain(code) == "<nodea='1'>x(y)&amp;!z(w)"

    @pytest.mark.parametrize("source", ["page.pdf", "page.txt", "page.html"])
    def test_is_text_in_what_is_no_markdown(self, source):
        assert certain("a <b> [c](d) &amp;", source) == "a<b>c(d)&amp;"

    def test_that_only_a_program_reads_is_left_out(self):
        assert certain("import Tabs from '@theme/Tabs'\n\nText.", "page.mdx") == "text."


class TestLetters:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("“It’s” ‘so’", "\"It's\" 'so'"),
            ("a – b — `-c`", "a - b --- `--c`"),
            ("and so on…", "and so on..."),
            ("so\u00adft zero\u200bwidth", "soft zerowidth"),
            ("Gro\u0308\u00dfe \ufb01n", "GRÖSSE fin"),
            ("two\u00a0 \n\twords", "two words"),
            ("10 m²", "10 m2"),
        ],
        ids=["quotes", "dashes", "ellipsis", "invisible ones", "composed ones and case", "white space", "powers"],
    )
    def test_of_the_same_look_are_the_same(self, one, other):
        assert certain(one) == certain(other) == selected_texts(one)[0]

    def test_that_make_a_difference_stay(self):
        assert certain("a < b, 1.5 + 2 = -3?") == "a<b,1.5+2=-3?"

    @settings(deadline=None)
    @given(st.text(max_size=200))
    def test_keep_their_places(self, text):
        seen = visible_text("page.txt", text, 10)
        whole = [text[start - 10 : end - 10] for start, end in zip(seen.starts, seen.ends, strict=True)]
        assert len(whole) == len(seen.text) == len(seen.optional)
        assert all(char in visible_text("page.txt", part).text for char, part in zip(seen.text, whole, strict=True))

    def test_of_an_entity_have_the_place_of_all_of_it(self):
        seen = visible_text("page.md", "a &amp; b", 5)
        assert [(seen.starts[1], seen.ends[1])] == [(7, 12)]


@settings(deadline=None)
@given(st.text(alphabet="ab`*_[]()<>!\\&;|-:{}/'\"#^~ \n1.", max_size=120))
def test_whatever_markdown_is_read_letters_are_in_order(text):
    seen = visible_text("page.md", text)
    assert list(seen.starts) == sorted(seen.starts)


@pytest.mark.parametrize(
    "text", ["`" * 4000, "<a " * 1300, "[" * 4000, "![a" * 1300, '<a "' * 1000, "](" * 2000, "<!--" * 1000, "> " * 2000]
)
def test_markup_that_never_ends_is_read_too(text):
    assert visible_text("page.md", text) is not None


class TestSelection:
    @pytest.mark.parametrize(
        ("selected", "read"),
        [
            ("Three words here", ["threewordshere"]),
            ("• one\n• two", ["onetwo"]),
            ("- one\n> two", ["-one>two", "onetwo"]),
            ("see [the gauge](http://a.example)", ["seethegauge(http://a.example)", "seethegauge"]),
            ("… the gauge...", ["...thegauge...", "thegauge"]),
        ],
        ids=["once", "without bullets", "without a mark", "without a link's target", "without dots"],
    )
    def test_is_read_as_it_is_and_as_markdown(self, selected, read):
        assert selected_texts(selected) == read

    @pytest.mark.parametrize("selected", ["", " \n\t", "...", "—", "* * *", "\u200b", "| --- |", "🌊"], ids=ascii)
    def test_without_a_letter_or_digit_is_nothing(self, selected):
        assert selected_texts(selected) == []


def test_a_heading_is_optional_and_its_place_unknown():
    heading = visible_heading("Neap `tides`")
    assert (heading.text, heading.certain()[0]) == ("neaptides", "")
    assert max(heading.ends) < 0


def test_texts_follow_each_other():
    whole = joined_texts([visible_heading("One"), visible_text("page.md", "two", 7)])
    assert (whole.text, whole.certain()[0], list(whole.starts[3:])) == ("onetwo", "two", [7, 8, 9])
