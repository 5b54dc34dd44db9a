"""Gemini's thought signatures, for tool calls that another provider's model has made."""

import re
from collections.abc import Iterable
from typing import Any

INSISTS = re.compile(r"gemini-(?:[3-9]|[1-9][0-9])", re.IGNORECASE)
"""From its third version on Gemini refuses a request with a call that has none."""
FOREIGN = "skip_thought_signature_validator"
"""Google's own word for a call that Gemini did not make."""


def signed(messages: Iterable[Any], model: str) -> list[Any]:
    """As the model needs them: the first call of each message has a signature."""
    return [_signed(message) if INSISTS.search(model) else message for message in messages]


def _signed(message: dict[str, Any]) -> dict[str, Any]:
    first, *others = message.get("tool_calls") or [None]
    if first is None or "extra_content" in first:
        return message
    return message | {"tool_calls": [first | {"extra_content": {"google": {"thought_signature": FOREIGN}}}, *others]}
