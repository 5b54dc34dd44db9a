"""What a table says of which row and column."""

import pytest

from app.grounding.evidence import Evidence
from app.grounding.support import Judge

PLANS = """\
Every plan has its own limits.

| Plan | Requests per minute | Burst | Support |
| --- | --- | --- | --- |
| Free | 60 | 10 | none |
| Team | 600 | 100 | e-mail |
| Enterprise | 6000 | 1000 | telephone |

When the limit is exceeded the API answers with status 429.
"""
NOTICE = """\
| Who | Notice period |
| --- | --- |
| Landlord, in the first five years | three months |
| Landlord, after eight years | nine months |
| Tenant | three months |
"""
KITS = """\
| Metric | RTX 4080 Workstation | Jetson Orin Nano |
| --- | --- | --- |
| Power | 320W | 15W |
| Cost | $3,000 | $249 |
"""


@pytest.fixture
def plans(judge: Judge) -> Evidence:
    return judge.evidence(PLANS, ["Rate limits"])


@pytest.mark.parametrize(
    "sentence",
    [
        "The Free plan allows 60 requests per minute.",
        "The Team plan has a burst of 100.",
        "The Team plan allows 600 requests per minute, and the Enterprise plan 6000.",
        "Limits are 60, 600 and 6000 requests per minute.",
        "Team gives you 600 requests per minute with a burst of 100 and e-mail support.",
        "Only the Enterprise plan has telephone support.",
        "When the limit is exceeded, the API answers with status 429.",
        "Free; 60; 10; none",
        "There are three plans with their own limits.",
    ],
)
async def test_what_a_row_says_is_supported(judge, plans, sentence):
    verdict = await judge.judge(sentence, [plans])
    assert verdict.supported, verdict


@pytest.mark.parametrize(
    ("sentence", "problem"),
    [
        pytest.param("Free; 600; 100; e-mail", "the row does not say 600", id="whole row"),
        pytest.param(
            "The Team plan allows 6000 requests per minute.",
            "the row does not say 6000 requests per minute",
            id="its number",
        ),
        pytest.param(
            "The Team plan comes with telephone support.",
            "the table says this of Enterprise, not of Team",
            id="its word",
        ),
    ],
)
async def test_what_another_row_says_is_not(judge, plans, sentence, problem):
    verdict = await judge.judge(sentence, [plans])
    assert problem in verdict.problems
    assert not verdict.supported


async def test_a_claim_that_denies_may_speak_of_what_its_row_lacks(judge, plans):
    assert (await judge.judge("The Free plan has no telephone support.", [plans])).problems == ()


@pytest.mark.parametrize(
    ("sentence", "problem"),
    [
        ("The Free plan allows 10 requests per minute.", "10 requests per minute of Requests per minute"),
        ("The burst of the Enterprise plan is 6000.", "6000 of Burst"),
        ("Free; Requests per minute: 10; Burst: 60", "10 of Requests per minute"),
    ],
)
async def test_what_another_column_says_is_not(judge, plans, sentence, problem):
    assert f"the table does not say {problem}" in (await judge.judge(sentence, [plans])).problems


@pytest.mark.parametrize(
    ("sentence", "is_said"),
    [
        ("Landlord, after eight years; nine months", True),
        ("Landlord, after eight years; three months", False),
        ("In the first five years a landlord must give three months' notice.", True),
        ("Tenant; nine months", False),
    ],
)
async def test_a_row_is_told_from_those_that_begin_alike(judge, sentence, is_said):
    verdict = await judge.judge(sentence, [judge.evidence(NOTICE, ["Notice"])])
    assert verdict.supported == is_said, verdict


@pytest.mark.parametrize(
    ("sentence", "is_said"),
    [
        ("The RTX 4080 workstation draws 320 W, while the Jetson gets by with 15 W.", True),
        ("The RTX 4080 workstation draws 15 W, while the Jetson gets by with 320 W.", False),
        ("The cost of the Jetson Orin Nano is $3,000.", False),
    ],
)
async def test_of_columns_that_are_named_each_has_its_own_number(judge, sentence, is_said):
    verdict = await judge.judge(sentence, [judge.evidence(KITS, ["Workstation or Jetson"])])
    assert verdict.supported == is_said, verdict


@pytest.mark.parametrize(("row", "is_said"), [("`memo`; no", True), ("`amount`; yes", True)])
async def test_a_cell_may_say_no(judge, row, is_said):
    fields = judge.evidence(
        "| Field | Required | Meaning |\n|---|---|---|\n| `amount` | yes | in cents |\n| `memo` | no | some text |",
        ["Fields"],
    )
    assert (await judge.judge(row, [fields])).supported == is_said
