"""Puts right what providers get wrong in a reply, before the SDK sees it.

Left as they are, these end in a tool that never runs and an answer that rests on nothing.
"""

import json
from collections.abc import Iterator
from uuid import uuid4

import msgspec

from app.chat.wire import Choice, Chunk, Delta, Function, ToolCall

STOPPED, CALLED, CUT, FILTERED = "stop", "tool_calls", "length", "content_filter"
REASONS = {"max_tokens": CUT} | dict.fromkeys(
    ("safety", "recitation", "blocklist", "prohibited_content", "spii"), FILTERED
)
"""Gemini's own words, which its endpoint lets through now and then."""
MOST_CALLS = 16
"""In one reply; more than that is no wish to know more."""
_decoder = json.JSONDecoder()


class ChunkRepair:
    """Of one reply. Text goes on as it comes; tool calls come whole, all of them in the last chunk."""

    def __init__(self) -> None:
        self._calls: list[ToolCall] = []
        self._envelope = Chunk()
        self.finish_reason: str | None = None
        """None until the provider gave one."""

    def feed(self, chunk: Chunk) -> Chunk | None:
        """The chunk without tool calls and end; None if nothing is left of it."""
        choice = next((choice for choice in chunk.choices or () if not choice.index), None)
        delta = choice and (choice.delta or choice.message)
        self._envelope = Chunk(chunk.id, chunk.model)
        if choice and choice.finish_reason:
            reason = choice.finish_reason.partition(":")[0].lower()  # Gemini may go on with its own word for it
            self.finish_reason = REASONS.get(reason, reason)
        for part in delta.tool_calls or () if delta else ():
            self._add(part)
        if delta:
            delta.tool_calls = None
        elif chunk.usage is None:
            return None
        chunk.choices = [Choice(0, delta, logprobs=choice.logprobs)] if choice and delta else []
        return chunk

    def finish(self) -> Chunk:
        """The reply's end, with its tool calls."""
        whole = [part for call in self._calls if _name(call) for part in _split(call)]
        reason = self.finish_reason or STOPPED
        delta = Delta(tool_calls=_distinct(whole[:MOST_CALLS]) or None)
        choice = Choice(0, delta, finish_reason=CALLED if whole and reason == STOPPED else reason)
        return msgspec.structs.replace(self._envelope, choices=[choice])

    def _add(self, part: ToolCall) -> None:
        call = self._continued(part)
        if call is None:
            call = ToolCall(part.index, function=Function("", ""))
            self._calls.append(call)
        told, added = call.function or Function(), part.function or Function()
        call.function = Function(added.name or told.name, _text(told) + _text(added))
        call.id = call.id or part.id
        call.extra_content = call.extra_content or part.extra_content
        call.provider_specific_fields = call.provider_specific_fields or part.provider_specific_fields

    def _continued(self, part: ToolCall) -> ToolCall | None:
        """The call that a part goes on with; None if it begins one, whatever its index says."""
        name = _name(part)
        known = (call for call in self._calls if part.id and call.id == part.id and name in {None, _name(call)})
        same = (call for call in reversed(self._calls) if None in {part.index, call.index} or part.index == call.index)
        if found := next(known, None):
            return found
        last = next(same, None)
        return None if last is None or _begins(part, last) else last


def _begins(part: ToolCall, last: ToolCall) -> bool:
    if part.id and last.id:
        return True
    name, last_name = _name(part), _name(last)
    if not (name and last_name):
        return False
    return name != last_name or any(map(_says_something, objects_in(_text(last.function or Function()))))


def _split(call: ToolCall) -> Iterator[ToolCall]:
    """One call for each object in the arguments; an empty one before or after others says nothing."""
    function = call.function or Function()
    text = _text(function)
    objects = list(dict.fromkeys(objects_in(text)))
    said = [each for each in objects if _says_something(each)] if len(objects) > 1 else []
    for n, arguments in enumerate(said or [objects[0] if objects else text or "{}"]):
        part = msgspec.structs.replace(call, type="function", function=Function(function.name, arguments))
        yield part if n == 0 else msgspec.structs.replace(part, id=None, extra_content=None)


def _distinct(calls: list[ToolCall]) -> list[ToolCall]:
    """With indexes in order, and an id of its own each."""
    ids: set[str] = set()
    for index, call in enumerate(calls):
        call.index = index
        call.id = call.id if call.id and call.id not in ids else f"call_{uuid4().hex}"
        ids.add(call.id)
    return calls


def _name(call: ToolCall) -> str | None:
    return (call.function and call.function.name) or None


def _says_something(written: str) -> bool:
    return bool(written.strip("{} \t\r\n"))


def _text(function: Function) -> str:
    given = function.arguments or ""
    return given if isinstance(given, str) else json.dumps(given)


def objects_in(text: str) -> list[str]:
    """The JSON objects that the text consists of, as they are written; none if there is anything else in it."""
    objects: list[str] = []
    position = 0
    while rest := text[position:].lstrip():
        position = len(text) - len(rest)
        try:
            value, end = _decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            return []
        if not isinstance(value, dict):
            return []
        objects.append(text[position:end])
        position = end
    return objects
