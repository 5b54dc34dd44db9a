"""What an OpenAI-compatible provider sends of a reply: the fields that the SDK reads, each of which may be missing."""

from typing import Any

import msgspec


class Wire(msgspec.Struct):
    """Fields that are not named here are passed over; all that are may be null."""


class Function(Wire):
    name: str | None = None
    arguments: str | dict[str, Any] | None = None
    """JSON; some providers send it parsed."""


class ToolCall(Wire):
    index: int | None = None
    id: str | None = None
    type: str | None = None
    function: Function | None = None
    extra_content: dict[str, Any] | None = None
    """Gemini's thought signature."""
    provider_specific_fields: dict[str, Any] | None = None
    """The same, from a proxy."""


class Delta(Wire):
    role: str | None = None
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = None
    reasoning_content: str | None = None
    reasoning: Any = None
    thinking_blocks: list[Any] | None = None
    annotations: Any = None
    audio: Any = None


class TopLogprob(Wire):
    token: str
    logprob: float
    bytes: list[int] | None = None


class TokenLogprob(TopLogprob):
    top_logprobs: list[TopLogprob] = []


class Logprobs(Wire):
    content: list[TokenLogprob] | None = None


class Choice(Wire):
    index: int | None = None
    delta: Delta | None = None
    message: Delta | None = None
    """Of a reply that is no stream, in place of the delta."""
    finish_reason: str | None = None
    logprobs: Logprobs | None = None


class InputTokens(Wire):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class OutputTokens(Wire):
    reasoning_tokens: int | None = None


class Usage(Wire):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: InputTokens | None = None
    completion_tokens_details: OutputTokens | None = None


class Chunk(Wire):
    """A piece of a reply, or the whole of one that is no stream."""

    id: str | None = None
    model: str | None = None
    choices: list[Choice] | None = None
    usage: Usage | None = None
    error: Any = None


_decoder = msgspec.json.Decoder(Chunk | list[Chunk])


def read_chunk(data: bytes) -> Chunk:
    """Gemini puts its errors in a list. Raises msgspec.DecodeError or UnicodeDecodeError."""
    read = _decoder.decode(data)
    return read if isinstance(read, Chunk) else Chunk(error=[chunk.error for chunk in read])
