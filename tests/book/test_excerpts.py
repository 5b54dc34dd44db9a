"""What of a chunk is embedded: sentences, each under the end of its heading path."""

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.book.excerpts import EXCERPT_TOKENS, excerpts


def count(text: str) -> int:
    """A token for each word or mark, and the model's own two."""
    return 2 + len(re.findall(r"\w+|[^\w\s]", text))


def sentence(tokens: int, name: str = "word") -> str:
    return f"{' '.join([name.title()] * (tokens - 1))}."


class TestSentences:
    def test_are_joined_while_they_are_short(self):
        short = sentence(10)
        assert excerpts(" ".join([short] * 7), [], count) == (" ".join([short] * 3), " ".join([short] * 3), short)

    @pytest.mark.parametrize(
        ("second", "number"), [(EXCERPT_TOKENS - 10, 1), (EXCERPT_TOKENS - 9, 2)], ids=["just fits", "one too many"]
    )
    def test_are_joined_up_to_a_number_of_tokens_the_model_s_own_not_counted(self, second, number):
        assert len(excerpts(f"{sentence(10)} {sentence(second)}", [], count)) == number

    def test_that_are_long_stand_alone_and_whole(self):
        long = sentence(EXCERPT_TOKENS * 3)
        short = sentence(4, "tide")
        assert excerpts(f"{short} {long} {short}", [], count) == (short, long, short)

    def test_keep_what_is_between_them(self):
        assert excerpts("One.\n\n- Two.\n- Three.", [], count) == ("One.\n\n- Two.\n- Three.",)

    def test_that_are_joined_are_those_next_to_each_other(self):
        first, second = sentence(20, "one"), sentence(20, "two")
        assert excerpts(f"{first} {second} Three.", [], count) == (first, f"{second} Three.")

    @pytest.mark.parametrize("text", ["", " \n"], ids=["empty", "blank"])
    def test_that_are_none_leave_the_text_itself(self, text):
        assert excerpts(text, [], count) == (text,)

    @pytest.mark.parametrize("text", ["...", "x" * 5000, "。", "机器人", "\u2028", "```\na = 1. B = 2\n```"], ids=ascii)
    def test_of_odd_texts_lose_nothing(self, text):
        assert "".join(excerpts(text, [], count)) == text


class TestLead:
    @pytest.mark.parametrize(
        ("path", "lead"),
        [
            (["Book", "Measuring the tide today"], "Measuring the tide today"),
            (["The book", "Tides", "Overview"], "The book > Tides > Overview"),
            (["A long name of a book", "Tides", "Spring tides"], "Tides > Spring tides"),
            (["Tides", "Overview"], "Tides > Overview"),
        ],
        ids=["of the last heading", "with all above it", "with so many as are needed", "all of it, however short"],
    )
    def test_is_the_end_of_the_heading_path(self, path, lead):
        assert excerpts("One.", path, count) == (f"{lead}\nOne.",)

    def test_is_that_of_every_excerpt(self):
        first, second = sentence(30, "one"), sentence(30, "two")
        assert excerpts(f"{first} {second}", ["The tides of the sea"], count) == (
            f"The tides of the sea\n{first}",
            f"The tides of the sea\n{second}",
        )

    @pytest.mark.parametrize("path", [[], [""]], ids=["no path", "an empty one"])
    def test_is_left_out_without_headings(self, path):
        assert excerpts("One.", path, count) == ("One.",)

    def test_takes_no_room_from_the_sentences(self):
        text = f"{sentence(16)} {sentence(16)}"
        assert len(excerpts(text, ["A heading of many words " * 5], count)) == 1


words = st.lists(
    st.sampled_from(["Tide", "a.m.", "e.g.", "1.", "x" * 90, "机器人。", "🌊", "**b**", "—", "?!", "\n\n", "- ", "."]),
    max_size=120,
).map(" ".join)


@settings(max_examples=200, deadline=None)
@given(words, st.sampled_from([[], ["Tides"], ["A Small Book of Tides", "Neap tides"]]))
def test_excerpts_are_slices_in_order_that_leave_out_only_white_space(text, path):
    found = excerpts(text, path, count)
    leads = {part.split("\n", 1)[0] for part in found} if path else {""}
    assert len(leads) == 1
    at = 0
    for part in found:
        body = part.split("\n", 1)[1] if path else part
        start = text.index(body, at)
        assert not text[at:start].strip()
        at = start + len(body)
    assert not text[at:].strip()


@settings(max_examples=200, deadline=None)
@given(words)
def test_no_two_neighbours_would_fit_together(text):
    found = excerpts(text, [], count)
    assert all(count(one) + count(other) - 4 > EXCERPT_TOKENS for one, other in pairwise(found))
