"""The agent at work on one question, as what a turn needs of it: text, the tools' beginnings and ends, usage."""

from collections.abc import AsyncIterator
from typing import Any

from agents import Agent, ModelSettings, RunConfig, Runner, ToolCallOutputItem

from app.chat.events import Cut, ToolFinished, ToolStarted, Usage, finished
from app.chat.providing import Models
from app.chat.turn_model import TurnModel
from tools.context import ToolCall, TurnContext

MOST_TOKENS = 2**31 - 1
"""That the database takes; a provider may say anything."""


class ModelRun:
    def __init__(
        self,
        agent: Agent[TurnContext],
        given: list[Any],
        context: TurnContext,
        models: Models,
        *,
        deadline: float,
        must_search: bool,
    ) -> None:
        """`deadline`: on the monotonic clock.

        `must_search`: as the prompt's `tool_choice` says; a model that has passages need not call a tool.
        """
        self._context = context
        self._model = TurnModel(models, deadline)
        self._run = Runner.run_streamed(
            agent,
            given,
            context=context,
            max_turns=models.max_calls,
            error_handlers={"model_refusal": lambda _: ""},  # a reply without a text
            run_config=RunConfig(
                model=self._model,
                workflow_name="book-agent",
                trace_include_sensitive_data=False,
                tool_not_found_behavior="return_error_to_model",
                model_settings=None if must_search else ModelSettings(tool_choice="auto"),
            ),
        )

    @property
    def usage(self) -> Usage:
        usage = self._run.context_wrapper.usage
        return Usage(_bounded(usage.input_tokens), _bounded(usage.output_tokens), usage.requests)

    @property
    def model(self) -> str | None:
        """The name of the one that wrote the last reply."""
        return self._model.replied.name if self._model.replied else None

    @property
    def cut(self) -> Cut | None:
        """Why the last reply is not whole."""
        return self._model.cut

    def stop(self) -> None:
        self._run.cancel()

    async def events(self) -> AsyncIterator[str | ToolStarted | ToolFinished]:
        """Raises what the SDK and the openai client raise."""
        names: dict[str, str] = {}
        async for event in self._run.stream_events():
            if event.type == "raw_response_event":
                data = event.data
                if data.type == "response.output_text.delta":
                    yield data.delta
                elif data.type == "response.output_item.added" and data.item.type == "function_call":
                    names[data.item.call_id] = data.item.name
                    yield ToolStarted(data.item.name, data.item.call_id)
            elif event.type == "run_item_stream_event" and isinstance(event.item, ToolCallOutputItem):
                id_ = event.item.call_id or ""
                yield finished(id_, self._context.calls.get(id_, ToolCall(names.get(id_, ""), 0, 0.0)))


def _bounded(tokens: int) -> int:
    return min(max(0, tokens), MOST_TOKENS)
