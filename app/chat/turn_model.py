"""The model of one turn: whichever of the provided ones replies."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any, cast

import httpx2
from agents import Model, ModelResponse, ModelSettings
from agents.items import TResponseInputItem, TResponseStreamEvent

from app.chat.chances import Chances
from app.chat.events import Cut
from app.chat.model_errors import FAILURES
from app.chat.providing import Models, ProvidedModel

CONNECT_TIMEOUT_S = 3.0
CUTS: dict[str, Cut] = {"length": "length", "content_filter": "content_filter"}
CONTENT = {"response.output_text.delta", "response.refusal.delta", "response.completed"}
"""Events that tell something of the reply, as the beginning of a tool call does; those before them tell nothing yet."""


class TurnModel(Model):
    """Asks again, and asks others, until a reply has begun; never after that."""

    def __init__(self, models: Models, deadline: float) -> None:
        """`deadline`: of the turn, on the monotonic clock."""
        self._models = models
        self._deadline = deadline
        self._calls = 0
        self.replied: ProvidedModel | None = None
        """Which one wrote the last reply."""
        self.cut: Cut | None = None
        """Why the last reply is not whole."""

    async def stream_response(
        self,
        system_instructions: str | None,
        input: str | list[TResponseInputItem],  # noqa: A002 - the interface's name
        model_settings: ModelSettings,
        tools: list[Any],
        *rest: Any,
        **options: Any,
    ) -> AsyncIterator[TResponseStreamEvent]:
        wanted, chances = self._begun(model_settings, tools), Chances(self._models, self._deadline, self.replied)
        while True:
            asked = chances.asked
            settings = self._settings(asked, wanted, chances.left_s())
            events = asked.model.stream_response(system_instructions, input, settings, tools, *rest, **options)
            async with aclosing(cast("Any", events)):
                try:
                    with asked.breaker.guarding():
                        begun = await _until_content(events)
                except FAILURES as error:
                    await chances.after(error)
                    continue
                self.replied = asked
                for event in begun:
                    yield event
                async for event in events:
                    yield event
                return

    async def get_response(
        self,
        system_instructions: str | None,
        input: str | list[TResponseInputItem],  # noqa: A002
        model_settings: ModelSettings,
        tools: list[Any],
        *rest: Any,
        **options: Any,
    ) -> ModelResponse:
        wanted, chances = self._begun(model_settings, tools), Chances(self._models, self._deadline, self.replied)
        while True:
            settings = self._settings(chances.asked, wanted, chances.left_s())
            try:
                with chances.asked.breaker.guarding():
                    response = await chances.asked.model.get_response(
                        system_instructions, input, settings, tools, *rest, **options
                    )
            except FAILURES as error:
                await chances.after(error)
            else:
                self.replied = chances.asked
                return response

    def _begun(self, wanted: ModelSettings, tools: list[Any]) -> ModelSettings:
        """What is wanted of this call: of the last one that is permitted, an answer."""
        self._calls += 1
        is_last = self._calls >= self._models.max_calls
        return replace(wanted, tool_choice=("none" if is_last else wanted.tool_choice) if tools else None)

    def _settings(self, asked: ProvidedModel, wanted: ModelSettings, left_s: float) -> ModelSettings:
        """With what the lean client takes: no attempt gets more time than the turn has."""
        self.cut = None
        read_s = max(0.001, min(self._models.timeout_s, left_s))
        timeout = httpx2.Timeout(read_s, connect=min(CONNECT_TIMEOUT_S, read_s))
        own = replace(asked.settings or ModelSettings(), extra_args={"timeout": timeout, "on_finish": self._on_finish})
        return wanted.resolve(own)

    def _on_finish(self, reason: str) -> None:
        self.cut = CUTS.get(reason)


async def _until_content(events: AsyncIterator[TResponseStreamEvent]) -> list[TResponseStreamEvent]:
    """The first content, and what comes before it."""
    begun: list[TResponseStreamEvent] = []
    async for event in events:
        begun.append(event)
        if _is_content(event):
            break
    return begun


def _is_content(event: TResponseStreamEvent) -> bool:
    if event.type == "response.output_item.added":
        return event.item.type == "function_call"
    return event.type in CONTENT
