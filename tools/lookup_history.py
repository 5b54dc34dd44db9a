"""The tool that looks up what was said earlier in this conversation."""

import time

from agents import function_tool
from agents.tool_context import ToolContext

from tools.context import PastExchange, ToolCall, TurnContext
from tools.fences import inside

NAME = "lookup_history"
NOTHING = "There are no earlier exchanges in this conversation."
DEFAULT_LIMIT, MOST = 5, 20
ANSWER_LENGTH = 1500


@function_tool(name_override=NAME, failure_error_function=None)
async def lookup_history(  # noqa: D417 - the model is not told of the context
    context: ToolContext[TurnContext], query: str | None = None, limit: int | None = None
) -> str:
    """Look up earlier questions and answers of this conversation.

    For questions about the conversation itself, such as "what did I ask before?". It says nothing about the book.

    Args:
        query: Words to look for, or null for the latest exchanges.
        limit: How many exchanges at the most, up to 20, or null for 5.
    """
    turn = context.context
    started = time.perf_counter()
    exchanges = await turn.history.look_up(query, max(1, min(limit or DEFAULT_LIMIT, MOST)))
    turn.calls[context.tool_call_id] = ToolCall(NAME, len(exchanges), time.perf_counter() - started)
    return "\n".join(_rendered(exchange) for exchange in exchanges) or NOTHING


def _rendered(exchange: PastExchange) -> str:
    question, answer = (inside("exchange", text) for text in (exchange.question, exchange.answer[:ANSWER_LENGTH]))
    return f'<exchange at="{exchange.asked_at:%Y-%m-%d %H:%M}">\nQuestion: {question}\nAnswer: {answer}\n</exchange>'
