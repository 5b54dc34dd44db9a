"""What a stream promises to whoever reads it: a browser, an SSE library, a program that goes by the schema."""

import json
from itertools import pairwise

import httpx
import jsonschema
import pytest
from httpx_sse import EventSource as LibraryEventSource
from hypothesis import given, settings
from hypothesis import strategies as st

from app.chat.event_log import LAST
from tests.fakes.completions import Reply
from tests.http.event_source import EventSource, Message, messages_in
from tests.http.scripted import in_deltas
from tests.http.streams import asking

QUESTION = "What is a stilling well?"
STREAM = "/api/v1/chat/stream"
WELL = "A stilling well is a vertical pipe with a small opening that filters out waves [well]."
FLOAT = "Its float follows the mean level [well]."
SEARCH = Reply.tool_calls([("search_book", {"query": QUESTION})], preamble="Let me look.")
ENDS = {
    "answered": (f"{WELL} {FLOAT}",),
    "answered after a search": (SEARCH, f"{WELL} It was dug in Lisbon. {FLOAT}"),
    "refused": ("It was dug in Lisbon.",),
    "failed": (Reply.error(500),),
    "failed midway": (Reply.text(f"{WELL} {FLOAT}" + " More." * 50).paced(cut_after=60),),
}


class TestTheRulesOfTheStandard:
    """The yardstick itself."""

    @pytest.mark.parametrize(
        ("stream", "messages"),
        [
            ("data: a\n\n", [Message("message", "a", "")]),
            ("data: a\ndata: b\ndata:\n\n", [Message("message", "a\nb\n", "")]),
            (
                "\ufeffdata: a\r\n\r\ndata:b\r\rdata:  c\n\n",
                [Message("message", text, "") for text in ("a", "b", " c")],
            ),
            (": comment\n\ndata: a\n: more\n\n", [Message("message", "a", "")]),
            ("event: x\nid: 7\ndata: a\n\ndata: b\n\n", [Message("x", "a", "7"), Message("message", "b", "7")]),
            (
                "id: 7\n\nid: 1\x002\ndata: a\n\nid\ndata\n\n",
                [Message("message", "a", "7"), Message("message", "", "")],
            ),
            ("event: x\n\ndata: never ended\n", []),
            ("unknown: a\ndata\u2028: a\ndata: \u2028\n\n", [Message("message", "\u2028", "")]),
        ],
    )
    def test_are_kept_wherever_the_bytes_are_cut(self, stream, messages):
        raw = stream.encode()
        assert messages_in([raw]) == messages
        assert messages_in([raw[i : i + 1] for i in range(len(raw))]) == messages

    def test_know_a_hint_when_to_come_back(self):
        source = EventSource()
        list(source.feed(b"retry: 12\nretry: 1a\n\n"))
        assert source.retry_ms == 12


@pytest.fixture(scope="module")
def strict(scripted):
    return scripted(search_limit=7)


@pytest.fixture(scope="module")
def schema(strict):
    response = strict.client.get("/schema/events")
    assert response.headers["content-type"] == "application/schema+json"
    jsonschema.Draft202012Validator.check_schema(response.json())
    return jsonschema.Draft202012Validator(response.json(), format_checker=jsonschema.FormatChecker())


@pytest.fixture(params=ENDS.values(), ids=ENDS)
def raw(request, strict) -> bytes:
    return strict.ask(QUESTION, *request.param, endpoint=STREAM, stored=False).raw


def test_a_browser_and_a_library_read_the_same_wherever_the_bytes_are_cut(raw):
    read = messages_in([raw])
    assert read == messages_in([raw[i : i + 1] for i in range(len(raw))])
    response = httpx.Response(200, headers={"content-type": "text/event-stream"}, content=raw)
    assert read == [Message(e.event, e.data, e.id) for e in LibraryEventSource(response).iter_sse()]
    lines = raw.decode().splitlines()  # of a client that takes every line end for one
    assert [line for line in lines if line.startswith("data: ")] == [f"data: {message.data}" for message in read]


def test_a_browser_is_told_when_to_come_back(raw):
    source = EventSource()
    messages = list(source.feed(raw))
    assert source.retry_ms == 2000
    assert source.last_event_id == str(len(messages))


def test_ids_increase_by_one_and_the_last_event_is_the_only_one_of_its_kind(raw):
    messages = messages_in([raw])
    assert [message.last_event_id for message in messages] == [str(n) for n in range(1, len(messages) + 1)]
    assert messages[0].event == "turn.started"
    assert [message for message in messages if message.event in LAST] == messages[-1:]


def test_every_event_is_as_the_schema_says(raw, schema):
    for message in messages_in([raw]):
        data = json.loads(message.data)
        schema.validate(data)
        assert data["type"] == message.event


@pytest.mark.parametrize(
    "change", [{"type": "answer.done"}, {"text": None}, {"text": 1}], ids=["unknown type", "no text", "a number"]
)
def test_the_schema_takes_nothing_else(schema, change):
    schema.validate({"type": "answer.delta", "text": "Tides rise."})
    assert not schema.is_valid({"type": "answer.delta", "text": "Tides rise."} | change)


def test_the_schema_names_every_event(schema):
    assert set(schema.schema["discriminator"]["mapping"]) >= LAST | {"turn.started", "answer.delta", "citation"}


def test_line_ends_that_only_some_know_are_no_line_ends(strict):
    outcome = strict.ask(f"{QUESTION}\u0085\u2028\u2029So?", WELL, endpoint=STREAM)
    assert not {"\u0085", "\u2028", "\u2029"} & set(outcome.raw.decode())
    assert "\u0085\u2028\u2029" in outcome.answer["grounding"]["searches"][0]["query"]


async def test_a_silent_stream_says_that_it_lives(replica, monkeypatch):
    monkeypatch.setattr("app.http.sse.KEEP_ALIVE_S", 0.1)
    client = await replica(lambda _: Reply.text("Nothing.").paced(first_byte_s=1))
    async with asking(client, QUESTION) as stream:
        raw = b"".join([chunk async for chunk in stream.response.aiter_raw()])
    assert raw.count(b": keep-alive\n\n") >= 5
    assert [message.event for message in messages_in([raw])][-1] == "answer.refused"
    for name, value in {"cache-control": "no-store", "x-accel-buffering": "no"}.items():
        assert stream.response.headers[name] == value
    assert stream.response.headers["content-type"].startswith("text/event-stream")


SENTENCES = (
    WELL,
    FLOAT,
    "Spring tides come twice in a lunar month, at new moon and at full moon [spring].",
    "It was dug in Lisbon in 1755 [well].",
    "However, nobody knows [9].",
    "- A stilling well is a vertical pipe [well]\n- It sings [well]\n",
    "1. Its float follows the mean level [well]\n2. It sings\n",
    "## Wells\n\n",
    "```\nx[7]\n```\n",
    "So:\n\n",
    "NO_ANSWER",
    "See [this](https://evil.example/x) [well].",
    "\u2028\u0085 `[1]` ",
)
texts = st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=5).map(" ".join)
calls = st.sampled_from(
    [
        SEARCH,
        Reply.tool_calls([("search_book", {"query": "tides"}), ("lookup_history", {})]),
        Reply.tool_calls([("search_book", {"query": "gauge", "section": "nowhere"})], preamble=f"{FLOAT} "),
    ]
)
last_replies = st.one_of(
    texts,
    texts.map(lambda text: Reply.text(text, finish_reason="length")),
    st.tuples(texts, st.lists(st.integers(0, 300), max_size=6)).map(
        lambda drawn: in_deltas(
            [drawn[0][a:b] for a, b in pairwise([0, *sorted(min(c, len(drawn[0])) for c in drawn[1]), len(drawn[0])])]
        )
    ),
    st.sampled_from([Reply.error(500), Reply.error(429, headers={"retry-after": "3"}), Reply.text("")]),
)
scripts = st.tuples(st.lists(calls, max_size=2), last_replies).map(lambda drawn: (*drawn[0], drawn[1]))


@settings(max_examples=60, deadline=None)
@given(scripts)
def test_the_stream_of_any_script_folds_into_its_json_answer(strict, script):
    streamed = strict.ask(QUESTION, *script, endpoint=STREAM, stored=False)
    told = strict.ask(QUESTION, *script, stored=False)
    last = streamed.events[-1]
    if last["type"] == "turn.failed":
        assert (told.answer["status"], told.answer["detail"]) == (last["error"]["status"], last["error"]["detail"])
        return
    assert told.lasting == streamed.lasting
    assert "".join(streamed.deltas) == told.answer["answer"]
    found = {event["n"]: event for event in streamed.events if event["type"] == "citation"}
    assert [one | {"type": "citation"} for one in told.answer["citations"]] == list(found.values())
