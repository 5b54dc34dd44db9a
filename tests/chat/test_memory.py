"""What the model is told of earlier exchanges: whole pairs, the latest that fit."""

import pytest

from app.chat.memory import CHARACTERS_PER_TOKEN, input_of
from tests.fakes.sources import exchange

TIDES = exchange("What is a tide?", "The rise of the sea [1].")
NEAP = exchange("And neap tides?", "They are smaller [12].", minute=1)
ENOUGH = 1000


def test_an_exchange_becomes_a_pair_of_messages_oldest_first():
    assert input_of([TIDES, NEAP], ENOUGH) == [
        {"role": "user", "content": "What is a tide?"},
        {"role": "assistant", "content": "The rise of the sea."},
        {"role": "user", "content": "And neap tides?"},
        {"role": "assistant", "content": "They are smaller."},
    ]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("One [1]. Two [2][3].", "One. Two."),
        ("Read `ranges[x]`.", "Read `ranges[x]`."),
    ],
    ids=["markers", "no markers"],
)
def test_the_numbers_of_an_earlier_turn_are_left_out(answer, told):
    assert input_of([exchange("?", answer)], ENOUGH)[1]["content"] == told


def test_the_latest_exchanges_are_kept_when_not_all_fit():
    tokens = len("And neap tides?They are smaller.") / CHARACTERS_PER_TOKEN
    assert input_of([TIDES, NEAP], tokens) == input_of([NEAP], ENOUGH)
    assert input_of([TIDES, NEAP], tokens - 1) == []


def test_an_exchange_that_does_not_fit_leaves_no_gap():
    long = exchange("Long?", "word " * 100, minute=1)
    last = exchange("Last?", "Yes.", minute=2)
    assert [message["content"] for message in input_of([TIDES, long, last], 20)] == ["Last?", "Yes."]


def test_there_may_be_nothing_to_tell():
    assert input_of([], ENOUGH) == []
    assert input_of([TIDES], 0) == []
