"""Which chunks are shown, and what a whole section is."""

from itertools import accumulate, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.book.selection import SMALL_SECTION, distinct, is_in_small_section, joined
from app.book.vector_store import Hit
from tests.book.candidates import candidate, hit, words_of

NINE = "one two three four five six seven eight nine"


def shown(*texts: str, whole: bool = False) -> list[str]:
    return [one.id for one in distinct([candidate(text) for text in texts], words_of, whole=whole)]


def in_section(text: str, section: str, chunks: int = 2):
    return candidate(text, section_id=section, section_chunks=chunks)


class TestDistinct:
    @pytest.mark.parametrize(
        ("texts", "expected"),
        [
            ([NINE, f"{NINE} ten"], [NINE]),
            ([f"{NINE} ten", NINE], [f"{NINE} ten"]),
            ([NINE, "one two three four"], [NINE, "one two three four"]),
            (["one two three four", "one two three four five"], ["one two three four"]),
            (["one two three", "one two three four"], ["one two three", "one two three four"]),
            (["a b c d e", "x y z", "e d c b a"], ["a b c d e", "x y z"]),
            ([], []),
        ],
        ids=[
            "what says little more",
            "what says little less",
            "a small part of it is no repetition",
            "four fifths are",
            "three quarters are not",
            "also of one that was shown before another",
            "nothing",
        ],
    )
    def test_shows_the_better_of_two_that_say_the_same(self, texts, expected):
        assert shown(*texts) == expected

    def test_shows_what_has_no_terms(self):
        candidates = [candidate("1", text=""), candidate("2", text="")]
        assert [one.id for one in distinct(candidates, lambda _: frozenset(), whole=False)] == ["1", "2"]

    def test_of_what_repeats_a_repetition_shows_what_is_not_like_what_is_shown(self):
        words = [f"w{number}" for number in range(14)]
        first, second, third = (" ".join(words[start : start + 10]) for start in (0, 1, 2))
        assert shown(first, second, third) == [first, third]


class TestSmallSections:
    def test_are_shown_by_one_chunk_if_they_are_shown_whole(self):
        candidates = [in_section("a b", "1"), in_section("c d", "1"), in_section("e f", "2")]
        assert [one.id for one in distinct(candidates, words_of, whole=True)] == ["a b", "e f"]
        assert [one.id for one in distinct(candidates, words_of, whole=False)] == ["a b", "c d", "e f"]

    @pytest.mark.parametrize("chunks", [1, SMALL_SECTION + 1])
    def test_are_not_those_of_one_chunk_nor_of_many(self, chunks):
        candidates = [in_section("a b", "1", chunks), in_section("c d", "1", chunks)]
        assert [one.id for one in distinct(candidates, words_of, whole=True)] == ["a b", "c d"]

    def test_are_shown_by_their_other_chunk_if_one_repeats_what_is_shown(self):
        candidates = [in_section("a b", "1"), in_section("b a", "2"), in_section("c d", "2")]
        assert [one.id for one in distinct(candidates, words_of, whole=True)] == ["a b", "c d"]

    @pytest.mark.parametrize(
        ("payload", "small"),
        [({}, False), ({"section_chunks": 1}, False), ({"section_chunks": 2}, True), ({"section_chunks": 3}, False)],
        ids=["of an older index", "one chunk", "two", "three"],
    )
    def test_have_other_chunks_but_few(self, payload, small):
        assert is_in_small_section(hit("a", **payload)) is small


def chunk(text: str, start: int, gap: str = "", *, of: int = 2) -> Hit:
    return hit(text, start=start, end=start + len(text), gap=gap, section_chunks=of)


class TestJoined:
    TEXT = "One. Two.\n\n<!-- gap -->\n\nThree."

    @pytest.mark.parametrize(
        "chunks",
        [
            [chunk("One. Two.", 5, "\n\n<!-- gap -->\n\n"), chunk("Three.", 30)],
            [chunk("Three.", 30), chunk("One. Two.", 5, "\n\n<!-- gap -->\n\n")],
            [chunk("One. Two.\n\n<!--", 5), chunk("Two.\n\n<!-- gap -->\n\nThree.", 10)],
            [chunk("One. ", 5), chunk("Two.\n\n<!-- gap -->\n\nThree.", 10)],
            [chunk(TEXT, 5, of=1)],
        ],
        ids=["with a gap", "in any order", "that overlap", "that touch", "one alone"],
    )
    def test_chunks_are_the_text_of_their_section(self, chunks):
        assert joined(chunks) == (self.TEXT, 5, 36)

    @pytest.mark.parametrize(
        "chunks",
        [
            [],
            [chunk("One.", 5)],
            [chunk("One.", 5, " "), chunk("Two.", 10), chunk("Three.", 15)],
            [chunk("One.", 5, " "), chunk("Two.", 50)],
            [chunk("One. Two. Three.", 5), chunk("Two.", 10)],
        ],
        ids=["none", "too few", "too many", "too far apart", "one inside another"],
    )
    def test_chunks_that_do_not_make_a_text_are_none(self, chunks):
        assert joined(chunks) is None


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=4), st.data())
def test_however_a_text_is_cut_its_chunks_join_to_it(steps, data):
    starts, ends = (list(accumulate(of_one)) for of_one in zip(*steps, strict=True))
    spans = [(start, max(start + 1, end)) for start, end in zip(starts, ends, strict=True)]
    text = "".join(chr(0x100 + at) for at in range(spans[-1][1]))
    gaps = [text[end:following] for (_, end), (following, _) in pairwise(spans)] + [""]
    chunks = [chunk(text[a:b], a, gap, of=len(spans)) for (a, b), gap in zip(spans, gaps, strict=True)]
    assert joined(data.draw(st.permutations(chunks))) == (text[starts[0] :], starts[0], len(text))
