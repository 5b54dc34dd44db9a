"""What of the model's text leaves, with which citations, and when it is an answer at all."""

from collections.abc import Callable

import pytest

from app.chat.composition import MESSAGES, Composition
from app.chat.events import AnswerDelta, CitationFound, Event, ToolFinished, ToolStarted
from tests.fakes.sources import passage, turn_context
from tools.context import ToolCall, TurnContext

SPRING = passage("Spring tides come at full moon.", "Tides > Spring tides", url="/tides#spring")
SPRING_AGAIN = passage("They are larger.", "Tides > Spring tides", url="/tides#spring")
NEAP = passage("Neap tides come seven days later.", "Tides > Neap tides")
GAUGE = passage("A tide gauge records the height.", "Measuring", source="measuring.md")
NOTES = passage("Tide is related to Zeit.", "Notes", source="notes.md")
SHOWN = [SPRING, NEAP, SPRING_AGAIN, GAUGE, NOTES]


def after(*tools: str, shown: list = SHOWN) -> TurnContext:
    """The context of a turn in which these tools succeeded."""
    context = turn_context()
    for each in shown if "search_book" in tools else []:
        context.number(each)
    context.calls |= {tool: ToolCall(tool, 1, 0.1) for tool in tools}
    return context


def composed(*texts: str, tools: tuple[str, ...] = ("search_book",), recalls: bool = False) -> Composition:
    """All of an answer."""
    composition = Composition(after(*tools), about_conversation=recalls)
    for text in texts:
        composition.add(text)
    composition.finish()
    return composition


def deltas(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, AnswerDelta))


@pytest.fixture
def composition() -> Composition:
    return Composition(after("search_book"), about_conversation=False)


def test_text_is_held_until_it_cites(composition):
    assert composition.add("Spring tides come ") == []
    assert composition.text == ""
    assert deltas(composition.add("at full moon [1].")) == "Spring tides come at full moon [1]."


def test_text_flows_after_the_first_citation(composition):
    composition.add("Spring tides [1] ")
    assert deltas(composition.add("come twice")) == " come twice"


def test_a_citation_is_told_before_the_text_that_holds_it(composition):
    citation, delta = composition.add("Spring tides [1].")[:2]
    assert isinstance(citation, CitationFound)
    assert delta == AnswerDelta("Spring tides [1]")


def test_a_citation_is_told_once(composition):
    events = composition.add("One [1]. Two [2]. One again [1].")
    assert [event.n for event in events if isinstance(event, CitationFound)] == [1, 2]
    assert [citation.n for citation in composition.citations] == [1, 2]


def test_a_citation_is_the_passage_that_was_shown_under_its_number(composition):
    composition.add("Spring tides [1].")
    (citation,) = composition.citations
    told = (citation.chunk_id, citation.source, citation.heading_path, citation.url, citation.quote)
    assert told == (SPRING.chunk_id, "tides.md", ["Tides", "Spring tides"], "/tides#spring", SPRING.text)
    assert (citation.start, citation.end, citation.verified) == (0, len(SPRING.text), True)


@pytest.mark.parametrize("n", [0, 6, 99])
def test_a_number_that_was_never_shown_is_no_citation(composition, n):
    composition.add(f"Spring tides [{n}], and neap tides [2].")
    assert composition.text == "Spring tides, and neap tides [2]."
    assert [citation.n for citation in composition.citations] == [2]
    assert composition.grounding().dropped_citations == 1


def test_a_passage_of_a_later_search_can_be_cited(composition):
    late = passage("The range is 11.7 m.", "Fundy")
    composition._context.number(late)
    composition.add("11.7 m [6].")
    assert composition.citations[0].quote == late.text


def test_the_events_hold_the_whole_text(composition):
    told = [event for text in ["  Tides ", "rise [", "1] and", " fall."] for event in composition.add(text)]
    assert deltas(told + composition.finish()) == composition.text == "Tides rise [1] and fall."


def test_thinking_aloud_before_a_tool_call_is_dropped(composition):
    composition.add("Let me look. `")
    event = ToolStarted("search_book", "call-1")
    assert composition.note(event) is event
    composition.add("Tides rise [1].")
    assert composition.text == "Tides rise [1]."


def test_the_end_of_a_tool_call_drops_nothing(composition):
    composition.add("Tides rise ")
    composition.note(ToolFinished("search_book", "call-1", 1, 2))
    composition.add("[1]")
    assert composition.text == "Tides rise [1]"


def test_what_was_told_before_a_tool_call_stays(composition):
    composition.add("Tides rise [1].")
    composition.note(ToolStarted("search_book", "call-1"))
    composition.add("And fall [2].")
    assert composition.text == "Tides rise [1].\n\nAnd fall [2]."


def test_a_tool_call_at_the_end_leaves_no_blank_lines(composition):
    composition.add("Tides rise [1].")
    composition.note(ToolStarted("search_book", "call-1"))
    composition.finish()
    assert composition.text == "Tides rise [1]."


def test_an_answer_with_a_citation_is_no_refusal():
    composition = composed("Tides rise [1].")
    assert composition.refusal() is None
    assert composition.grounding().basis == "book"


@pytest.mark.parametrize(
    ("compose", "reason"),
    [
        pytest.param(lambda: composed("NO_ANSWER"), "no_match", id="the model says so"),
        pytest.param(lambda: composed("\nNO_AN", "SWER.\n"), "no_match", id="in pieces"),
        pytest.param(lambda: composed("NO_ANSWER [1]"), "no_match", id="and cites"),
        pytest.param(
            lambda: composed("NO_ANSWER", tools=("lookup_history",), recalls=True), "no_match", id="not in the history"
        ),
        pytest.param(lambda: composed("Tides rise."), "unsupported", id="no citation"),
        pytest.param(lambda: composed("Tides rise [9]."), "unsupported", id="unknown citation"),
        pytest.param(lambda: composed("Tides rise [1].", tools=()), "unsupported", id="no search"),
        pytest.param(lambda: composed(""), "empty_answer", id="no text"),
        pytest.param(lambda: composed(" \n"), "empty_answer", id="blanks"),
        pytest.param(lambda: composed("[9]"), "empty_answer", id="only an unknown citation"),
        pytest.param(lambda: composed("", tools=()), "empty_answer", id="no text, no search"),
    ],
)
def test_a_refusal_has_a_reason(compose: Callable[[], Composition], reason):
    composition = compose()
    refusal = composition.refusal()
    assert refusal is not None
    assert (refusal.reason, refusal.message) == (reason, MESSAGES[reason])
    assert (composition.text, composition.citations, composition.sources()) == ("", [], [])
    assert composition.grounding().basis == "none"


@pytest.mark.parametrize(
    ("evidence", "told"), [((), None), ((None,), None), ((0.0,), 0.0), ((0.3, None, 0.8, 0.1), 0.8)], ids=str
)
def test_the_grounding_has_the_best_evidence_of_all_searches(evidence, told):
    context = after("search_book")
    context.calls = {str(n): ToolCall("search_book", 1, 0.1, each) for n, each in enumerate(evidence)}
    assert Composition(context, about_conversation=False).grounding().evidence == told


def test_a_search_that_finds_nothing_is_no_match():
    composition = Composition(after("search_book", shown=[]), about_conversation=False)
    composition.add("Tides rise [1].")
    composition.finish()
    assert composition.refusal().reason == "no_match"


def test_thinking_aloud_alone_is_an_empty_answer(composition):
    composition.add("Let me look.")
    composition.note(ToolStarted("search_book", "call-1"))
    composition.finish()
    assert composition.refusal().reason == "empty_answer"


def test_an_answer_from_the_history_needs_no_citation():
    composition = composed("You asked about tides.", tools=("lookup_history",), recalls=True)
    assert composition.text == "You asked about tides."
    assert composition.refusal() is None
    assert composition.grounding().basis == "conversation"


def test_an_answer_from_the_history_leaves_at_the_end():
    composition = Composition(after("lookup_history"), about_conversation=True)
    assert composition.add("You asked about tides.") == []
    assert composition.finish() == [AnswerDelta("You asked about tides.")]


@pytest.mark.parametrize(
    ("tools", "recalls"),
    [
        pytest.param(("lookup_history",), False, id="the question is about the book"),
        pytest.param((), True, id="the history was not looked up"),
        pytest.param(("search_book",), True, id="only the book was searched"),
    ],
)
def test_other_answers_without_a_citation_are_refused(tools, recalls):
    composition = composed("Tides rise.", tools=tools, recalls=recalls)
    assert composition.refusal().reason == "unsupported"


def test_the_sources_are_the_sections_cited_each_once():
    composition = composed("Larger [3]. Later [2]. At full moon [1]. A gauge [4].")
    assert [(section.source, section.heading_path, section.url) for section in composition.sources()] == [
        ("tides.md", ["Tides", "Spring tides"], "/tides#spring"),
        ("tides.md", ["Tides", "Neap tides"], ""),
        ("measuring.md", ["Measuring"], ""),
    ]


def test_a_refusal_names_at_most_three_sections_nearest_first():
    nearest = composed("NO_ANSWER").refusal().nearest
    assert [section.heading_path[-1] for section in nearest] == ["Spring tides", "Neap tides", "Measuring"]


def test_a_refusal_without_passages_names_none():
    assert composed("", tools=()).refusal().nearest == []
