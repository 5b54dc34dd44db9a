"""ScriptedProvider, asked by the real openai client and by the agents SDK."""

import asyncio
import contextlib
import time
from functools import partial
from typing import Any

import openai
import pytest
from agents import Agent, ModelSettings, OpenAIChatCompletionsModel, Runner, function_tool, set_tracing_disabled
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionChunk

from tests.fakes.loopback import serve
from tests.fakes.provider import Reply, ScriptedProvider, answer_from_passages, first_sentence

MODEL = "gemini-test"
HO = '<passage id="1" section="A">\nHo. Hum.\n</passage>'
QUESTION = [{"role": "user", "content": "What is an action?"}]
CALL = ("search_book", {"query": "actions", "limit": 2})
PASSAGES = """<passage id="1" section="Actions &gt; Goals">
An action has a goal,
a result and feedback. It is preemptable.
</passage>
<passage id="2" section="Other">
No.
</passage>"""

set_tracing_disabled(disabled=True)


@pytest.fixture
async def connect():
    """Serves a provider until the test ends, and gives the client for it."""
    async with contextlib.AsyncExitStack() as stack:

        async def client(provider: ScriptedProvider, api_key: str = "right", **options: Any) -> AsyncOpenAI:
            url = await stack.enter_async_context(serve(provider.app)) + provider.prefix
            made = AsyncOpenAI(base_url=url, api_key=api_key, max_retries=0, **options)
            return await stack.enter_async_context(made)

        yield client


async def chunks_of(client: AsyncOpenAI) -> list[ChatCompletionChunk]:
    options: Any = {"include_usage": True}
    stream = await client.chat.completions.create(model=MODEL, messages=QUESTION, stream=True, stream_options=options)
    return [chunk async for chunk in stream]


async def test_streams_words_a_finish_reason_and_usage(connect):
    provider = ScriptedProvider([Reply.text("Two words [1].")])
    *told, finish, usage = await chunks_of(await connect(provider))
    assert [chunk.choices[0].delta.content for chunk in told] == ["", "Two", " words", " [1]."]
    assert (told[0].choices[0].delta.role, finish.choices[0].finish_reason) == ("assistant", "stop")
    assert (usage.choices, usage.usage.completion_tokens) == ([], 3)
    assert provider.requests[0].body["messages"] == QUESTION
    assert provider.requests[0].headers["authorization"] == "Bearer right"


async def test_streams_calls_in_fragments_as_openai_does(connect):
    *told, finish, _ = await chunks_of(await connect(ScriptedProvider([Reply.tool_calls([CALL, CALL])])))
    deltas = [delta for chunk in told for delta in chunk.choices[0].delta.tool_calls or []]
    assert [delta.function.name for delta in deltas if delta.id] == ["search_book", "search_book"]
    assert len(deltas) > 10
    for index in (0, 1):
        arguments = "".join(delta.function.arguments for delta in deltas if delta.index == index)
        assert arguments == '{"query": "actions", "limit": 2}'
    assert finish.choices[0].finish_reason == "tool_calls"


async def test_streams_whole_calls_as_gemini_does(connect):
    provider = ScriptedProvider([Reply.tool_calls([CALL, CALL])], flavour="gemini")
    *told, _ = await chunks_of(await connect(provider))
    deltas = [delta for chunk in told for delta in chunk.choices[0].delta.tool_calls]
    assert [(delta.index, delta.function.arguments) for delta in deltas] == [
        (0, '{"query": "actions", "limit": 2}')
    ] * 2
    assert [hasattr(delta, "extra_content") for delta in deltas] == [True, False]
    assert deltas[0].extra_content["google"]["thought_signature"]
    assert told[-1].choices[0].finish_reason == "stop"


async def test_answers_without_a_stream(connect):
    client = await connect(ScriptedProvider([Reply.tool_calls([CALL]), Reply.text("Yes.", finish_reason="length")]))
    asks, answers = [await client.chat.completions.create(model=MODEL, messages=QUESTION) for _ in range(2)]
    assert asks.choices[0].message.tool_calls[0].function.name == "search_book"
    assert (answers.choices[0].message.content, answers.choices[0].finish_reason) == ("Yes.", "length")
    assert answers.usage.total_tokens == answers.usage.prompt_tokens + 1


@pytest.mark.parametrize(
    ("flavour", "error", "words"),
    [("openai", openai.AuthenticationError, "invalid_api_key"), ("gemini", openai.BadRequestError, "API_KEY_INVALID")],
)
async def test_refuses_a_wrong_key_in_the_providers_words(connect, flavour, error, words):
    client = await connect(ScriptedProvider([], api_key="right", flavour=flavour), api_key="wrong")
    with pytest.raises(error) as refusal:
        await client.models.list()
    assert words in str(refusal.value.body)


async def test_knows_its_models(connect):
    client = await connect(ScriptedProvider(lambda _: Reply.text("Yes."), models=[MODEL]))
    assert [model.id async for model in client.models.list()] == [MODEL]
    assert (await client.models.retrieve(MODEL)).id == MODEL
    with pytest.raises(openai.NotFoundError, match="`other` does not exist"):
        await client.models.retrieve("other")
    with pytest.raises(openai.NotFoundError, match="`other` does not exist"):
        await client.chat.completions.create(model="other", messages=QUESTION)
    with pytest.raises(openai.NotFoundError, match="Not found"):
        await client.with_options(base_url=str(client.base_url).removesuffix("v1/")).models.list()


async def test_answers_with_scripted_errors_and_says_when_the_script_is_over(connect):
    body = {"error": {"message": "slow down"}}
    script = [Reply.error(429, body, {"Retry-After": "3"}), Reply.error(502, "<html>"), Reply.error(503)]
    client = await connect(ScriptedProvider(script))
    with pytest.raises(openai.RateLimitError, match="slow down") as limit:
        await chunks_of(client)
    assert limit.value.response.headers["retry-after"] == "3"
    for words in ("<html>", "scripted error", "no reply for request 4"):
        with pytest.raises(openai.InternalServerError) as failure:
            await chunks_of(client)
        assert words in failure.value.response.text


async def test_sends_raw_bytes(connect):
    provider = ScriptedProvider([Reply.raw([b'data: {"choices"', b": []}\n\ndata: [DONE]\n\n"], chunk_s=0.01)])
    assert [chunk.choices for chunk in await chunks_of(await connect(provider))] == [[]]


async def test_is_late_and_slow(connect):
    client = await connect(ScriptedProvider([Reply.text("a b c").paced(first_byte_s=0.1, chunk_s=0.02)]))
    started = time.perf_counter()
    assert len(await chunks_of(client)) == 6
    assert time.perf_counter() - started >= 0.2


@pytest.mark.parametrize("stream", [True, False])
async def test_cuts_a_reply(connect, stream):
    client = await connect(ScriptedProvider([Reply.text("a b c").paced(cut_after=1)]))
    with pytest.raises(openai.APIConnectionError):
        await (chunks_of(client) if stream else client.chat.completions.create(model=MODEL, messages=QUESTION))


async def test_notices_a_client_that_leaves(connect):
    asked = asyncio.Event()

    def late(_: Any) -> Reply:
        asked.set()
        return Reply.text("Late.").paced(first_byte_s=30)

    provider = ScriptedProvider(late)
    asking = asyncio.create_task(chunks_of(await connect(provider)))
    await asked.wait()
    asking.cancel()
    await provider.hung_up.wait()
    assert provider.abandoned == 1


@pytest.mark.parametrize("flavour", ["openai", "gemini"])
async def test_serves_a_run_of_the_agents_sdk(connect, flavour):
    asked = []

    @function_tool
    def search_book(query: str) -> str:
        asked.append(query)
        return PASSAGES

    provider = ScriptedProvider(answer_from_passages, flavour=flavour)
    model = OpenAIChatCompletionsModel(MODEL, await connect(provider))
    agent = Agent("book", tools=[search_book], model=model, model_settings=ModelSettings(include_usage=True))
    run = Runner.run_streamed(agent, "What is an action?")
    kinds = [
        event.data.type for event in [each async for each in run.stream_events()] if event.type == "raw_response_event"
    ]
    assert run.final_output == "According to the book, An action has a goal, a result and feedback [1]."
    assert asked == ["What is an action?"]
    assert kinds.count("response.output_text.delta") > 10
    assert run.context_wrapper.usage.requests == 2
    replayed = provider.requests[1].body["messages"][-2]["tool_calls"][0]
    assert ("thought_signature" in str(replayed)) is (flavour == "gemini")


@pytest.mark.parametrize(
    ("passages", "sentence"),
    [
        (PASSAGES, "An action has a goal, a result and feedback"),
        ('<passage id="1" section="A">\nROS 2.5 is out. Yes.\n</passage>', "ROS 2.5 is out"),
        ('<passage id="1" section="A">\nNo full stop\n</passage>', "No full stop"),
        ("Nothing was found.", ""),
    ],
    ids=["heading and text", "a version", "no full stop", "no passage"],
)
def test_quotes_the_first_sentence_of_the_first_passage(passages, sentence):
    assert first_sentence(passages) == sentence


def test_quotes_passages_that_stand_before_the_question_without_a_search():
    request = {"messages": [{"role": "user", "content": HO}, *QUESTION]}
    assert answer_from_passages(request).content == "According to the book, Ho [1]."


def test_says_so_when_nothing_was_found_and_quotes_as_it_is_told():
    request = {"messages": [*QUESTION, {"role": "tool", "content": [{"type": "text", "text": HO}]}]}
    assert answer_from_passages(request).content == "According to the book, Ho [1]."
    assert (
        partial(answer_from_passages, quote=str.upper)(request).content == f"According to the book, {HO.upper()} [1]."
    )
    assert answer_from_passages(request | {"messages": [{"role": "tool", "content": "-"}]}).content.endswith("say.")
