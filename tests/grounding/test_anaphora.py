"""Which sentences need the one before them to say of whom they speak."""

import pytest

from app.grounding.anaphora import leans


@pytest.mark.parametrize(
    "sentence",
    [
        "He must return it within 14 days.",
        "They are valid for 60 minutes.",
        "*It* holds 5 litres.",
        "It's made of steel.",
        "However, it falls.",
        "Its float follows the level.",
        "Their range is small.",
        "This is why tides fall.",
        "That means more work.",
        "These always include a float.",
        "Those are opaque strings.",
        "Both are opaque strings.",
        "The former is larger.",
        "The latter case is rare.",
        "All of them expire.",
        "It is used to measure tides.",
        "While the flat is damaged, he may reduce the rent.",
        "When heated, it expands.",
        "If it is damaged, a fee is due.",
        "It has two parts:",
    ],
)
def test_a_sentence_leans_whose_subject_is_a_bare_pronoun(sentence):
    assert leans(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "Tides fall.",
        "It is important that the vent is open.",
        "It is the Moon that raises tides.",
        "It takes six hours to fall.",
        "This book is about tides.",
        "This chapter describes gauges.",
        "These three sensors are shown.",
        "This process is slow.",
        "That tide is high.",
        "Both sensors are cheap.",
        "The former tenant pays.",
        "Such tides are rare.",
        "Each of the sensors is cheap.",
        "When the tide rises, it covers the mud.",
        "If the tenant is late, he pays a fee.",
        "The tenant pays before he leaves.",
        "Put it in the well.",
        "These are the steps:",
        "**This is how it works:**",
        "Item 4 is large.",
    ],
)
def test_one_that_names_it_does_not(sentence):
    assert not leans(sentence)
