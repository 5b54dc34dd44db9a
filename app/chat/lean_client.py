"""The openai client, with a chat completion's path made lean: it builds no typed objects that nobody reads.

Its own one makes pydantic objects of every chunk, which is most of what a streamed chat costs.
"""

import asyncio
import codecs
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

import anyio
import httpx2
import msgspec
import openai
from openai import AsyncOpenAI, AsyncStream, NotGiven, Omit
from openai.resources.chat import AsyncChat, AsyncCompletions
from openai.types.chat import ChatCompletion

from app.chat.chunk_repair import ChunkRepair
from app.chat.signatures import signed
from app.chat.wire import Chunk, read_chunk

PATH = "/chat/completions"
DONE = b"[DONE]"
END_S = 2.0
"""For what follows the finish reason, where a provider does not end its stream."""
LONGEST_SILENCE_S = 60.0
"""Without a piece of the reply, where the request sets no time."""
LONGEST_REPLY = 8 * 1024 * 1024
"""Bytes. The longest that is worth reading is far shorter."""
DRAIN_S = 0.1
"""For what follows the end, so that the connection can be used again."""
BURST = 16
"""Pieces of text that are read at once, if they come at once; after the first of them a reader gets its turn."""

OnFinish = Callable[[str], None]
"""Is told the finish reason of a reply that came to its end."""


class CutReplyError(openai.APIConnectionError):
    """The reply ended before its end."""

    def __init__(self, request: httpx2.Request) -> None:
        super().__init__(message="The reply ended without a finish reason.", request=request)


class LeanClient(AsyncOpenAI):
    """Replies come repaired, and the environment adds nothing to a request."""

    @cached_property
    def chat(self) -> AsyncChat:
        return LeanChat(self)

    @property
    def default_headers(self) -> dict[str, str | Omit]:
        """Not those of OPENAI_ORG_ID, OPENAI_PROJECT_ID and OPENAI_CUSTOM_HEADERS, nor what machine this is."""
        return {"Accept": "application/json", "Content-Type": "application/json", "User-Agent": self.user_agent}


class LeanChat(AsyncChat):
    def __init__(self, client: LeanClient) -> None:
        super().__init__(client)
        self._lean = LeanCompletions(client)

    @property
    def completions(self) -> AsyncCompletions:
        return self._lean


class LeanCompletions(AsyncCompletions):
    def __init__(self, client: LeanClient) -> None:
        super().__init__(client)
        self._lean = client

    async def create(  # type: ignore[override]  # of its overloads, what the Agents SDK asks for
        self,
        *,
        stream: bool | Omit | None = None,
        on_finish: OnFinish | None = None,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, object] | None = None,
        extra_body: Mapping[str, object] | None = None,
        timeout: float | httpx2.Timeout | NotGiven | None = openai.not_given,  # noqa: ASYNC109 - the client's own
        **fields: Any,
    ) -> "ChatCompletion | LeanStream":
        options: Any = {"headers": extra_headers, "params": extra_query, "extra_json": extra_body, "timeout": timeout}
        options = {name: value for name, value in options.items() if value is not None and given(value)}
        body = {name: value for name, value in fields.items() if given(value)}
        body["messages"] = signed(body["messages"], body["model"])
        if stream is True:
            streamed = await self._lean.post(
                PATH, cast_to=Chunk, body=body | {"stream": True}, options=options, stream=True, stream_cls=LeanStream
            )
            streamed.on_finish = on_finish
            return streamed
        response = await self._lean.post(PATH, cast_to=httpx2.Response, body=body, options=options)
        return _completion(response, on_finish)


class LeanStream(AsyncStream[Chunk]):
    on_finish: OnFinish | None = None
    _heard_at = 0.0
    """When the last piece of the reply came, on the monotonic clock."""

    async def __stream__(self) -> AsyncIterator[Chunk]:
        """Raises APITimeoutError, APIConnectionError, CutReplyError, APIError and APIResponseValidationError."""
        repair, texts = ChunkRepair(), 0
        try:
            async for chunk in self._chunks(repair):
                yield chunk
                if chunk.choices and chunk.choices[0].delta and chunk.choices[0].delta.content:
                    if texts % BURST == 0:
                        await asyncio.sleep(0)
                    texts += 1
            last = repair.finish()
            _report(last, self.on_finish)
            yield last
        finally:
            await self.response.aclose()

    async def _chunks(self, repair: ChunkRepair) -> AsyncIterator[Chunk]:
        received = self.response.aiter_bytes()
        events = EventData()
        try:
            async for data in self._said(received, repair):
                for event in events.feed(data):
                    self._heard_at = time.monotonic()
                    if event == DONE:
                        await _drain(received)
                        return
                    if chunk := repair.feed(_read(event, self.response)):
                        yield chunk
        except httpx2.RequestError as error:
            if not repair.finish_reason:
                raise _connection_error(error, self.response.request) from error
        if not repair.finish_reason:
            raise CutReplyError(self.response.request)

    async def _said(self, received: AsyncIterator[bytes], repair: ChunkRepair) -> AsyncIterator[bytes]:
        """Bytes that are worth reading: not too many, not for ever comments, and not long after the end."""
        size, self._heard_at = 0, time.monotonic()
        silence_s = self.response.request.extensions.get("timeout", {}).get("read") or LONGEST_SILENCE_S
        while True:
            left_s = (END_S if repair.finish_reason else silence_s) - (time.monotonic() - self._heard_at)
            with anyio.move_on_after(left_s) as waiting:
                data = await anext(received, None)
            if waiting.cancelled_caught and not repair.finish_reason:
                raise openai.APITimeoutError(self.response.request)
            if waiting.cancelled_caught or data is None:
                return
            size += len(data)
            if size > LONGEST_REPLY:
                raise openai.APIResponseValidationError(response=self.response, body=None)
            yield data


class EventData:
    """The data of server-sent events, out of bytes that come in pieces."""

    def __init__(self) -> None:
        self._has_begun = False
        self._rest = b""
        self._lines: list[bytes] = []

    def feed(self, received: bytes) -> Iterator[bytes]:
        if not self._has_begun:
            self._has_begun, received = True, received.removeprefix(codecs.BOM_UTF8)
        *lines, self._rest = (self._rest + received).split(b"\n")
        for line in map(_without_return, lines):
            if line.startswith(b"data:"):
                self._lines.append(line.removeprefix(b"data:").removeprefix(b" "))
            elif not line and self._lines:
                yield b"\n".join(self._lines)
                self._lines = []


def _without_return(line: bytes) -> bytes:
    return line.removesuffix(b"\r")


def given(value: object) -> bool:
    return not isinstance(value, Omit | NotGiven)


def _read(data: bytes, response: httpx2.Response) -> Chunk:
    try:
        chunk = read_chunk(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise openai.APIResponseValidationError(response=response, body=None) from error
    if chunk.error:
        raise openai.APIError("The provider sent an error in place of a reply.", response.request, body=chunk.error)
    return chunk


def _completion(response: httpx2.Response, on_finish: OnFinish | None) -> ChatCompletion:
    """A reply that is no stream is one chunk."""
    repair = ChunkRepair()
    told = repair.feed(_read(response.content, response))
    if not repair.finish_reason and not (told and told.choices):
        raise CutReplyError(response.request)
    last = repair.finish()
    _report(last, on_finish)
    completion = assembled(told, last)
    completion._request_id = response.headers.get("x-request-id")  # noqa: SLF001 - public, in spite of its name
    return completion


def assembled(told: Chunk | None, last: Chunk) -> ChatCompletion:
    """Of a whole reply, and of its end with the tool calls."""
    choice = told.choices[0] if told and told.choices else None
    end = (last.choices or [])[0]
    message = msgspec.to_builtins(choice.delta) if choice else {}
    calls = msgspec.to_builtins(end.delta)["tool_calls"]
    return ChatCompletion.construct(
        id=last.id or "",
        object="chat.completion",
        created=0,
        model=last.model or "",
        usage=msgspec.to_builtins(told.usage) if told else None,
        choices=[
            {
                "index": 0,
                "finish_reason": end.finish_reason,
                "logprobs": msgspec.to_builtins(choice.logprobs) if choice else None,
                "message": message | {"role": "assistant", "tool_calls": calls},
            }
        ],
    )


def _report(last: Chunk, on_finish: OnFinish | None) -> None:
    if on_finish is not None and last.choices:
        on_finish(last.choices[0].finish_reason or "")


def _connection_error(error: httpx2.RequestError, request: httpx2.Request) -> openai.APIConnectionError:
    if isinstance(error, httpx2.TimeoutException):
        return openai.APITimeoutError(request)
    return openai.APIConnectionError(request=request)


async def _drain(received: AsyncIterator[bytes]) -> None:
    with contextlib.suppress(httpx2.RequestError), anyio.move_on_after(DRAIN_S):
        async for _ in received:
            pass
