"""Characters without a form never leave, whatever the cuts of the text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.grounding.visible import Visible


def seen(*pieces: str) -> str:
    visible = Visible()
    return "".join(map(visible.feed, pieces))


@pytest.mark.parametrize(
    "hidden",
    ["\0", "\x1b", "\u200b", "\u2060", "\ufeff", "\u00ad", "\u202e", "\u2069", "\U000e0041", "\U000e0101", "\u200d"],
    ids=ascii,
)
def test_what_has_no_form_goes(hidden):
    assert seen(f"A to{hidden}ken.{hidden}") == "A token."


@pytest.mark.parametrize("text", ["a\tb\r\n", "👩\u200d👧 ❤\ufe0f", "क्\u200dष", "e\u0301", "机器人"], ids=ascii)
def test_what_is_seen_stays(text):
    assert seen(text) == text


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(st.sampled_from("a é👩\u200d\u200c\u200b\0\n"))))
def test_no_cut_changes_the_result(pieces):
    assert seen(*pieces) == seen("".join(pieces)) == seen(seen("".join(pieces)))
