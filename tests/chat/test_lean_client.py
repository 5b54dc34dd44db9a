"""The lean client beside the openai client: the same requests, and the same replies out of the Agents SDK."""

import asyncio
import codecs
import json
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID

import openai
import pytest
from agents import Agent, ModelSettings, OpenAIChatCompletionsModel, RunConfig, Runner
from agents.models.interface import ModelTracing
from hypothesis import given, settings
from hypothesis import strategies as st
from openai import AsyncOpenAI
from openai._streaming import SSEDecoder
from pydantic_core import to_jsonable_python

from app import breaker
from app.breaker import Breaker
from app.chat import chances, lean_client
from app.chat.lean_client import EventData, LeanClient
from app.chat.model_errors import FAILURES, is_outage, translate
from app.chat.providing import Models, ProvidedModel
from app.chat.turn_model import TurnModel
from app.errors import ModelUnavailableError
from app.metrics import Metrics
from tests.chat.stock_client import RepairedStockClient
from tests.fakes.completions import Json, piece
from tests.fakes.loopback import serve
from tests.fakes.provider import Reply, ScriptedProvider
from tests.fakes.quirks import QUIRKS, Quirk, call, says
from tests.fakes.sources import passage, turn_context
from tools.lookup_history import lookup_history
from tools.search_book import search_book

MODEL = "gemini-test"
LOGPROB = {
    "token": "Yes",
    "logprob": -0.1,
    "bytes": [89],
    "top_logprobs": [{"token": "No", "logprob": -2.0, "bytes": None}],
}
SIGNED = {"extra_content": {"google": {"thought_signature": "signed"}}}
DETAILS = {
    "prompt_tokens": 9,
    "completion_tokens": 3,
    "total_tokens": 12,
    "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 1, "audio_tokens": 0},
}
CITATION = {
    "type": "url_citation",
    "url_citation": {"start_index": 0, "end_index": 1, "url": "https://a", "title": "A"},
}
SOUND = {
    "words": Reply.text("Two words."),
    "a call": Reply.tool_calls([("search_book", {"query": "tides"})]),
    "calls after words": Reply.tool_calls([("search_book", {"query": "tides"}), ("other", {})], preamble="Well."),
    "logprobs": Reply.pieces(
        {
            "choices": [
                {"index": 0, "delta": {"content": "Yes"}, "finish_reason": None, "logprobs": {"content": [LOGPROB]}}
            ]
        },
        piece({}, "stop"),
    ),
    "reasoning_content": Reply.pieces(piece({"reasoning_content": "Hm."}), piece({"content": "A"}), piece({}, "stop")),
    "reasoning": Reply.pieces(piece({"reasoning": "Hm."}), piece({"content": "A"}), piece({}, "stop")),
    "thinking": Reply.pieces(
        piece({"thinking_blocks": [{"type": "thinking", "thinking": "Hm", "signature": "s"}]}),
        piece({"content": "A"}),
        piece({}, "stop"),
    ),
    "citations": Reply.pieces(piece({"content": "A", "annotations": [CITATION]}), piece({}, "stop")),
    "a refusal": Reply.pieces(piece({"refusal": "I cannot."}), piece({}, "stop")),
    "a signature": Reply.pieces(piece({"tool_calls": [call(index=0, id="a", **SIGNED)]}), piece({}, "tool_calls")),
    "a proxy's signature": Reply.pieces(
        piece({"tool_calls": [call(index=0, id="a", provider_specific_fields={"thought_signature": "s"})]}),
        piece({}, "tool_calls"),
    ),
    "usage": Reply.pieces(piece({"content": "A"}), piece({}, "stop"), {"choices": [], "usage": DETAILS}),
    "a content filter": says("A", reason="content_filter"),
    "a content filter without text": Reply.pieces(piece({}, "content_filter")),
    "the limit of tokens": says("A", reason="length"),
    "an id of the request": says("A"),
}
UNLIKE_STOCK = {"a text without a finish reason", "calls without a finish reason", "cut off after the end"}
"""Which end well only with the lean client; see RepairedStockClient."""


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chances, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(breaker, "FAILURES", 10**9)


@pytest.fixture
async def connect():
    """Serves replies, and gives a client of a class for them."""
    async with AsyncExitStack() as stack:

        async def connect(kind: type[AsyncOpenAI], provider: ScriptedProvider) -> AsyncOpenAI:
            url = await stack.enter_async_context(serve(provider.app)) + provider.prefix
            return await stack.enter_async_context(kind(base_url=url, api_key="k", max_retries=0, timeout=1.0))

        yield connect


def model_settings(**fields: Any) -> ModelSettings:
    return ModelSettings(include_usage=True, temperature=0.0, top_logprobs=1, **fields)


async def response_of(model: OpenAIChatCompletionsModel, *, streamed: bool) -> list[Any]:
    arguments: Any = (
        "Be brief.",
        "Yes?",
        model_settings(),
        [search_book, lookup_history],
        None,
        [],
        ModelTracing.DISABLED,
    )
    if not streamed:
        return [await model.get_response(*arguments)]
    return [event async for event in model.stream_response(*arguments)]


def comparable(events: list[Any]) -> list[Json]:
    """With arguments in one piece, and without what differs from run to run."""
    dumped: list[Json] = []
    for one in to_jsonable_python(events, serialize_unknown=True):
        one.pop("sequence_number", None)
        one.get("response", {}).pop("created_at", None)
        last = dumped[-1] if dumped else {}
        if one.get("type") == last.get("type") == "response.function_call_arguments.delta":
            last["delta"] += one["delta"]
        else:
            dumped.append(one)
    return dumped


class FixedIds:
    def __init__(self) -> None:
        self._made = 0

    def __call__(self) -> UUID:
        self._made += 1
        return UUID(int=self._made)


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("reply", SOUND.values(), ids=SOUND)
async def test_of_a_sound_reply_the_sdk_makes_the_same_with_both_clients(connect, reply, streamed, monkeypatch):
    found = []
    for kind in (AsyncOpenAI, LeanClient):
        monkeypatch.setattr("tests.fakes.completions.uuid4", FixedIds())
        model = OpenAIChatCompletionsModel(MODEL, await connect(kind, ScriptedProvider([reply])))
        found.append(comparable(await response_of(model, streamed=streamed)))
    stock, lean = found
    assert stock == lean
    assert lean


async def test_the_same_request_is_sent(connect):
    seen = []
    for kind in (AsyncOpenAI, LeanClient):
        provider = ScriptedProvider([Reply.text("A"), Reply.text("B")])
        model = OpenAIChatCompletionsModel(MODEL, await connect(kind, provider))
        for streamed in (True, False):
            await response_of(model, streamed=streamed)
        seen.append(provider.requests)
    stock, lean = seen
    assert [request.body for request in stock] == [request.body for request in lean]
    for ours, theirs in zip(lean, stock, strict=True):
        added = {name for name in theirs.headers if not name.startswith("x-stainless-")} - {"host", "user-agent"}
        assert {name: ours.headers.get(name) for name in added} == {name: theirs.headers[name] for name in added}


def tables() -> Iterator[Any]:
    for kind in (LeanClient, RepairedStockClient):
        for streamed in (True, False):
            for name, quirk in QUIRKS.items():
                if not (
                    (quirk.only and not streamed) or (kind is RepairedStockClient and streamed and name in UNLIKE_STOCK)
                ):
                    mode = "streamed" if streamed else "whole"
                    yield pytest.param(kind, streamed, quirk, id=f"{name}-{kind.__name__}-{mode}")


@pytest.mark.parametrize(("kind", "streamed", "quirk"), list(tables()))
async def test_whatever_a_provider_does_ends_as_the_table_says(connect, kind, streamed, quirk: Quirk):
    provider = ScriptedProvider(script(quirk), flavour=quirk.flavours[0])
    client = await connect(kind, provider)
    provided = ProvidedModel(
        "p", MODEL, OpenAIChatCompletionsModel(MODEL, client), Breaker("p", ModelUnavailableError, is_outage), client
    )
    models = Models([provided], 3, 1.0, quirk.settings.get("model_max_calls", 6), Metrics())
    model = TurnModel(models, asyncio.get_running_loop().time() + 60)
    context = turn_context([passage()])
    if quirk.end.status == "failed":
        with pytest.raises(FAILURES) as failure:
            await final_output(model, context, models.max_calls, streamed=streamed)
        assert quirk.end.detail in translate(failure.value).detail
    else:
        said = await final_output(model, context, models.max_calls, streamed=streamed)
        searches = [each.query for each in context.calls.values() if each.query]
        assert said.startswith(quirk.end.detail) or quirk.end.status == "refused"
        assert model.cut == quirk.end.cut
        assert quirk.end.searches in {None, tuple(searches)}
    assert len(provider.requests) == quirk.end.requests


def script(quirk: Quirk) -> Any:
    left = list(quirk.replies)
    return lambda request: reply(request) if callable(reply := left.pop(0)) else reply


async def final_output(model: TurnModel, context: Any, max_calls: int, *, streamed: bool) -> str:
    agent = Agent("reader", tools=[search_book, lookup_history], model_settings=ModelSettings(include_usage=True))
    options: Any = {
        "context": context,
        "max_turns": max_calls,
        "error_handlers": {"model_refusal": lambda _: ""},
        "run_config": RunConfig(model=model, tracing_disabled=True, tool_not_found_behavior="return_error_to_model"),
    }
    if not streamed:
        return (await Runner.run(agent, "?", **options)).final_output
    run = Runner.run_streamed(agent, "?", **options)
    [_ async for _ in run.stream_events()]
    return run.final_output


async def chunks_of(client: AsyncOpenAI) -> list[Any]:
    stream = await client.chat.completions.create(model=MODEL, messages=[], stream=True)
    return [chunk async for chunk in stream]


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply.raw([b"data: {{{\n\n"]), openai.APIResponseValidationError),
        (Reply.raw([b'data: {"choices": 7}\n\n']), openai.APIResponseValidationError),
        (Reply.raw([b'data: {"choices": [{"delta": {"content": "\xff"}}]}\n\n']), openai.APIResponseValidationError),
        (Reply.raw([b'data: {"error": {"message": "no"}}\n\n']), openai.APIError),
        (Reply.raw([b""]), lean_client.CutReplyError),
        (Reply.raw([b": \n\n"]).paced(cut_after=1), openai.APIConnectionError),
        (Reply.raw([b": \n\n", b""]).paced(chunk_s=30), openai.APITimeoutError),
        (Reply.error(503), openai.InternalServerError),
    ],
    ids=["no JSON", "another schema", "no UTF-8", "an error", "nothing", "a cut", "a stall", "a status"],
)
async def test_a_stream_that_fails_raises_the_openai_clients_own_errors(connect, reply, error):
    client = await connect(LeanClient, ScriptedProvider([reply]))
    with pytest.raises(error):
        await chunks_of(client)


async def test_a_connection_is_used_again_after_a_stream(connect):
    provider = ScriptedProvider([Reply.text("A"), Reply.text("B")])
    ports = set()
    serving = provider.app

    async def app(scope: Json, *channels: Any) -> None:
        ports.add(scope.get("client"))
        await serving(scope, *channels)

    provider.app = app
    client = await connect(LeanClient, provider)
    for _ in range(2):
        await chunks_of(client)
    assert len(ports - {None}) == 1


async def test_a_reader_gets_its_turn_after_the_first_words_of_a_burst(connect):
    """All bytes are there at once; still the first words are out before the last are read."""
    words = [f"word{n} " for n in range(100)]
    burst = b"".join(f"data: {json.dumps(piece({'content': word}))}\n\n".encode() for word in words)
    client = await connect(LeanClient, ScriptedProvider([Reply.raw([burst + b"data: [DONE]\n\n"])]))
    read, seen_while_reading, begun = [], [], asyncio.Event()

    async def look() -> None:
        await begun.wait()
        seen_while_reading.append(len(read))

    looking = asyncio.create_task(look())
    stream = await client.chat.completions.create(model=MODEL, messages=[], stream=True)
    async for chunk in stream:
        read += [chunk]
        begun.set()
    await looking
    assert len(read) == 101
    assert seen_while_reading == [1]


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["data: a", "data:b", "data:", ": c", "", "", "event: x", "id: 1", "data: ü"])),
    st.sampled_from(["\n", "\r\n"]),
    st.lists(st.integers(1, 9)),
)
def test_events_are_read_as_the_openai_client_reads_them_wherever_they_are_cut(lines, end, cuts):
    data = end.join([*lines, ""]).encode()
    events, pieces, position = EventData(), [], 0
    for cut in cuts:
        pieces.append(data[position : position + cut])
        position += cut
    found = [event.decode() for each in [*pieces, data[position:]] for event in events.feed(each)]
    stock = [event.data for event in SSEDecoder().iter_bytes(iter([data]))]
    assert [each for each in found if each] == [each for each in stock if each]


WORDS = b'data: {"choices": [{"delta": {"content": "Two words."}}]}\n\n'
FINISH = b'data: {"choices": [{"finish_reason": "stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"


@pytest.mark.parametrize(
    "reply",
    [
        Reply.raw([WORDS + FINISH, *[b": still here\n\n"] * 100], chunk_s=0.1),
        Reply.raw([WORDS + FINISH, DONE], chunk_s=20),
    ],
    ids=["comments for ever", "an end that is late"],
)
async def test_what_follows_the_finish_reason_is_not_waited_for_long(connect, monkeypatch, reply):
    monkeypatch.setattr(lean_client, "END_S", 0.3)
    client = await connect(LeanClient, ScriptedProvider([reply]))
    async with asyncio.timeout(0.9):
        chunks = await chunks_of(client)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Two words."


async def test_a_byte_order_mark_is_no_part_of_the_first_event(connect):
    client = await connect(LeanClient, ScriptedProvider([Reply.raw([codecs.BOM_UTF8 + WORDS, FINISH, DONE])]))
    assert (await chunks_of(client))[0].choices[0].delta.content == "Two words."


@pytest.mark.parametrize(
    "chunks",
    [[b"data: " + b"x" * 50_000] * 10, [b'data: {"choices": ' + b"[" * 20_000 + b"\n\n"], [WORDS] * 9000],
    ids=["a line without end", "nested", "too many pieces"],
)
async def test_what_is_too_much_to_read_is_no_reply(connect, monkeypatch, chunks):
    monkeypatch.setattr(lean_client, "LONGEST_REPLY", 400_000)
    client = await connect(LeanClient, ScriptedProvider([Reply.raw(chunks)]))
    with pytest.raises(openai.APIResponseValidationError):
        await chunks_of(client)
