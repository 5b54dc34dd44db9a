"""When the book is searched, by whom, and how often a model is asked: with the offline model over the small book."""

import pytest

from tests.conftest import SMALL_BOOK
from tests.fakes.provider import Reply
from tests.http.scripted import assert_sound

QUESTION = "What is a stilling well?"
WELL = "A stilling well is a vertical pipe with a small opening that filters out waves."


def searches(answer: dict) -> list[tuple[str, str]]:
    return [(search["by"], search["query"]) for search in answer["grounding"]["searches"]]


@pytest.mark.parametrize(("mode", "calls", "by"), [("first", 1, "code"), ("agentic", 2, "model")])
async def test_a_search_before_the_model_is_asked_saves_a_call(start, make_settings, ask, mode, calls, by):
    answer = await ask(await start(make_settings(retrieval=mode)), QUESTION)
    assert answer["answer"].startswith("A stilling well is a vertical pipe")
    assert answer["usage"]["model_calls"] == calls
    assert searches(answer) == [(by, QUESTION)]
    assert answer["grounding"]["searches"][0]["evidence"] > 0.5


async def test_no_model_is_asked_what_is_off_topic(client, ask):
    answer = await ask(client, "Who won the football world cup?")
    assert answer["refusal"]["reason"] == "off_topic"
    assert answer["usage"] == {"input_tokens": 0, "output_tokens": 0, "model_calls": 0}
    assert len(answer["grounding"]["searches"]) == 1


@pytest.mark.parametrize("courtesy", ["Hello!", "Thank you very much", "Goodbye", "Who are you?"])
async def test_no_model_is_asked_and_no_search_made_for_a_courtesy(client, stream, courtesy):
    *_, answer = events = await stream(client, courtesy)
    assert [event["type"] for event in events] == ["turn.started", "answer.delta", "answer.completed"]
    assert answer["answer"]
    assert answer["citations"] == answer["grounding"]["searches"] == []
    assert answer["usage"]["model_calls"] == 0


async def test_a_courtesy_about_a_selection_is_a_question(client, ask):
    answer = await ask(client, "Help", selected_text="Its float follows the mean level.")
    assert answer["usage"]["model_calls"] == 1


async def test_a_follow_up_is_searched_alone_and_with_the_question_before_it(client, ask, stream):
    first = await ask(client, QUESTION)
    *events, answer = await stream(client, "And its float?", conversation_id=first["conversation_id"])
    assert searches(answer) == [("code", f"{QUESTION} And its float?"), ("code", "And its float?")]
    assert "follows the mean level" in answer["answer"]
    started = [event["call_id"] for event in events if event["type"] == "tool.started"]
    finished = [event["call_id"] for event in events if event["type"] == "tool.finished"]
    assert started == finished
    assert len(set(started)) == 2


async def test_a_question_that_stands_alone_is_searched_alone(client, ask):
    first = await ask(client, QUESTION)
    question = "When do neap tides come after spring tides?"
    answer = await ask(client, question, conversation_id=first["conversation_id"])
    assert searches(answer) == [("code", question)]


class TestSelection:
    @pytest.mark.parametrize(
        ("selected", "page"),
        [
            (WELL, None),
            (WELL, "/guide/measuring"),
            ("a vertical   pipe with a\nsmall opening", "/guide/measuring#stilling-wells"),
            (WELL, "/intro"),
        ],
        ids=["anywhere", "on its page", "in other lines", "on another page"],
    )
    async def test_is_answered_from_what_is_selected_and_around_it(self, client, ask, selected, page):
        answer = await ask(client, "What does it filter out?", selected_text=selected, page=page)
        source = (SMALL_BOOK / "guide" / "measuring.md").read_bytes().decode()
        section = source.index("## Stilling wells"), source.index("## Reading a gauge")
        assert "filters out waves" in answer["answer"]
        assert [search["query"] for search in answer["grounding"]["searches"]] == [selected]
        assert answer["citations"]
        for citation in answer["citations"]:
            assert citation["source"] == "guide/measuring.md"
            assert section[0] <= citation["start"] < citation["end"] <= section[1]
            assert source[citation["start"] : citation["end"]] == citation["quote"]

    def test_is_shown_to_the_model_with_the_passages_around_it(self, scripted):
        served = scripted()
        outcome = served.ask("What is this?", "NO_ANSWER", selected_text="Its float follows the MEAN level.")
        shown = served.provider.requests[0].body["messages"][-2]["content"]
        assert "<selection>\nIts float follows the mean level.\n</selection>" in shown
        assert outcome.passages["1"].startswith("A stilling well is")

    @pytest.mark.parametrize("mode", ["first", "agentic"])
    async def test_that_is_not_in_the_book_is_a_refusal_with_what_is_near(self, start, make_settings, ask, mode):
        client = await start(make_settings(retrieval=mode))
        selected = "Stilling wells are dug by hand in the gravel of mountain rivers."
        answer = await ask(client, "What is this?", selected_text=selected)
        assert answer["refusal"]["reason"] == "selection_not_found"
        assert answer["refusal"]["nearest"]
        assert answer["usage"]["model_calls"] == 0


class TestNarrowing:
    async def test_a_source_or_a_section_holds_for_every_search(self, client, ask):
        inside = await ask(client, "What is the word tide related to?", filters={"source": "guide/notes.mdx"})
        assert {section["source"] for section in inside["sources"]} == {"guide/notes.mdx"}
        outside = await ask(client, QUESTION, filters={"section": "Neap tides"})
        assert "pipe" not in outside["answer"]
        assert {tuple(one["heading_path"]) for one in outside["sources"] or outside["refusal"]["nearest"]} == {
            ("A Small Book of Tides", "Neap tides")
        }

    async def test_what_is_not_there_is_not_found(self, client, ask):
        answer = await ask(client, QUESTION, filters={"source": "nowhere.md"})
        assert answer["refusal"]["reason"] == "no_match"
        assert answer["usage"]["model_calls"] == 0

    def test_a_page_is_preferred_and_leaves_out_nothing(self, scripted):
        served = scripted()
        question = "tide"
        anywhere = served.ask(question, "NO_ANSWER").passages
        preferred = served.ask(question, "NO_ANSWER", page="/guide/notes").passages
        assert "German word" in preferred["1"]
        assert "German word" not in anywhere["1"]
        assert len(preferred) == len(anywhere)


class TestConversation:
    async def test_is_answered_from_its_history_without_citations(self, client, ask):
        first = await ask(client, QUESTION)
        answer = await ask(client, "What did I ask before?", conversation_id=first["conversation_id"])
        assert answer["status"] == "answered"
        assert QUESTION in answer["answer"]
        assert answer["citations"] == answer["grounding"]["searches"] == []
        assert answer["grounding"]["basis"] == "conversation"

    def test_what_was_not_said_in_it_is_not_told(self, scripted):
        served = scripted()
        first = served.ask(QUESTION, f"{WELL}")
        look_up = Reply.tool_calls([("lookup_history", {})])
        outcome = served.ask(
            "What did I ask before?",
            look_up,
            "You asked who Admiral Quandt of Lisbon was.",
            conversation_id=first.answer["conversation_id"],
        )
        assert_sound(outcome)
        assert outcome.answer["status"] == "refused"
        assert b"Quandt" not in outcome.raw
