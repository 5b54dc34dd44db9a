"""A scripted model behind the application, and what comes of its words."""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from httpx_sse import EventSource

from tests.conftest import SMALL_BOOK
from tests.fakes.completions import Json
from tests.fakes.provider import Reply, ScriptedProvider

KEY = "planted-provider-key-5f2c"
ENDPOINTS = ("/api/v1/chat", "/api/v1/chat/stream")
MARKS = {
    "well": "vertical pipe",
    "gauge": "over a fixed datum",
    "tide": "regular rise and fall",
    "spring": "twice in a lunar month",
    "neap": "seven days after",
    "code": "metres above the datum",
    "word": "German word Zeit",
}
"""Words of the one passage of the small book that a mark such as [well] stands for."""
VOLATILE = {"turn_id", "conversation_id", "message_id", "processing_time_ms", "timings", "type"}
"""Fields that differ from turn to turn."""
Words = str | Reply | Callable[[Json], Reply]
"""What a model says; a text may have marks."""
CODE = re.compile(r"```.*?```", re.DOTALL)
PASSAGE = re.compile(r'<passage id="(?P<n>\d+)"[^>]*>\n(?P<text>.*?)\n</passage>', re.DOTALL)


class Outcome(NamedTuple):
    raw: bytes
    """The body of the response."""
    answer: Json
    events: list[Json]
    """Of a stream."""
    stored: Json
    """The message in the conversation."""
    passages: dict[str, str]
    """What the model was shown at last, by number."""

    @property
    def deltas(self) -> list[str]:
        return [event["text"] for event in self.events if event["type"] == "answer.delta"]

    def marked(self, text: str) -> str:
        return marked(text, self.passages)

    @property
    def lasting(self) -> Json:
        return {name: value for name, value in self.answer.items() if name not in VOLATILE}


@dataclass(frozen=True)
class Scripted:
    client: httpx.Client
    provider: ScriptedProvider

    def ask(
        self, content: str, *replies: Words, endpoint: str = ENDPOINTS[0], stored: bool = True, **fields: Any
    ) -> Outcome:
        """Each reply is to a call of the model. An answer that is not looked for among the stored ones may fail."""
        self.provider.requests.clear()
        self.provider.script = script(replies)
        response = self.client.post(endpoint, json={"content": content, **fields})
        assert response.status_code == 200 or not stored, response.text
        events = _events(response) if endpoint.endswith("stream") else []
        answer = events[-1] if events else response.json()
        requests = self.provider.requests
        shown = shown_in(requests[-1].body) if requests else {}
        return Outcome(response.content, answer, events, self._stored(answer) if stored else {}, shown)

    def _stored(self, answer: Json) -> Json:
        response = self.client.get(f"/api/v1/conversations/{answer['conversation_id']}/messages")
        message: Json = response.json()["messages"][-1]
        return message


def script(replies: Sequence[Words]) -> Callable[[Json], Reply]:
    left = list(replies)

    def reply(request: Json) -> Reply:
        following = left.pop(0)
        if isinstance(following, str):
            return Reply.text(marked(following, shown_in(request)))
        return following if isinstance(following, Reply) else following(request)

    return reply


def shown_in(request: Json) -> dict[str, str]:
    """The texts of the passages that a model was shown, by their numbers."""
    texts = "\n".join(str(message.get("content")) for message in request["messages"] if message["role"] != "system")
    return {match["n"]: match["text"] for match in PASSAGE.finditer(texts)}


def marked(text: str, passages: dict[str, str]) -> str:
    """With the number of the passage in place of each mark."""
    for mark, words in MARKS.items():
        numbers = [n for n, passage in passages.items() if words in passage]
        text = text.replace(f"[{mark}]", f"[{numbers[0]}]" if numbers else f"[{mark}]")
    return text


def in_deltas(pieces: Iterable[str]) -> Reply:
    """Streamed in just these pieces."""
    chunks = ({"index": 0, "delta": {"role": "assistant", "content": piece}, "finish_reason": None} for piece in pieces)
    envelope = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 0, "model": "scripted"}
    events = [json.dumps(envelope | {"choices": [choice]}) for choice in chunks]
    return Reply.raw([f"data: {event}\n\n".encode() for event in (*events, "[DONE]")])


def assert_sound(outcome: Outcome, *, book: Path = SMALL_BOOK) -> None:
    """What is told was told once and is kept so, and each citation is a piece of the book."""
    answer = outcome.answer
    if outcome.events:
        assert "".join(outcome.deltas) == answer["answer"]
    assert outcome.stored["content"] == answer["answer"]
    assert outcome.stored["citations"] == answer["citations"]
    for citation in answer["citations"]:
        assert citation["verified"]
        for quote in (citation, *citation["further"]):
            assert (book / citation["source"]).read_bytes().decode()[quote["start"] : quote["end"]] == quote["quote"]
    numbers = {int(n) for n in re.findall(r"\[(\d+)\]", CODE.sub("", answer["answer"]))}
    assert numbers == {one["n"] for one in answer["citations"]}


def _events(response: httpx.Response) -> list[Json]:
    return [json.loads(event.data) for event in EventSource(response).iter_sse()]
