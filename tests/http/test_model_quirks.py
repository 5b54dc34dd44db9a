"""What providers do, and what becomes of it: an answer, a refusal with its reason, or an error with a type."""

import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import httpx
import pytest
from httpx_sse import EventSource

from app import breaker
from app.chat import chances
from tests.fakes.completions import Flavour, Json
from tests.fakes.quirks import QUIRKS, End, Quirk
from tests.http.scripted import ENDPOINTS, Scripted, script

QUESTION = "What is a stilling well?"
MODELS = {"openai": "gpt-test", "gemini": "gemini-test"}
NEVER_TOLD = ("Lisbon", "Quandt", "Let me look", "harbour")
Serve = Callable[..., Scripted]


@pytest.fixture(scope="module", autouse=True)
def unhurried() -> Iterator[None]:
    """Waits are short, and a provider that fails in one test is asked in the next."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chances, "FIRST_WAIT_S", 0.01)
        patch.setattr(breaker, "FAILURES", 10**9)
        yield


@pytest.fixture(scope="module")
def served(scripted: Callable[..., Scripted]) -> Serve:
    """The application before a provider of some flavour, once for the same settings."""

    @cache
    def served(flavour: Flavour, retrieval: str, **settings: Any) -> Scripted:
        given = {"model_name": MODELS[flavour], "model_attempts": 3, "model_timeout_s": 2.0, **settings}
        return scripted(flavour=flavour, retrieval=retrieval, **given)

    return served


def cases() -> Iterator[Any]:
    for name, quirk in QUIRKS.items():
        for flavour in quirk.flavours:
            for retrieval in quirk.retrieval:
                yield pytest.param(quirk, flavour, retrieval, id=f"{name}-{flavour}-{retrieval}")


def ended(served: Scripted, quirk: Quirk, endpoint: str) -> Json:
    """The last event, or what a JSON answer has of it."""
    served.provider.requests.clear()
    served.provider.script = script(quirk.replies)
    response = served.client.post(endpoint, json={"content": QUESTION})
    for words in NEVER_TOLD:
        assert words.encode() not in response.content
    if endpoint.endswith("stream"):
        return _streamed(response)
    if response.status_code == 200:
        return response.json()
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json() | {"retry_after_s": int(response.headers["retry-after"])}
    return {"status": "failed", "error": problem, "answer": ""}


def _streamed(response: httpx.Response) -> Json:
    events = [json.loads(event.data) for event in EventSource(response).iter_sse()]
    last: Json = events[-1]
    assert [event["type"] for event in events if "status" in event] == [last["type"]]
    assert "".join(event["text"] for event in events if event["type"] == "answer.delta") == last["answer"]
    return last


def check(answer: Json, end: End) -> None:
    assert answer["status"] == end.status, answer
    if end.status == "failed":
        assert answer["error"]["status"] == 503
        assert end.detail in answer["error"]["detail"]
        assert end.retry_after is None or answer["error"]["retry_after_s"] == int(end.retry_after)
        return
    assert answer["grounding"]["cut"] == end.cut
    if end.status == "refused":
        assert (answer["refusal"]["reason"], answer["answer"]) == (end.detail, "")
        return
    assert answer["answer"] == end.detail
    assert answer["citations"]
    searches = [each["query"] for each in answer["grounding"]["searches"] if each["by"] == "model"]
    assert end.searches is None or searches == list(end.searches)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=["json", "stream"])
@pytest.mark.parametrize(("quirk", "flavour", "retrieval"), list(cases()))
def test_whatever_a_provider_does_ends_well(
    served: Serve, quirk: Quirk, flavour: Flavour, retrieval: str, endpoint: str
):
    app = served(flavour, retrieval, **quirk.settings)
    check(ended(app, quirk, endpoint), quirk.end)
    assert len(app.provider.requests) == quirk.end.requests
