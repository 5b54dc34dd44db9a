"""What the model is told of the exchanges before this turn."""

import re
from collections.abc import Sequence
from typing import Any

from app.history.conversations import Exchange

MOST_EXCHANGES = 20
CHARACTERS_PER_TOKEN = 4
MARKER = re.compile(r"\s*\[\d+\]")
"""An earlier turn's numbers mean nothing in this one."""


def without_markers(exchange: Exchange) -> Exchange:
    return Exchange(exchange.question, MARKER.sub("", exchange.answer), exchange.asked_at)


def input_of(exchanges: Sequence[Exchange], tokens: int) -> list[Any]:
    """Messages of the latest exchanges that fit, in whole pairs, oldest first; tokens are estimated from lengths."""
    chosen: list[tuple[str, str]] = []
    left = tokens * CHARACTERS_PER_TOKEN
    for exchange in reversed(exchanges):
        answer = without_markers(exchange).answer
        left -= len(exchange.question) + len(answer)
        if left < 0:
            break
        chosen.append((exchange.question, answer))
    return [
        {"role": role, "content": content}
        for question, answer in reversed(chosen)
        for role, content in (("user", question), ("assistant", answer))
    ]
