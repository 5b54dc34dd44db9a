"""Misspelt words of a question, put right by what it finds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.book.spelling import corrected, distance

TEXTS = ["The support polygon of Juno\nSpring tides and neap tides", "A physics engine and the stillness of water"]
ENGLISH = {"statue", "tides", "what", "about", "which"}


def spelt(question: str) -> str:
    return corrected(question, ENGLISH.__contains__, TEXTS)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("what is the suport polygon", "what is the support polygon"),
        ("what is a pyhsics engine", "what is a physics engine"),
        ("about stilnes", "about stilnes"),
        ("about stilllness", "about stillness"),
        ("about stillnesss of sprinng", "about stillness of spring"),
        ("Poligon?", "polygon?"),
        ("statue", "statue"),
        ("tydes", "tides"),
        ("Juon", "Juon"),
        ("sports", "sports"),
        ("support_polygn", "support_polygn"),
        ("", ""),
    ],
    ids=[
        "a letter left out",
        "two exchanged",
        "two in a short word are too many",
        "a letter added",
        "several words",
        "with a capital",
        "a word of the language is left alone",
        "a letter changed",
        "a short word is left alone",
        "too far from any",
        "an identifier is left alone",
        "nothing",
    ],
)
def test_a_word_that_is_none_becomes_the_nearest_of_the_texts(question, expected):
    assert spelt(question) == expected


def test_a_word_of_the_texts_is_left_alone_though_the_language_has_it_not():
    assert spelt("polygon and neap tides") == "polygon and neap tides"


def test_without_texts_nothing_changes():
    assert corrected("suport poligon", ENGLISH.__contains__, []) == "suport poligon"


def test_of_two_that_are_as_near_the_first_of_the_alphabet_is_taken():
    assert corrected("wader", {"x"}.__contains__, ["water wafer"]) == "wafer"


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("abcd", "abcd", 0),
        ("abcd", "abdc", 1),
        ("abcd", "acd", 1),
        ("abcd", "abxcd", 1),
        ("abcd", "axcd", 1),
        ("", "ab", 2),
    ],
)
def test_the_distance_counts_each_slip_once(one, other, expected):
    assert distance(one, other) == distance(other, one) == expected


@given(st.text(max_size=60), st.lists(st.text(max_size=40), max_size=3))
def test_any_text_is_taken(question, texts):
    assert isinstance(corrected(question, lambda _: False, texts), str)
