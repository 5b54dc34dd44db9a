"""An answer as it is kept, and an error as it is told."""

from collections.abc import Sequence
from typing import Any

import msgspec

from app.chat.asking import Asked
from app.chat.composition import WithheldSentence
from app.chat.events import Answer, Problem
from app.errors import BookAgentError, UnavailableError
from app.history.conversations import AnswerRecord


def problem_of(error: BookAgentError) -> Problem:
    title = "Service Unavailable" if isinstance(error, UnavailableError) else "Internal Server Error"
    return Problem(title, error.status, error.detail, retry_after_s=error.retry_after_s)


def circumstances_of(asked: Asked) -> dict[str, Any] | None:
    """All but the question; None if that is all."""
    said: dict[str, Any] = msgspec.to_builtins(asked)
    filters = {name: value for name, value in said.pop("filters").items() if value}
    rest = {name: value for name, value in said.items() if value and name != "question"}
    return rest | ({"filters": filters} if filters else {}) or None


def record_of(answer: Answer, withheld: Sequence[WithheldSentence]) -> AnswerRecord:
    as_json = msgspec.to_builtins
    return AnswerRecord(
        status=answer.status,
        content=answer.answer,
        model=answer.model,
        prompt_name=answer.prompt.name,
        prompt_version=answer.prompt.version,
        prompt_digest=answer.prompt.digest,
        index_version=answer.index_version,
        input_tokens=answer.usage.input_tokens,
        output_tokens=answer.usage.output_tokens,
        model_calls=answer.usage.model_calls,
        citations=as_json(answer.citations),
        refusal=as_json(answer.refusal),
        error=as_json(answer.error),
        timings=as_json(answer.timings),
        grounding=as_json(answer.grounding),
        withheld=as_json(list(withheld)) or None,
    )
