"""A scripted model that calls a tool, in the real SDK."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from agents import Agent, FunctionTool, RunConfig, Runner
from agents.testing import ScriptedModel, assistant_message, function_call

from tools.context import TurnContext

CONFIG = RunConfig(tracing_disabled=True, trace_include_sensitive_data=False)


@pytest.fixture(params=[False, True], ids=["whole", "streamed"])
def shown(request: pytest.FixtureRequest) -> Callable[..., Awaitable[list[str]]]:
    """Gives what the model is shown after each of its calls."""

    async def run(tool: FunctionTool, context: TurnContext, *calls: dict[str, Any] | str) -> list[str]:
        steps = [[function_call(tool.name, arguments, call_id=f"call-{n}")] for n, arguments in enumerate(calls)]
        agent = Agent(name="reader", model=ScriptedModel([*steps, [assistant_message("Done.")]]), tools=[tool])
        if request.param:
            result: Any = Runner.run_streamed(agent, "?", context=context, run_config=CONFIG)
            [_ async for _ in result.stream_events()]
        else:
            result = await Runner.run(agent, "?", context=context, run_config=CONFIG)
        return [item.output for item in result.new_items if item.type == "tool_call_output_item"]

    return run
