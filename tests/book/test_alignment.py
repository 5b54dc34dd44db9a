"""Where a text stands in another, and with how many slips."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.book.alignment import align, find
from app.book.common_runs import common_runs, likeness
from app.book.visible_text import VisibleText, joined_texts, selected_texts, visible_heading, visible_text

WELL = "A stilling well is a vertical pipe of 30 cm with a small opening that filters out waves. Its float follows."
LIST = "Three things are needed at every station by the sea:\n\n1. a good pump\n2. a rope of 12 m\n3. an anchor\n"
WORDS = ["harbour", "master", "opens", "water", "shuts", "later", "boat", "needs", "anchor", "rope", "pump", "light"]


def letters(text: str) -> str:
    return selected_texts(text)[0]


def found(text: str, selected: str) -> str | None:
    """The part of the text that is found, letter by letter."""
    seen = visible_text("page.md", text)
    place = find(letters(selected), seen)
    return place and text[seen.starts[place.start] : seen.ends[place.end - 1]]


def aligned(text: str, selected: str, most_slips: int = 5) -> tuple[int, str] | None:
    seen = visible_text("page.md", text)
    place = align(letters(selected), seen, most_slips)
    return place and (place.slips, text[seen.starts[place.start] : seen.ends[place.end - 1]])


class TestFind:
    @pytest.mark.parametrize(
        ("text", "selected", "expected"),
        [
            ("A **bold** [word](http://a.example) stands.", "bold word", "bold** [word"),
            (LIST, "a good pump a rope of 12 m", "a good pump\n2. a rope of 12 m"),
            (LIST, "1. a good pump 2. a rope of 12 m", "1. a good pump\n2. a rope of 12 m"),
            ("Start at the start.", "start.", "start."),
            ("An oar and a boar.", "boar", "boar"),
            ("The boar has an oar.", "oar", "oar"),
            ("潮汐是海水", "汐是", "汐是"),
            ("A lighthouse warns of rocks.", "ghthouse warns of ro", "ghthouse warns of ro"),
        ],
        ids=[
            "over markup",
            "without the numbers of a list",
            "with them",
            "the first of several",
            "a word",
            "a word and not a part of one",
            "words without spaces between them",
            "a long text within words",
        ],
    )
    def test_gives_the_place(self, text, selected, expected):
        assert found(text, selected) == expected

    @pytest.mark.parametrize(
        ("text", "selected"),
        [
            ("The boar sleeps.", "oar"),
            ("The mast is 150 cm high.", "The mast is 15"),
            ("The mast is 1.5 m high.", "The mast is 1"),
            ("The mast is 1150 cm high.", "150 cm high"),
            (WELL, "A stilling well is a horizontal pipe"),
        ],
        ids=["a part of a word", "a number cut off", "a decimal cut off", "the end of a number", "another word"],
    )
    def test_gives_nothing_for(self, text, selected):
        assert found(text, selected) is None

    def test_takes_two_numbers_in_a_row_for_two(self):
        assert found("Ports 3, 5 and 7 are open.", "Ports 3,") == "Ports 3,"
        assert found("It was in 2024. 5 boats sank.", "It was in 2024.") == "It was in 2024."


class TestAlign:
    @pytest.mark.parametrize(
        ("selected", "slips"),
        [
            (WELL, 0),
            (WELL.replace("vertical", "vertcal"), 1),
            (WELL.replace("vertical", "vertikal"), 1),
            (WELL.replace("small", "smaller"), 2),
            (WELL.replace(" a small", ""), 6),
            ("X" + WELL[1:], 1),
            (WELL[:-1] + "!", 1),
        ],
        ids=["none", "a letter less", "another", "two more", "a word less", "at the start", "at the end"],
    )
    def test_counts_slips(self, selected, slips):
        assert (aligned(WELL, selected, slips) or (None,))[0] == slips
        assert slips == 0 or aligned(WELL, selected, slips - 1) is None

    @pytest.mark.parametrize(
        "selected",
        [
            WELL.replace("30", "31"),
            WELL.replace("30", "3"),
            WELL.replace("30", "300"),
            WELL.replace("30", "3.0"),
            WELL.replace("30", "-30"),
            WELL.replace("30 cm", "cm"),
            WELL.replace("small", "small 2"),
        ],
        ids=["another digit", "one less", "one more", "a point", "a sign", "no number", "a number more"],
    )
    def test_never_lets_a_number_slip(self, selected):
        assert aligned(WELL, selected, 20) is None

    def test_lets_what_is_optional_be_there_or_not(self):
        start = "needed at every station by the sea: "
        for selected in ("1. a good pump a rope of 12 m 3. an anchor", "a good pump 2. a rope of 12 m an anchor"):
            assert (aligned(LIST, start + selected, 0) or (None,))[0] == 0

    def test_takes_any_number_for_that_of_a_footnote(self):
        text = "The float follows the water[^levels] as it rises and falls."
        assert aligned(text, "The float follows the water12 as it rises and falls.", 0) is not None
        assert aligned(text, "The float follows the water as it rises and falls.", 0) is not None
        assert aligned(text, "The float follows the water as it rises 12 and falls.", 4) is None

    def test_takes_of_what_is_repeated_the_right_one(self):
        text = "left_wrist_yaw, left_wrist_pitch, left_wrist_roll and then the commands of all the joints"
        assert aligned(text, text[16:], 0) == (0, text[16:])

    def test_is_not_led_away_by_what_was_said_often_before(self):
        wanted = "controller_manager reads the encoders and then writes the efforts."
        text = f"Each controller, controller by controller, has a controller: {wanted}"
        assert aligned(text, wanted.replace("encoders", "encoder"), 60) == (1, wanted)

    @pytest.mark.parametrize(
        ("text", "selected", "expected"),
        [
            ("The prediction is F P F^T + Q in all.", "The prediction is F P F^T Q", "The prediction is F P F^T + Q"),
            (LIST, "Three things are neded at every station by the sea:", LIST.partition("\n")[0]),
        ],
        ids=["the last letter after a slip", "nothing optional after it"],
    )
    def test_ends_with(self, text, selected, expected):
        assert aligned(text, selected, 2) == (1, expected)

    def test_goes_over_a_heading(self):
        parts = ["The float follows the mean level.", "A gauge is read once in a minute."]
        seen = [visible_text("page.md", part) for part in parts]
        whole = joined_texts([seen[0], visible_heading("Reading a gauge"), seen[1]])
        for selected in (" ".join(parts), "Reading a gauge ".join(parts)):
            place = align(letters(selected), whole, 0)
            assert place is not None
            assert whole.text[place.start : place.end] == whole.text

    def test_does_not_compare_what_has_hardly_a_run_in_common(self):
        words = [f"word{chr(97 + number % 26)}{number}" for number in range(200)]
        shuffled = [words[number * 77 % 200] for number in range(200)]
        assert common_runs(letters(" ".join(shuffled)), visible_text("page.md", " ".join(words))) == []

    @settings(deadline=None)
    @given(st.text(alphabet="ab ", max_size=80), st.text(alphabet="ab ", max_size=80), st.integers(0, 9))
    def test_a_place_is_no_farther_off_than_it_says(self, text, selected, most):
        seen = visible_text("page.txt", text)
        wanted = selected.replace(" ", "")
        place = align(wanted, seen, most)
        if place is not None:
            assert distance(wanted, seen.text[place.start : place.end]) <= place.slips <= most

    @settings(deadline=None)
    @given(st.text(alphabet="abcdefgh", min_size=30, max_size=300), st.data())
    def test_a_part_of_the_text_is_found_as_it_is(self, text, data):
        start = data.draw(st.integers(0, len(text) - 20))
        part = text[start : data.draw(st.integers(start + 20, len(text)))]
        seen = visible_text("page.txt", text)
        place = find(part, seen)
        assert place is not None
        assert (place.slips, seen.text[place.start : place.end]) == (0, part)

    @settings(deadline=None)
    @given(st.permutations(WORDS), st.data())
    def test_a_part_with_slips_is_found_where_it_was(self, words, data):
        text = " ".join(words)
        first = data.draw(st.integers(0, len(words) - 6))
        part = letters(" ".join(words[first : first + data.draw(st.integers(6, 12))]))
        slipped = data.draw(st.integers(0, len(part) - 1))
        wanted = part[:slipped] + "x" + part[slipped + 1 :]
        place = align(wanted, visible_text("page.txt", text), 1)
        assert place is not None
        assert distance(part, letters(text)[place.start : place.end]) <= 1


def test_likeness_is_how_much_of_a_text_there_is():
    seen: VisibleText = visible_text("page.md", WELL)
    whole, half, none = (
        letters(WELL),
        letters(WELL[:50] + "and then something else follows, which is not there"),
        "x" * 90,
    )
    assert likeness(whole, seen) > likeness(half, seen) > likeness(none, seen) == 0


def distance(one: str, other: str) -> int:
    """Levenshtein's."""
    row = list(range(len(other) + 1))
    for number, char in enumerate(one, 1):
        before, row = row, [number]
        for column, against in enumerate(other, 1):
            row.append(min(before[column - 1] + (char != against), before[column] + 1, row[-1] + 1))
    return row[-1]
