"""Durations and counts without a number."""

import pytest

from app.grounding.evidence import Evidence
from app.grounding.facts import problems
from app.grounding.words import WordReader

READER = WordReader(lambda text: [text] if len(text) > 3 else [])


def wrong(sentence: str, passage: str) -> list[str]:
    return list(problems(sentence, [Evidence.of(passage, [], READER)]))


@pytest.mark.parametrize(
    ("sentence", "passage"),
    [
        ("It is valid for a day.", "It is valid for 24 hours."),
        ("It is valid for a day.", "It is valid for one day, renewed in three weeks."),
        ("It is valid for a day.", "It is valid a whole day, renewed in three weeks."),
        ("It is valid for 24 hours.", "It is valid for a day."),
        ("It is valid for a quarter.", "It is valid for three months."),
        ("It is valid for a fortnight.", "It is valid for two weeks."),
        ("It is valid for a dozen days.", "It is valid for 12 days."),
        ("It is valid for a day.", "It is valid."),
        ("It runs twice in a day.", "It takes 5 minutes and runs twice."),
        ("It was stopped after a second look.", "It was looked at again for 5 minutes."),
        ("It is told in a minute detail.", "It is told in 5 minutes."),
        ("It shows a day in the life of a robot, in a day in the life.", "The robot lives 5 years."),
        ("It fills more than a quarter of the page.", "It fills 30 pages in 5 hours."),
    ],
)
def test_durations_that_the_passage_has_are_right(sentence, passage):
    assert wrong(sentence, passage) == []


@pytest.mark.parametrize("said", ["a second", "a minute", "an hour", "a week", "a fortnight", "a month", "a year"])
@pytest.mark.parametrize("before", ["is valid for", "ends within", "ends after", "lasts", "takes", "is less than"])
def test_durations_that_it_gives_otherwise_are_named(before, said):
    assert wrong(f"It {before} {said}.", "It is valid for 24 days.") == [f"the duration {said} is not in the passage"]


def test_a_quarter_may_be_of_a_year():
    assert wrong("It is valid for a quarter.", "It is valid for 24 days.")


def test_a_dozen_days_are_twelve():
    assert wrong("It is valid for a dozen days.", "It is valid for 24 days.")


@pytest.mark.parametrize(
    ("sentence", "passage"),
    [
        ("It is washed twice a week.", "It is washed two times per week."),
        ("It is washed twice a week.", "It is washed twice weekly."),
        ("It is washed once a day.", "It is washed daily, at 10 Hz."),
        ("It is washed once a day.", "It is washed every day, twice a week it is dried."),
        ("It is washed once a day.", "It is washed in the morning."),
        ("It is used only once.", "It is used a single time; they wash it twice."),
        ("Once the pan is washed, it is dried.", "The pan is dried after it was washed twice."),
        ("It stops at once.", "It stops immediately, twice."),
        ("It is twice as fast.", "It was once, like that, slow."),
        ("It is used twice.", "It is used on both days, and once."),
    ],
)
def test_counts_that_the_passage_has_are_right(sentence, passage):
    assert wrong(sentence, passage) == []


@pytest.mark.parametrize(
    ("sentence", "passage"),
    [
        ("It is used only twice.", "It is used only once."),
        ("It is used only once.", "It is used only twice."),
        ("It is washed twice a month.", "It is washed twice a week."),
        ("It is washed once a month.", "It is washed once a week."),
        ("It is washed once a week.", "It is washed twice a week."),
        ("It is washed thrice every week.", "It is washed twice every week."),
        ("It is washed twice a day.", "It is washed 3 times a day."),
    ],
)
def test_counts_that_it_gives_otherwise_are_named(sentence, passage):
    assert [one for one in wrong(sentence, passage) if "does not say" in one]
