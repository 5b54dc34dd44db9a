"""The whole path with a provider's wire format behind it: only the model's answers are scripted."""

import pytest

from app.settings import Secret
from tests.fakes.loopback import serve
from tests.fakes.provider import Reply, ScriptedProvider, answer_from_passages

QUESTION = "What is a stilling well?"
MODELS = {"openai": "gpt-test", "gemini": "gemini-test"}
KEY = "planted-provider-key"
WELL = "A stilling well is a vertical pipe with a small opening that filters out waves [1]"


@pytest.fixture
def with_provider(start, make_settings):
    """Starts the application against a scripted provider."""

    async def with_provider(provider, url, key=KEY, **changes):
        flavour = provider.flavour
        given = {
            "model_provider": flavour,
            "model_name": MODELS[flavour],
            f"{flavour}_base_url": url + provider.prefix,
            f"{flavour}_api_key": Secret(key),
            "model_attempts": 1,
        }
        return await start(make_settings(**given | changes))

    return with_provider


@pytest.fixture(params=["openai", "gemini"])
async def provider(request):
    provider = ScriptedProvider(answer_from_passages, flavour=request.param, api_key=KEY)
    async with serve(provider.app) as url:
        provider.url = url
        yield provider


@pytest.fixture
async def client(provider, with_provider):
    return await with_provider(provider, provider.url)


async def test_a_provider_is_given_passages_before_the_question_and_its_answer_is_cited(client, provider, ask):
    answer = await ask(client, QUESTION)
    assert answer["status"] == "answered"
    assert "vertical pipe" in answer["answer"]
    assert answer["citations"][0]["heading_path"][-1] == "Stilling wells"
    assert answer["model"] == MODELS[provider.flavour]
    assert answer["usage"]["model_calls"] == 1
    assert answer["usage"]["input_tokens"] > 0
    *_, passages, question = provider.requests[0].body["messages"]
    assert (passages["role"], question) == ("user", {"role": "user", "content": QUESTION})
    assert '<passage id="1" source="guide/measuring.md"' in passages["content"]


async def test_a_provider_may_have_to_search_the_book_itself(provider, with_provider, ask):
    answer = await ask(await with_provider(provider, provider.url, retrieval="agentic"), QUESTION)
    assert "vertical pipe" in answer["answer"]
    assert answer["citations"][0]["heading_path"][-1] == "Stilling wells"
    assert answer["usage"]["model_calls"] == 2
    first, second = (request.body for request in provider.requests)
    assert first["messages"][1:] == [{"role": "user", "content": QUESTION}]
    assert first["tool_choice"] == "required"
    assert second["messages"][-1]["role"] == "tool"


async def test_the_same_answer_streams_a_sentence_at_a_time(client, provider, ask, stream):
    provider.script = lambda _: Reply.text(f"{WELL}. Its float follows the mean level [1].")
    answer = await ask(client, QUESTION)
    events = await stream(client, QUESTION)
    assert events[-1]["answer"] == answer["answer"]
    deltas = [event["text"] for event in events if event["type"] == "answer.delta"]
    assert deltas == [f"{WELL}.", " Its float follows the mean level [1]."]


async def test_what_a_provider_is_sent(client, provider, ask):
    await ask(client, QUESTION)
    body = provider.requests[0].body
    assert provider.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert [tool["function"]["name"] for tool in body["tools"]] == ["search_book", "lookup_history"]
    assert body["tool_choice"] == "auto"
    assert "A Small Book of Tides" in body["messages"][0]["content"]
    assert body["stream_options"] == {"include_usage": True}
    assert ("store" in body) is False or body["store"] is False


async def test_earlier_exchanges_go_with_a_follow_up_without_their_old_numbers(client, provider, ask):
    first = await ask(client, QUESTION)
    await ask(client, "And its float?", conversation_id=first["conversation_id"])
    roles = [(message["role"], message["content"]) for message in provider.requests[1].body["messages"][1:]]
    assert len(roles) == 4
    assert roles[0] == ("user", QUESTION)
    assert roles[1][0] == "assistant"
    assert "[1]" not in roles[1][1]
    assert "follows the mean level" in roles[2][1]
    assert roles[3] == ("user", "And its float?")


SEARCH = Reply.tool_calls([("search_book", {"query": QUESTION, "section": None})])


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ([SEARCH, Reply.text("It is a fountain, I think.")], "unsupported"),
        ([Reply.text("It is a fountain, I think.")], "unsupported"),
        ([Reply.text("It is a fountain, I think [1].")], "unsupported"),
        ([Reply.text("It is a fountain [9].")], "unsupported"),
        ([Reply.text("")], "empty_answer"),
        ([SEARCH, Reply.text("")], "empty_answer"),
        ([Reply.text("NO_ANSWER")], "no_match"),
        ([SEARCH, Reply.text("NO_ANSWER")], "no_match"),
    ],
    ids=[
        "searches, then cites nothing",
        "cites nothing",
        "cites what does not say it",
        "cites what it was not shown",
        "says nothing",
        "searches, then says nothing",
        "says the book is silent",
        "searches, then says the book is silent",
    ],
)
async def test_an_answer_without_proof_is_a_refusal_and_none_of_its_text_leaves(with_provider, stream, script, reason):
    provider = ScriptedProvider(list(script))
    async with serve(provider.app) as url:
        events = await stream(await with_provider(provider, url), QUESTION)
    assert events[-1]["type"] == "answer.refused"
    assert events[-1]["refusal"]["reason"] == reason
    assert "fountain" not in str(events)


async def test_an_answer_of_a_model_that_was_to_search_and_did_not_is_a_refusal(with_provider, stream):
    provider = ScriptedProvider([Reply.text("It is a fountain, I think [1].")])
    async with serve(provider.app) as url:
        events = await stream(await with_provider(provider, url, retrieval="agentic"), QUESTION)
    assert events[-1]["refusal"]["reason"] == "search_failed"
    assert "fountain" not in str(events)


async def test_unknown_numbers_are_taken_out_of_an_answer_and_counted(with_provider, ask):
    words = "A stilling well is a vertical pipe [1][7] with a small opening that filters out waves [23]."
    provider = ScriptedProvider([Reply.text(words)])
    async with serve(provider.app) as url:
        answer = await ask(await with_provider(provider, url), QUESTION)
    assert answer["answer"] == "A stilling well is a vertical pipe [1] with a small opening that filters out waves."
    assert answer["grounding"]["dropped_citations"] == 2


async def test_what_a_model_says_before_it_searches_does_not_leave(with_provider, ask):
    first = Reply.tool_calls([("search_book", {"query": QUESTION})], preamble="Let me look that up.")
    provider = ScriptedProvider([first, Reply.text(f"{WELL}.")])
    async with serve(provider.app) as url:
        answer = await ask(await with_provider(provider, url), QUESTION)
    assert answer["answer"] == f"{WELL}."


async def test_a_client_that_leaves_stops_the_model_and_what_there_was_is_kept(with_provider, database):
    words = f"{WELL}. " + "With many words " * 200
    provider = ScriptedProvider([Reply.text(words).paced(chunk_s=0.05)])
    async with serve(provider.app) as url:
        client = await with_provider(provider, url, disconnect="cancel")
        async with client.stream("POST", "/api/v1/chat/stream", json={"content": QUESTION}) as response:
            async for line in response.aiter_lines():
                if line == "event: answer.delta":
                    break
        await provider.hung_up.wait()
        row = await _finished_answer(database)
    assert row["status"] == "cancelled"
    assert row["content"] == f"{WELL}."


async def test_a_client_that_leaves_before_a_json_answer_stops_the_model_too(with_provider, database):
    provider = ScriptedProvider([Reply.text("Slow [1].").paced(first_byte_s=30)])
    async with serve(provider.app) as url:
        client = await with_provider(provider, url, disconnect="cancel")
        with pytest.raises(Exception, match=r".*"):
            await client.post("/api/v1/chat", json={"content": QUESTION}, timeout=1)
        await provider.hung_up.wait()
        row = await _finished_answer(database)
    assert row["status"] == "cancelled"


async def _finished_answer(database):
    while True:
        async with database.connection() as connection:
            cursor = await connection.execute("select status, content from messages where role = 'assistant'")
            row = await cursor.fetchone()
        if row["status"] != "running":
            return row
