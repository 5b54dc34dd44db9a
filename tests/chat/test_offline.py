"""The offline model, run by the real SDK with the real tools."""

import re
from typing import Any

import pytest
from agents import Agent, RunConfig, Runner

from app.book.bm25 import TermEncoder
from app.book.embedding import Embedder
from app.chat.extraction import Extractor
from app.chat.material import message_of
from app.chat.models import make_agent
from app.chat.offline import OfflineModel
from app.chat.prompts import NO_ANSWER, load_prompt
from app.settings import Settings
from tests.fakes.sources import BookInMemory, HistoryInMemory, exchange, passage, turn_context
from tools.context import TurnContext
from tools.search_book import render, told

TIDE = passage("A tide is the regular rise and fall of the sea.", "Tides")
SPRING = passage("Spring tides come at full moon.", "Tides > Spring tides")
UNTRACED = RunConfig(tracing_disabled=True)


@pytest.fixture
def agent(terms: TermEncoder, embedder: Embedder) -> Agent[TurnContext]:
    settings = Settings(model_provider="offline")
    model = OfflineModel(Extractor(terms.stems, embedder.embed_texts))
    return make_agent(load_prompt("book_agent", "v1"), settings).clone(model=model)


def asked(*questions: str) -> list[Any]:
    """The last one is the question; those before it had answers."""
    earlier = [
        {"role": role, "content": text} for question in questions[:-1] for role, text in pair(question, "As I said.")
    ]
    return [*earlier, {"role": "user", "content": questions[-1]}]


def pair(question: str, answer: str) -> list[tuple[str, str]]:
    return [("user", question), ("assistant", answer)]


async def answered(agent: Agent[TurnContext], context: TurnContext, *questions: str) -> str:
    result = await Runner.run(agent, asked(*questions), context=context, run_config=UNTRACED)
    return result.final_output


async def test_it_searches_the_book_and_then_cites(agent):
    context = turn_context([SPRING, TIDE])
    assert await answered(agent, context, "What is a tide?") == "A tide is the regular rise and fall of the sea. [2]"
    assert context.book.searches == [("What is a tide?", None)]
    assert [call.name for call in context.calls.values()] == ["search_book"]


@pytest.mark.parametrize("found", [[TIDE], []], ids=["nothing that answers", "nothing at all"])
async def test_it_says_so_when_the_book_has_no_answer(agent, found):
    context = TurnContext(BookInMemory(found, evidence=0.05), HistoryInMemory())
    assert await answered(agent, context, "How do I bake bread?") == NO_ANSWER


class TestMaterial:
    """Passages that lie before the question."""

    async def ask(self, agent: Agent[TurnContext], material: Any, *questions: str) -> tuple[str, TurnContext]:
        context = turn_context([TIDE])
        *before, question = asked(*questions)
        result = await Runner.run(agent, [*before, material, question], context=context, run_config=UNTRACED)
        return result.final_output, context

    async def test_it_cites_them_without_a_search(self, agent):
        told_before = message_of(told([(1, TIDE), (2, SPRING)], 0.9))
        answer, context = await self.ask(agent, told_before, "When do spring tides come?")
        assert answer == "Spring tides come at full moon. [2]"
        assert (context.book.searches, context.calls) == ([], {})

    async def test_it_says_so_when_they_have_no_answer(self, agent):
        answer, context = await self.ask(agent, message_of(told([(1, TIDE)], 0.05)), "How do I bake bread?")
        assert (answer, context.book.searches) == (NO_ANSWER, [])

    async def test_they_are_not_the_question_before(self):
        class Extraction:
            async def answer(self, question: str, _rendered: str, *, earlier: str) -> str:
                return f"{question} after {earlier}"

        material = message_of(told([(1, SPRING)], 0.9))
        *before, question = asked("What is a tide?", "And why?")
        model: Any = OfflineModel(Extraction())
        response = await model.get_response(None, [*before, material, question])
        assert response.output[0].content[0].text == "And why? after What is a tide?"

    async def test_it_quotes_what_the_reader_selected(self, agent):
        selected = message_of(render([(1, TIDE), (2, SPRING)]), selection=SPRING.text)
        answer, _ = await self.ask(agent, selected, "Why?")
        assert answer == f"{SPRING.text} [2]"


async def test_it_answers_about_the_conversation_from_the_history(agent):
    context = turn_context([TIDE], exchanges=[exchange("What is a tide?", "A rise."), exchange("Why?", "The Moon.")])
    told = await answered(agent, context, "What did I ask before?")
    assert told == "In this conversation you asked:\n- What is a tide?\n- Why?"
    assert (context.history.lookups, context.book.searches) == ([(None, 20)], [])


async def test_it_says_so_when_nothing_was_asked_before(agent):
    assert "not asked anything" in await answered(agent, turn_context(), "What did I ask before?")


@pytest.mark.parametrize(
    ("question", "searched"),
    [
        pytest.param("And spring tides?", "What is a tide? And spring tides?", id="few words"),
        pytest.param(
            "How often does it come in a month?", "What is a tide? How often does it come in a month?", id="it"
        ),
        pytest.param("When do spring tides come?", "When do spring tides come?", id="stands alone"),
    ],
)
async def test_a_follow_up_is_searched_with_the_question_before_it(agent, question, searched):
    context = turn_context([TIDE, SPRING])
    await answered(agent, context, "Who measures?", "What is a tide?", question)
    assert context.book.searches == [(searched, None)]


async def test_a_first_question_of_few_words_is_searched_alone(agent):
    context = turn_context([TIDE])
    await answered(agent, context, "Tide?")
    assert context.book.searches == [("Tide?", None)]


async def test_the_question_may_come_as_text_or_in_parts(agent):
    parts: Any = [{"role": "user", "content": [{"type": "input_text", "text": "What is a tide?"}]}]
    for given in ("What is a tide?", parts):
        result = await Runner.run(agent, given, context=turn_context([TIDE]), run_config=UNTRACED)
        assert result.final_output.endswith("[1]")


async def test_the_streamed_answer_is_the_whole_one_word_by_word(agent):
    run = Runner.run_streamed(agent, asked("What is a tide?"), context=turn_context([TIDE]), run_config=UNTRACED)
    raw = [event.data async for event in run.stream_events() if event.type == "raw_response_event"]
    words = [each.delta for each in raw if each.type == "response.output_text.delta"]
    whole = await answered(agent, turn_context([TIDE]), "What is a tide?")
    assert "".join(words) == run.final_output == whole
    assert len(words) == len(whole.split())


async def test_a_tool_call_is_announced_in_the_stream(agent):
    run = Runner.run_streamed(agent, asked("What is a tide?"), context=turn_context([TIDE]), run_config=UNTRACED)
    raw = [event.data async for event in run.stream_events() if event.type == "raw_response_event"]
    added = [each.item for each in raw if each.type == "response.output_item.added"]
    assert [(item.type, getattr(item, "name", None)) for item in added] == [
        ("function_call", "search_book"),
        ("message", None),
    ]


async def test_the_same_question_gets_the_same_answer_and_usage(agent):
    runs = [
        await Runner.run(agent, asked("What is a tide?"), context=turn_context([TIDE, SPRING]), run_config=UNTRACED)
        for _ in range(2)
    ]
    first, second = [(run.final_output, run.context_wrapper.usage.requests) for run in runs]
    assert first == second == (runs[0].final_output, 2)


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_usage_is_estimated_for_both_calls(agent, streamed):
    context = turn_context([TIDE])
    if streamed:
        run: Any = Runner.run_streamed(agent, asked("What is a tide?"), context=context, run_config=UNTRACED)
        assert [event async for event in run.stream_events()]
    else:
        run = await Runner.run(agent, asked("What is a tide?"), context=context, run_config=UNTRACED)
    usage = run.context_wrapper.usage
    assert usage.requests == 2
    assert usage.input_tokens > len(agent.instructions) / 4 * 2
    assert 0 < usage.output_tokens == usage.total_tokens - usage.input_tokens


async def test_ids_of_calls_are_unique(agent):
    results = [
        await Runner.run(agent, asked("What is a tide?"), context=turn_context([TIDE]), run_config=UNTRACED)
        for _ in range(2)
    ]
    ids = re.findall(r"call_[0-9a-f]+", str([result.to_input_list() for result in results]))
    assert len(set(ids)) == 2
