"""Sentences that claim something of the book, and those that only connect or say that it is silent."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.grounding.claims import is_absence, is_bare_answer, is_claim, without_answer, without_lead

EMPTY = """
Hello!
Great question!
In summary:
**Steps:**
Sure, here is what the book says:
Here is a short summary:
Let me explain.
The book puts it like this:
For example:
I hope this helps!
Let me know if you have any more questions.
Do you want an example?
You're welcome!
"""
ABSENT = """
The book does not say.
The passages do not say more.
The book does not say who wrote ROS 2.
Unfortunately, the passages don't mention the price.
This is not covered in the book.
How fast topics are is not described in the book.
I could not find that in the passages.
There is nothing about cooking in the book.
"""
CLAIMED = """
Yes.
Topics are anonymous.
According to the book, a topic is a stream.
The book says that topics are anonymous.
In short, a node is a process.
First, source the workspace.
Here is why: topics are anonymous.
Do you want Juno to weigh 90 kg?
The robot is not covered.
That is not covered by insurance.
Water is not found in the tank.
The controller does not contain a filter.
The book does not mention Rust, but Python is faster.
The passage doesn't explain why, because Juno has 30 joints.
The book does not say so; Juno weighs 90 kg.
"""


def lines(text: str) -> list[str]:
    return text.strip().splitlines()


@pytest.mark.parametrize("sentence", ["", "...", *lines(EMPTY)])
def test_what_only_connects_or_greets_claims_nothing(sentence):
    assert not is_claim(sentence)
    assert not is_absence(sentence)


@pytest.mark.parametrize("sentence", lines(ABSENT))
def test_that_the_book_is_silent_is_an_absence_and_no_claim(sentence):
    assert is_absence(sentence)
    assert not is_claim(sentence)


@pytest.mark.parametrize("sentence", lines(CLAIMED))
def test_what_says_something_is_a_claim(sentence):
    assert is_claim(sentence)
    assert not is_absence(sentence)


@pytest.mark.parametrize(
    "lead",
    [
        "According to the book, ",
        "The book states that ",
        "The passages also say that ",
        "As the book explains, ",
        "As stated in the text, ",
        "Passage 1 states that ",
        "According to passage 12, ",
        "As described in section Tides, ",
        'According to the chapter on "Tides", ',
    ],
)
def test_a_lead_is_no_part_of_what_is_said(lead):
    assert without_lead(f"{lead}a gauge floats.", "Tides".__eq__) == "A gauge floats."


@pytest.mark.parametrize(
    "text",
    [
        "The book does not say that a gauge floats.",
        "The book never states that a gauge floats.",
        "Contrary to the book, a gauge floats.",
        "According to some, a gauge floats.",
        "As stated in section Wells, a gauge floats.",
        "The book states why a gauge floats.",
        "According to the book, ",
        "The passage of time explains that.",
    ],
)
def test_what_denies_or_says_more_is_no_lead(text):
    assert without_lead(text, "Tides".__eq__) == text


@pytest.mark.parametrize("answer", ["Yes, ", "No, ", "No – ", "No: ", "**Yes.** ", "No - "])
def test_an_answer_before_a_sentence_is_no_part_of_what_is_said(answer):
    assert without_answer(f"{answer}a gauge floats.") == "A gauge floats."


@pytest.mark.parametrize("text", ["No gauge floats.", "No-one has one.", "Note: it floats.", "Yes."])
def test_other_beginnings_are(text):
    assert without_answer(text) == text


@pytest.mark.parametrize("text", ["Yes.", "No!", "**No**.", "It depends.", "Yes and no.", "Not necessarily."])
def test_an_answer_alone_is_bare(text):
    assert is_bare_answer(text)


@pytest.mark.parametrize("text", ["", "Yes, it floats.", "It depends on the Moon.", "1989", "No gauge."])
def test_what_says_more_is_not(text):
    assert not is_bare_answer(text)


def test_a_long_text_is_a_claim():
    assert is_claim("The book does not say " + "and more " * 40)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=400))
def test_no_text_is_both(text):
    assert not (is_claim(text) and is_absence(text))
