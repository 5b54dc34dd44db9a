"""How the SDK and the openai client fail, and what that means here."""

import json
import re
import time
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import agents
import httpx2
import openai

from app.errors import (
    LONGEST_RETRY_AFTER_S,
    BookAgentError,
    ModelBehaviourError,
    ModelUnauthorizedError,
    ModelUnavailableError,
)

SECONDS = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?", re.ASCII)
GEMINI_DELAY = re.compile(r"'retryDelay': '([0-9]{1,9}(?:\.[0-9]{1,9})?)s'", re.ASCII)
"""Gemini says it in the body."""
PASSING = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS}
"""Statuses below 500 with which the same request may succeed later."""

NO_QUOTA = "insufficient_quota"
"""A 429 of OpenAI's that does not pass: nothing is left of what was paid for."""
FAILURES = (openai.OpenAIError, agents.exceptions.AgentsException, httpx2.TransportError, BookAgentError)
"""What a model raises. The openai client does not wrap what breaks off the body of an error."""


def translate(error: Exception) -> BookAgentError:
    """Our error for what the SDK or the openai client raises; a tool's own error comes out as it went in."""
    if isinstance(error, BookAgentError):
        return error
    if isinstance(error, openai.OpenAIError):
        return _translate_client_error(error)
    if isinstance(error, agents.exceptions.AgentsException):
        return _translate_sdk_error(error)
    if isinstance(error, httpx2.TransportError):
        return ModelUnavailableError()
    if isinstance(error, json.JSONDecodeError):
        return ModelBehaviourError("The model provider did not answer in JSON.")
    return BookAgentError()


def is_passing(error: Exception) -> bool:
    """The same request may succeed when it is made again."""
    if isinstance(error, openai.APIConnectionError | openai.APIResponseValidationError | httpx2.TransportError):
        return True
    if not isinstance(error, openai.APIError) or error.code == NO_QUOTA:
        return False
    status = _status(error)
    return status is None or status in PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def is_outage(error: Exception) -> bool:
    """The provider does not answer, or not with anything that can be used."""
    answers = {HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS}
    return is_passing(error) and not (isinstance(error, openai.APIError) and _status(error) in answers)


def retry_after_s(error: Exception) -> float | None:
    """As the provider says it."""
    if not isinstance(error, openai.APIError):
        return None
    if isinstance(error, openai.APIStatusError) and (said := _said_s(error.response.headers)) is not None:
        return said
    delay = GEMINI_DELAY.search(str(error.body))
    return float(delay[1]) if delay else None


def _said_s(headers: httpx2.Headers) -> float | None:
    """Milliseconds are OpenAI's own; a date is what a proxy may say."""
    if SECONDS.fullmatch(milliseconds := headers.get("retry-after-ms", "")):
        return float(milliseconds) / 1000
    value = headers.get("retry-after", "")
    if SECONDS.fullmatch(value):
        return float(value)
    try:
        left_s = parsedate_to_datetime(value).timestamp() - time.time()
    except ValueError:
        return None
    return left_s if left_s > 0 else None


def _status(error: openai.APIError) -> int | None:
    """None where an error came inside a reply and has no number."""
    if isinstance(error, openai.APIStatusError):
        return error.status_code
    codes = [each.get("code") for each in _errors_in(error.body)]
    return next((code for code in codes if isinstance(code, int)), None)


def _errors_in(body: object) -> list[dict[str, object]]:
    return [each for each in (body if isinstance(body, list) else [body]) if isinstance(each, dict)]


def _translate_sdk_error(error: agents.exceptions.AgentsException) -> BookAgentError:
    if isinstance(error, agents.UserError):  # a tool raised, or we misuse the SDK
        return error.__cause__ if isinstance(error.__cause__, BookAgentError) else BookAgentError()
    if isinstance(error, agents.MaxTurnsExceeded):
        return ModelBehaviourError("The model kept calling tools and never answered.")
    if isinstance(error, agents.exceptions.ModelTimeoutError):
        return ModelUnavailableError()
    return ModelBehaviourError()


def _translate_client_error(error: openai.OpenAIError) -> BookAgentError:
    if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError) or _is_invalid_key(error):
        return ModelUnauthorizedError()
    if isinstance(error, openai.APIResponseValidationError):
        return ModelBehaviourError("What the model provider sent cannot be read.")
    if isinstance(error, openai.NotFoundError):
        return ModelUnavailableError(
            "The model provider does not know this model: check MODEL_NAME and MODEL_FALLBACK."
        )
    status = _status(error) if isinstance(error, openai.APIError) else None
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return ModelUnavailableError("The model provider has too many requests.", retry_after_s=_whole_seconds(error))
    if status is not None and status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in PASSING:
        return ModelBehaviourError("The model provider refused the request.")
    return ModelUnavailableError(retry_after_s=_whole_seconds(error))


def _is_invalid_key(error: openai.OpenAIError) -> bool:
    """Gemini says 400 rather than 401, with a list for a body."""
    return isinstance(error, openai.APIError) and "API_KEY_INVALID" in str(error.body)


def _whole_seconds(error: openai.OpenAIError) -> int | None:
    seconds = retry_after_s(error)
    return None if seconds is None else min(-int(-seconds // 1), LONGEST_RETRY_AFTER_S)
