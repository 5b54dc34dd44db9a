"""A chat model's provider over real HTTP: OpenAI's wire format, or Gemini's dialect of it, and scripted answers."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from tests.fakes.completions import Flavour, Json, Reply, completion, error_body, events, part_events, whole
from tests.fakes.loopback import race

__all__ = ["Received", "Reply", "Script", "ScriptedProvider", "answer_from_passages", "first_sentence"]

Receive = Callable[[], Awaitable[Json]]
Send = Callable[[Json], Awaitable[None]]
Script = list[Reply] | Callable[[Json], Reply]
PREFIXES: dict[Flavour, str] = {"openai": "/v1", "gemini": "/v1beta/openai"}
FIRST_PASSAGE = re.compile(r'<passage id="1"[^>]*>\n(?P<body>.*?)\n</passage>', re.DOTALL)
SENTENCE = re.compile(r"\s*(.+?)(?:[.!?](?=\s|$)|\Z)", re.DOTALL)


@dataclass(frozen=True)
class Received:
    """A chat request, refused ones included."""

    headers: dict[str, str]
    """With lower-case names."""
    body: Json


class ScriptedProvider:
    """Serve `app` and give the client `url + prefix`.

    A list of replies is used up, one a request; a callable makes each reply from the request's JSON. `script` may be
    changed at any time.
    """

    def __init__(
        self,
        script: Script,
        *,
        flavour: Flavour = "openai",
        api_key: str | None = None,
        models: Sequence[str] | None = None,
        prefix: str | None = None,
    ) -> None:
        self.script, self.flavour, self.api_key = script, flavour, api_key
        self.models = models
        """The only ones there are; None: any name is a model."""
        self.prefix = PREFIXES[flavour] if prefix is None else prefix
        self.requests: list[Received] = []
        self.replying = 0
        """Replies on their way."""
        self.abandoned = 0
        """Replies whose client hung up before the end."""
        self.hung_up = asyncio.Event()
        """Set when the first client does. For a test in the provider's own event loop."""

    async def app(self, scope: Json, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError
        body = await _body(receive)
        request: Json = json.loads(body) if body else {}
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        reply = self._reply(f"{scope['method']} {scope['path']}", headers, request)
        await self._deliver(reply, request, receive, send)

    def _reply(self, route: str, headers: dict[str, str], request: Json) -> Reply:
        chat, models = route == f"POST {self.prefix}/chat/completions", f"GET {self.prefix}/models"
        if chat:
            self.requests.append(Received(headers, request))
        if self.api_key is not None and headers.get("authorization") != f"Bearer {self.api_key}":
            return self._wrong_key()
        if chat:
            return self._unknown(request.get("model")) or self._next(request)
        if route.startswith(models):
            return self._models(route.removeprefix(models).removeprefix("/"))
        return self._error(404, "Not found", "not_found")

    def _next(self, request: Json) -> Reply:
        if callable(self.script):
            return self.script(request)
        if not self.script:
            return self._error(500, f"the script has no reply for request {len(self.requests)}", "script_exhausted")
        return self.script.pop(0)

    def _models(self, name: str) -> Reply:
        if name:
            return self._unknown(name) or Reply.json(_model(name))
        return Reply.json({"object": "list", "data": [_model(each) for each in self.models or ()]})

    def _unknown(self, name: str | None) -> Reply | None:
        if self.models is None or name in self.models:
            return None
        return self._error(404, f"The model `{name}` does not exist", "model_not_found")

    def _wrong_key(self) -> Reply:
        if self.flavour == "openai":
            return self._error(401, "Incorrect API key provided", "invalid_api_key")
        message = "API key not valid. Please pass a valid API key."
        error = {
            "code": 400,
            "message": message,
            "status": "INVALID_ARGUMENT",
            "details": [{"reason": "API_KEY_INVALID"}],
        }
        return Reply.error(400, [{"error": error}])

    def _error(self, status: int, message: str, code: str) -> Reply:
        return Reply.error(status, error_body(self.flavour, status, message, code))

    async def _deliver(self, reply: Reply, request: Json, receive: Receive, send: Send) -> None:
        """Sends the reply, and stops when the client leaves."""
        headers, chunks = self._encoded(reply, request)
        self.replying += 1
        try:
            if await race(_send(reply, headers, chunks, send), _disconnect(receive)):
                self.abandoned += 1
                self.hung_up.set()
        finally:
            self.replying -= 1

    def _encoded(self, reply: Reply, request: Json) -> tuple[dict[str, str], Iterable[bytes]]:
        """The reply's headers and its chunks."""
        stream = {"content-type": "text/event-stream; charset=utf-8"}
        if reply.chunks is not None:
            return stream, reply.chunks
        if reply.parts is not None:
            return (stream, part_events(reply, request)) if request.get("stream") else _whole(whole(reply, request))
        if reply.is_completion and request.get("stream"):
            return stream, events(reply, request, self.flavour)
        if reply.is_completion:
            return _whole(completion(reply, request, self.flavour))
        return _whole(error_body(self.flavour, reply.status, "scripted error") if reply.body is None else reply.body)


def _whole(value: Any) -> tuple[dict[str, str], Iterable[bytes]]:
    """In two chunks, so that it can be cut between them."""
    kind = "text/html" if isinstance(value, str) else "application/json"
    data = value.encode() if isinstance(value, str) else json.dumps(value).encode()
    half = len(data) // 2
    return {"content-type": kind, "content-length": str(len(data))}, (data[:half], data[half:])


async def _send(reply: Reply, headers: dict[str, str], chunks: Iterable[bytes], send: Send) -> None:
    """Returning without the end of the body makes the server cut the connection."""
    await asyncio.sleep(reply.first_byte_s)
    headers = headers | {name.lower(): value for name, value in reply.headers.items()}
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": encoded})
    for number, chunk in enumerate(chain(chunks, [b""])):
        if number == reply.cut_after:
            return
        await asyncio.sleep(reply.chunk_s if number else 0)
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _body(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _model(name: str) -> Json:
    return {"id": name, "object": "model", "created": 0, "owned_by": "scripted"}


def first_sentence(passages: str) -> str:
    """Of the first passage, without its full stop. Empty when there is none."""
    passage = FIRST_PASSAGE.search(passages)
    sentence = passage and SENTENCE.match(passage["body"])
    return " ".join(sentence[1].split()) if sentence else ""


def answer_from_passages(
    request: Json, *, tool: str = "search_book", quote: Callable[[str], str] = first_sentence
) -> Reply:
    """A script: quotes what `quote` finds in passages; if none are given, it searches with the user's words."""
    asked = [message for message in request["messages"] if message["role"] == "user"]
    given = [message for message in asked if FIRST_PASSAGE.search(_text(message))]
    last = request["messages"][-1]
    if last["role"] != "tool" and not given:
        return Reply.tool_calls([(tool, {"query": _text(asked[-1])})])
    found = quote(_text(last if last["role"] == "tool" else given[-1]))
    return Reply.text(f"According to the book, {found} [1]." if found else "The book does not say.")


def _text(message: Json) -> str:
    content = message["content"]
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
