"""The openai client as it is, before the same repair: what the lean one is compared with."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import msgspec
import openai
from openai import AsyncOpenAI
from openai.resources.chat import AsyncChat, AsyncCompletions
from openai.types.chat import ChatCompletion

from app.chat.chunk_repair import ChunkRepair
from app.chat.lean_client import CutReplyError, assembled
from app.chat.wire import Chunk


class RepairedStockClient(AsyncOpenAI):
    """Does not tell an end without a finish reason from a cut: the stock client keeps to itself if [DONE] came."""

    @property
    def chat(self) -> AsyncChat:
        chat = AsyncChat(self)
        chat.completions = RepairedCompletions(self)
        return chat


class RepairedCompletions(AsyncCompletions):
    async def create(self, *, on_finish: Any = None, **fields: Any) -> Any:
        try:
            reply = await super().create(**fields)
        except ValueError as error:
            raise unreadable() from error
        if fields.get("stream") is True:
            return _stream(reply, on_finish)
        repair = ChunkRepair()
        if not isinstance(reply, ChatCompletion):
            raise unreadable()
        told = repair.feed(_chunk(reply))
        if not repair.finish_reason and not (told and told.choices):
            raise CutReplyError(_response().request)
        on_finish(repair.finish_reason or "")
        return assembled(told, repair.finish())


async def _stream(chunks: Any, on_finish: Any) -> AsyncIterator[Chunk]:
    repair = ChunkRepair()
    try:
        async for each in chunks:
            if chunk := repair.feed(_chunk(each)):
                yield chunk
    except openai.APIConnectionError:
        if not repair.finish_reason:
            raise
    except ValueError as error:
        raise unreadable() from error
    if not repair.finish_reason:
        raise CutReplyError(chunks.response.request)
    on_finish(repair.finish_reason)
    yield repair.finish()


def _chunk(each: Any) -> Chunk:
    if not hasattr(each, "to_dict"):
        each = ChatCompletion.construct(error=each)
    chunk = msgspec.convert(each.to_dict(warnings=False), Chunk)
    if chunk.error:
        raise openai.APIError("no", _response().request, body=chunk.error)
    return chunk


def unreadable() -> openai.OpenAIError:
    return openai.APIResponseValidationError(response=_response(), body=None)


def _response() -> httpx2.Response:
    return httpx2.Response(200, request=httpx2.Request("POST", "https://model.example"))
