"""What of the model's orders may stand in an answer."""

import pytest

from app.grounding.recital import Recital

ORDERS = "You know of tides.\n\n1. Use only the passages, and put the number of the\n   passage at the end."


@pytest.mark.parametrize(
    "sentence",
    [
        "Use only the passages, and put the number there.",
        "I was told: **use only the passages, and PUT** it down.",
        "The number of the passage at the end is red.",
    ],
    ids=["the beginning", "in other marks and case", "across lines"],
)
def test_a_sentence_with_six_words_of_the_orders_in_a_row_recites_them(sentence):
    assert Recital(ORDERS).is_in(sentence, ["The Moon pulls at the sea."])


@pytest.mark.parametrize("sentence", ["", "The number of the passage comes last.", "Use only the passages."])
def test_fewer_words_are_chance(sentence):
    assert not Recital(ORDERS).is_in(sentence, [])


def test_what_a_passage_says_too_is_the_books():
    sentence = "Pilots put the number of the passage in red."
    assert Recital(ORDERS).is_in(sentence, ["Pilots.", "The number of the passage is red."])
    assert not Recital(ORDERS).is_in(sentence, ["Pilots.", "Pilots put the number of the passage on a chart."])
