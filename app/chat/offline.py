"""The offline model: a real SDK model without a key or a network. It calls the tools, then quotes the passages."""

import asyncio
import json
import re
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

from agents import Model, ModelResponse, TResponseInputItem, Usage
from agents.items import TResponseStreamEvent
from openai.types.responses import (
    Response,
    ResponseCompletedEvent,
    ResponseCreatedEvent,
    ResponseFunctionToolCall,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
    ResponseOutputMessage,
    ResponseOutputText,
    ResponseTextDeltaEvent,
    ResponseUsage,
)
from openai.types.responses.response_usage import InputTokensDetails, OutputTokensDetails

from app.chat.extraction import Extractor
from app.chat.material import is_material
from app.chat.prompts import NO_ANSWER
from app.chat.questions import is_about_conversation, leans_on_earlier, topic
from tools import lookup_history, search_book

WORD = re.compile(r"\s*\S+\s*")
EXCHANGE = re.compile(r"<exchange [^>]*>\nQuestion: (?P<question>.*?)\nAnswer: (?P<answer>.*?)\n</exchange>", re.DOTALL)
FIRST, LAST = re.compile(r"\bfirst\b", re.IGNORECASE), re.compile(r"\b(?:last|latest|previous|just)\b", re.IGNORECASE)
ANSWERED = re.compile(r"\banswer|\b(?:did|have) you\b", re.IGNORECASE)
CHARACTERS_PER_TOKEN = 4

Output = ResponseFunctionToolCall | ResponseOutputMessage


class OfflineModel(Model):
    """Deterministic: the same input gives the same output, but for ids and times."""

    def __init__(self, extractor: Extractor) -> None:
        self._extractor = extractor

    async def get_response(
        self,
        system_instructions: str | None,
        input: str | list[TResponseInputItem],  # noqa: A002 - the interface's name
        *_rest: Any,
        **_options: Any,
    ) -> ModelResponse:
        output = await self._respond(input)
        read, written = _token_counts(system_instructions, input, output)
        usage = Usage(requests=1, input_tokens=read, output_tokens=written, total_tokens=read + written)
        return ModelResponse(output=[output], usage=usage, response_id=None)

    async def stream_response(
        self,
        system_instructions: str | None,
        input: str | list[TResponseInputItem],  # noqa: A002
        *_rest: Any,
        **_options: Any,
    ) -> AsyncIterator[TResponseStreamEvent]:
        output = await self._respond(input)
        for event in _events(output, _token_counts(system_instructions, input, output)):
            yield event
            await asyncio.sleep(0)  # a reader must get its turn between two words

    async def _respond(self, given: str | list[TResponseInputItem]) -> Output:
        items: list[Any] = [{"role": "user", "content": given}] if isinstance(given, str) else given
        asked = [_text(item) for item in items if item.get("role") == "user" and not is_material(item)]
        question, before = asked[-1], asked[:-1]
        result = items[-1].get("output") if items[-1].get("type") == "function_call_output" else None
        if is_about_conversation(question):
            return _history_call() if result is None else _message(_recalled(question, str(result)))
        earlier = (topic(before) or "") if leans_on_earlier(question) else ""
        passages = result or next((_text(item) for item in items if is_material(item)), None)
        if passages is None:
            return _call(search_book.NAME, {"query": f"{earlier} {question}".strip()})
        return _message(await self._extractor.answer(question, str(passages), earlier=earlier) or NO_ANSWER)


def _history_call() -> ResponseFunctionToolCall:
    return _call(lookup_history.NAME, {"query": None, "limit": lookup_history.MOST})


def _recalled(question: str, result: str) -> str:
    exchanges = list(EXCHANGE.finditer(result))
    if not exchanges:
        return "You have not asked anything before in this conversation."
    if FIRST.search(question):
        exchanges = exchanges[:1]
    elif LAST.search(question):
        exchanges = exchanges[-1:]
    if ANSWERED.search(question):
        return "\n".join(
            f"- You asked: {one['question']}\n- I answered: {_on_one_line(one['answer'])}" for one in exchanges
        )
    listed = "\n".join(f"- {one['question']}" for one in exchanges)
    return f"In this conversation you asked:\n{listed}"


def _on_one_line(text: str) -> str:
    return " ".join(text.split())


def _text(item: Any) -> str:
    content = item.get("content", "")
    return content if isinstance(content, str) else " ".join(part.get("text", "") for part in content)


def _call(name: str, arguments: dict[str, Any]) -> ResponseFunctionToolCall:
    return ResponseFunctionToolCall(
        type="function_call",
        id=f"fc_{uuid.uuid4().hex}",
        call_id=f"call_{uuid.uuid4().hex}",
        name=name,
        arguments=json.dumps(arguments),
    )


def _message(text: str) -> ResponseOutputMessage:
    return ResponseOutputMessage(
        id=f"msg_{uuid.uuid4().hex}",
        type="message",
        role="assistant",
        status="completed",
        content=[ResponseOutputText(type="output_text", text=text, annotations=[])],
    )


def _token_counts(instructions: str | None, given: object, output: Output) -> tuple[int, int]:
    """Read and written, estimated from lengths: there is no tokenizer to ask."""
    read = len(instructions or "") + len(str(given))
    written = len(output.arguments) if isinstance(output, ResponseFunctionToolCall) else len(_only_text(output))
    return read // CHARACTERS_PER_TOKEN, written // CHARACTERS_PER_TOKEN


def _only_text(message: ResponseOutputMessage) -> str:
    return "".join(part.text for part in message.content if isinstance(part, ResponseOutputText))


def _events(output: Output, tokens: tuple[int, int]) -> Iterator[TResponseStreamEvent]:
    response = Response(
        id=f"resp_{uuid.uuid4().hex}",
        created_at=time.time(),
        model="offline",
        object="response",
        output=[],
        tool_choice="auto",
        tools=[],
        parallel_tool_calls=False,
    )
    events: list[Any] = [
        ResponseCreatedEvent(type="response.created", response=response, sequence_number=0),
        ResponseOutputItemAddedEvent(type="response.output_item.added", item=output, output_index=0, sequence_number=1),
    ]
    if isinstance(output, ResponseOutputMessage):
        events += [
            ResponseTextDeltaEvent(
                type="response.output_text.delta",
                item_id=output.id,
                output_index=0,
                content_index=0,
                delta=word,
                logprobs=[],
                sequence_number=number,
            )
            for number, word in enumerate(WORD.findall(_only_text(output)), 2)
        ]
    events.append(
        ResponseOutputItemDoneEvent(
            type="response.output_item.done", item=output, output_index=0, sequence_number=len(events)
        )
    )
    done = response.model_copy(update={"output": [output], "status": "completed", "usage": _usage(*tokens)})
    events.append(ResponseCompletedEvent(type="response.completed", response=done, sequence_number=len(events)))
    yield from events


def _usage(read: int, written: int) -> ResponseUsage:
    return ResponseUsage(
        input_tokens=read,
        output_tokens=written,
        total_tokens=read + written,
        input_tokens_details=InputTokensDetails(cached_tokens=0, cache_write_tokens=0),
        output_tokens_details=OutputTokensDetails(reasoning_tokens=0),
    )
