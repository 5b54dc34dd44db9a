"""When a turn is refused, and why."""

import pytest

from app.chat.refusals import (
    FAR,
    HOPELESS,
    MESSAGES,
    MOST_NEAREST,
    UNLIKELY,
    WEAK,
    Ending,
    refusal_after,
    refusal_before,
    refuse,
    sections_of,
)
from tests.fakes.sources import passage, turn_context
from tools.context import ToolCall, TurnContext

SPRING = passage("Spring tides come.", "Tides > Spring", url="/tides#spring")
AGAIN = passage("They are larger.", "Tides > Spring", url="/tides#spring")
OTHERS = [passage("A gauge records.", section, source="gauges.md") for section in ("Gauges", "Wells", "Floats")]


def searched(evidence: float, cosine: float, *shown: object) -> TurnContext:
    context = turn_context()
    context.calls["call-1"] = ToolCall("search_book", len(shown), 0.1, "tides", evidence, cosine)
    for each in shown:
        context.number(each)
    return context


@pytest.mark.parametrize(
    ("evidence", "cosine", "reason"),
    [
        pytest.param(0.9, 0.1, None, id="evidence alone is enough"),
        pytest.param(UNLIKELY, 0.1, None, id="just enough"),
        pytest.param(UNLIKELY - 0.01, FAR - 0.01, "off_topic", id="nothing is near"),
        pytest.param(UNLIKELY - 0.01, FAR, None, id="something is near"),
        pytest.param(HOPELESS, FAR, None, id="just not hopeless"),
        pytest.param(HOPELESS - 0.01, FAR, "below_threshold", id="near, but hopeless"),
    ],
)
def test_the_first_search_decides_whether_a_model_is_asked(evidence, cosine, reason):
    refusal = refusal_before(searched(evidence, cosine, SPRING))
    assert (refusal.reason if refusal else None) == reason


def test_a_first_search_that_finds_nothing_is_no_match():
    assert refusal_before(searched(0.0, 0.0)).reason == "no_match"


SILENT, SAID, NO_ANSWER = (
    Ending(False, False, False, False),
    Ending(False, False, True, False),
    Ending(False, False, True, True),
)


@pytest.mark.parametrize(
    ("ending", "context", "reason"),
    [
        pytest.param(Ending(True, False, True, False), searched(0.0, 0.0), None, id="told"),
        pytest.param(Ending(True, False, True, True), searched(0.9, 0.9, SPRING), None, id="told, and partly silent"),
        pytest.param(Ending(True, True, True, False), searched(0.9, 0.9, SPRING), "unsupported", id="lost too much"),
        pytest.param(SAID, searched(0.9, 0.9, SPRING), "unsupported", id="nothing of it is supported"),
        pytest.param(SAID, turn_context(), "search_failed", id="not searched"),
        pytest.param(NO_ANSWER, turn_context(), "search_failed", id="silent, and not searched"),
        pytest.param(SILENT, searched(0.9, 0.9, SPRING), "empty_answer", id="no text"),
        pytest.param(SILENT, turn_context(), "empty_answer", id="no text, no search"),
        pytest.param(NO_ANSWER, searched(0.9, 0.9, SPRING), "no_match", id="silent, though the book seems to fit"),
        pytest.param(NO_ANSWER, searched(WEAK, 0.1, SPRING), "no_match", id="silent, at the limit"),
        pytest.param(NO_ANSWER, searched(WEAK - 0.01, FAR, SPRING), "below_threshold", id="silent, weak evidence"),
        pytest.param(NO_ANSWER, searched(WEAK - 0.01, FAR - 0.01, SPRING), "off_topic", id="silent, nothing is near"),
        pytest.param(SAID, searched(0.0, 0.0), "no_match", id="the search found nothing"),
    ],
)
def test_how_the_text_came_out_decides_after_it(ending, context, reason):
    refusal = refusal_after(ending, context)
    assert (refusal.reason if refusal else None) == reason


def test_a_history_without_the_answer_is_no_match():
    context = turn_context()
    context.calls["call-1"] = ToolCall("lookup_history", 1, 0.1)
    assert refusal_after(NO_ANSWER, context).reason == "no_match"


@pytest.mark.parametrize("reason", MESSAGES)
def test_each_reason_has_a_message_and_the_nearest_sections(reason):
    refusal = refuse(reason, searched(0.1, 0.1, SPRING, AGAIN, *OTHERS))
    assert (refusal.reason, refusal.message) == (reason, MESSAGES[reason])
    assert [section.heading_path[-1] for section in refusal.nearest] == ["Spring", "Gauges", "Wells"]
    assert len(refusal.nearest) == MOST_NEAREST


def test_a_section_is_there_once_with_its_address():
    assert [(one.source, one.heading_path, one.url) for one in sections_of([SPRING, AGAIN])] == [
        ("tides.md", ["Tides", "Spring"], "/tides#spring")
    ]
