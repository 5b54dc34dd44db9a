"""A reply of a scripted model, and its bytes on the wire of an OpenAI-compatible endpoint."""

import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, Literal, Self
from uuid import uuid4

Json = dict[str, Any]
Flavour = Literal["openai", "gemini"]
ToolCall = tuple[str, Json | str]
"""A tool's name and its arguments; a str is sent as it is, valid or not."""
GEMINI_STATUS = {
    400: "INVALID_ARGUMENT",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}


@dataclass(frozen=True, kw_only=True)
class Reply:
    """Made by `text`, `tool_calls`, `pieces`, `error`, `json` or `raw`; slowed or cut by `paced`."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content: str | None = None
    calls: Sequence[ToolCall] = ()
    finish_reason: str = "stop"
    body: Any = None
    """Instead of a completion: JSON, or a str sent as it is."""
    parts: Sequence[Json] | None = None
    """Instead of a completion: what is in each chunk of the stream beside the envelope."""
    is_done: bool = True
    """Of parts: the stream says that it is over."""
    chunks: Sequence[bytes] | None = None
    """Instead of a completion: the bytes of the reply."""
    first_byte_s: float = 0.0
    chunk_s: float = 0.0
    cut_after: int | None = None

    @classmethod
    def text(cls, content: str, *, finish_reason: str = "stop") -> Self:
        return cls(content=content, finish_reason=finish_reason)

    @classmethod
    def tool_calls(cls, calls: Sequence[ToolCall], *, preamble: str | None = None) -> Self:
        return cls(calls=calls, content=preamble, finish_reason="tool_calls")

    @classmethod
    def json(cls, body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Self:
        return cls(status=status, body=body, headers=headers or {})

    @classmethod
    def pieces(cls, *parts: Json, is_done: bool = True) -> Self:
        """Just these chunks, made by `piece` or by hand; without a stream, what they come to as one message."""
        return cls(parts=parts, is_done=is_done)

    @classmethod
    def error(cls, status: int, body: Any = None, headers: Mapping[str, str] | None = None) -> Self:
        """Without a body, one in the provider's own shape."""
        return cls.json(body, status, headers)

    @classmethod
    def raw(cls, chunks: Sequence[bytes], chunk_s: float = 0.0, headers: Mapping[str, str] | None = None) -> Self:
        """As `text/event-stream`, unless the headers say otherwise."""
        return cls(chunks=chunks, chunk_s=chunk_s, headers=headers or {})

    @property
    def is_completion(self) -> bool:
        return self.status == HTTPStatus.OK and self.body is None and self.chunks is None and self.parts is None

    def paced(self, *, first_byte_s: float = 0.0, chunk_s: float = 0.0, cut_after: int | None = None) -> Self:
        """Late, slow, or cut after so many chunks: events of a stream; a reply that is no stream has two."""
        return replace(self, first_byte_s=first_byte_s, chunk_s=chunk_s, cut_after=cut_after)


def piece(delta: Json | None = None, finish_reason: str | None = None, **rest: Any) -> Json:
    """A chunk with one choice."""
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}], **rest}


def error_body(flavour: Flavour, status: int, message: str, code: str | None = None) -> Any:
    """`code` is OpenAI's word for it; Gemini has one for each HTTP status, and puts its errors in a list."""
    if flavour == "gemini":
        return [{"error": {"code": status, "message": message, "status": GEMINI_STATUS.get(status, "UNKNOWN")}}]
    kind = "server_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def completion(reply: Reply, request: Json, flavour: Flavour) -> Json:
    """The answer to a request without `stream`."""
    message: Json = {"role": "assistant", "content": reply.content, "refusal": None}
    if reply.calls:
        message["tool_calls"] = _tool_calls(reply, flavour)
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish_reason(reply, flavour)}
    return _envelope("chat.completion", request, choices=[choice], usage=_usage(reply, request))


def whole(reply: Reply, request: Json) -> Json:
    """The answer to a request without `stream`, of a reply in parts: all that is in them, in one message."""
    choices = [choice for part in reply.parts or () for choice in part.get("choices") or ()]
    deltas = [choice["delta"] or {} for choice in choices]
    message: Json = {"role": "assistant", "content": None, "tool_calls": None}
    for delta in deltas:
        for name, value in delta.items():
            message[name] = value if message.get(name) is None or value is None else message[name] + value
    reasons = [choice["finish_reason"] for choice in choices if choice["finish_reason"]]
    rest = {name: value for part in reply.parts or () for name, value in part.items() if name != "choices"}
    choice = {"index": 0, "message": message | {"role": "assistant"}, "finish_reason": reasons[-1] if reasons else None}
    return _envelope("chat.completion", request, **rest, choices=[choice])


def part_events(reply: Reply, request: Json) -> Iterator[bytes]:
    """The answer to a request with `stream`, of a reply in parts."""
    base = _envelope("chat.completion.chunk", request)
    for part in reply.parts or ():
        yield _event(json.dumps(base | part))
    if reply.is_done:
        yield _event("[DONE]")


def events(reply: Reply, request: Json, flavour: Flavour) -> Iterator[bytes]:
    """The answer to a request with `stream`, an SSE event at a time."""
    with_usage = (request.get("stream_options") or {}).get("include_usage", False)
    base = _envelope("chat.completion.chunk", request, choices=[], **({"usage": None} if with_usage else {}))
    deltas = _openai_deltas(reply) if flavour == "openai" else _gemini_deltas(reply)
    for delta, finish_reason in deltas:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        yield _event(json.dumps(base | {"choices": [choice]}))
    if with_usage:
        yield _event(json.dumps(base | {"usage": _usage(reply, request)}))
    yield _event("[DONE]")


def _event(data: str) -> bytes:
    return f"data: {data}\n\n".encode()


Delta = tuple[Json, str | None]


def _openai_deltas(reply: Reply) -> Iterator[Delta]:
    """The role alone, then words, then each call: its name, and its arguments in fragments."""
    yield {"role": "assistant", "content": None if reply.content is None else "", "refusal": None}, None
    for word in _words(reply.content):
        yield {"content": word}, None
    for index, whole in enumerate(_tool_calls(reply, "openai")):
        arguments = whole["function"]["arguments"]
        yield {"tool_calls": [whole | {"index": index, "function": whole["function"] | {"arguments": ""}}]}, None
        for fragment in re.findall(r"\w+|\W+", arguments):
            yield {"tool_calls": [{"index": index, "function": {"arguments": fragment}}]}, None
    yield {}, _finish_reason(reply, "openai")


def _gemini_deltas(reply: Reply) -> Iterator[Delta]:
    """Each delta has the role; each call is whole, and all have index 0; the last delta has the finish reason."""
    deltas: list[Json] = [{"content": word} for word in _words(reply.content)]
    deltas += [{"tool_calls": [call | {"index": 0}]} for call in _tool_calls(reply, "gemini")]
    deltas = deltas or [{"content": ""}]
    for number, delta in enumerate(deltas, start=1):
        last = number == len(deltas)
        yield {"role": "assistant"} | delta, _finish_reason(reply, "gemini") if last else None


def _words(content: str | None) -> list[str]:
    return re.findall(r"\s*\S+|\s+", content or "")


def _tool_calls(reply: Reply, flavour: Flavour) -> list[Json]:
    """Gemini signs the first of the calls that it makes at once."""
    calls = [_tool_call(name, arguments) for name, arguments in reply.calls]
    if flavour == "gemini" and calls:
        calls[0]["extra_content"] = {"google": {"thought_signature": f"signature-of-{calls[0]['id']}"}}
    return calls


def _tool_call(name: str, arguments: Json | str) -> Json:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return {"id": f"call_{uuid4().hex}", "type": "function", "function": {"name": name, "arguments": text}}


def _finish_reason(reply: Reply, flavour: Flavour) -> str:
    return "stop" if flavour == "gemini" and reply.calls else reply.finish_reason


def _envelope(kind: str, request: Json, **rest: Any) -> Json:
    return {
        "id": f"chatcmpl-{uuid4().hex}",
        "object": kind,
        "created": int(time.time()),
        "model": request.get("model"),
        "system_fingerprint": "fp_scripted",
        **rest,
    }


def _usage(reply: Reply, request: Json) -> Json:
    """A word is a token."""
    prompt = len(json.dumps(request.get("messages")).split())
    answer = len(_words(reply.content)) + sum(len(str(call).split()) for call in reply.calls)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": answer,
        "total_tokens": prompt + answer,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }
