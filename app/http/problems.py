"""Every error a client can get, as application/problem+json (RFC 9457)."""

from http import HTTPStatus
from typing import Any
from uuid import UUID

import structlog
from litestar import Request, Response
from litestar.enums import ParamType
from litestar.exceptions import HTTPException

from app.chat.events import Problem
from app.errors import BookAgentError, ClientGoneError, InvalidRequestError
from app.http.observation import request_id_of
from app.http.schemas import FieldError, ProblemDetails
from app.plain_words import in_plain_words

MEDIA_TYPE = "application/problem+json"
LONGEST_BODY = 64 * 1024
TAKE_ANOTHER_KEY = "This is how the first request with this Idempotency-Key ended: take a new key to ask again."
log = structlog.get_logger(__name__)


def problem_response(
    request: Request[Any, Any, Any],
    status: int,
    detail: str,
    *,
    retry_after_s: int | None = None,
    errors: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
    turn_id: UUID | None = None,
) -> Response[ProblemDetails]:
    problem = ProblemDetails(
        title="Client Closed Request" if status == ClientGoneError.status else HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        instance=request.url.path,
        request_id=request_id_of(request.scope),
        errors=[FieldError(field, message) for field, message in (errors or {}).items()],
        turn_id=turn_id,
    )
    retry = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    return Response(problem, status_code=status, media_type=MEDIA_TYPE, headers=(headers or {}) | retry)


def on_our_error(request: Request[Any, Any, Any], error: BookAgentError) -> Response[ProblemDetails]:
    errors = error.errors if isinstance(error, InvalidRequestError) else None
    detail = error.detail
    if error.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("request.broken", exc_info=error)
        detail = "Something went wrong here; it is in the log under this request id."
    elif error.status == HTTPStatus.SERVICE_UNAVAILABLE:
        log.warning(
            "request.unavailable",
            error=type(error).__name__,
            cause=type(error.__cause__).__name__,
            **({"reason": error.reason} if error.reason else {}),
        )
    return problem_response(request, error.status, detail, retry_after_s=error.retry_after_s, errors=errors)


def on_http_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[ProblemDetails]:
    """The framework's own: routing, parameters, sizes."""
    if error.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return on_unexpected(request, error)
    entries = [entry for entry in error.extra if isinstance(entry, dict)] if isinstance(error.extra, list) else []
    errors = {_field(request, entry): in_plain_words(str(entry.get("message", ""))) for entry in entries}
    detail = "; ".join(f"{field}: {message}" for field, message in errors.items()) or _detail(request, error)
    headers = {name: value for name, value in (error.headers or {}).items() if name.lower() != "content-type"}
    return problem_response(request, error.status_code, detail, errors=errors, headers=headers)


def _detail(request: Request[Any, Any, Any], error: HTTPException) -> str:
    if error.status_code == HTTPStatus.NOT_FOUND:
        return f"There is nothing at {request.url.path}."
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return f"{request.method} is not possible here, but {(error.headers or {}).get('allow', 'GET')} is."
    if error.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return f"A request's body may have {LONGEST_BODY} bytes at the most."
    return error.detail


def _field(request: Request[Any, Any, Any], entry: dict[str, Any]) -> str:
    """As a client knows it."""
    name = str(entry.get("key", ""))
    if entry.get("source") != ParamType.HEADER:
        return name
    declared = request.route_handler.parsed_fn_signature.parameters[name].kwarg_definition
    return getattr(declared, "name", None) or name


def on_unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[ProblemDetails]:
    log.error("request.broken", exc_info=error)
    return problem_response(
        request,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "Something went wrong here; it is in the log under this request id.",
    )


def of_turn(
    request: Request[Any, Any, Any], problem: Problem, turn_id: UUID, headers: dict[str, str]
) -> Response[ProblemDetails]:
    """A turn that failed, asked for as JSON. With `headers` it is a replay, and to ask again is in vain."""
    detail = f"{problem.detail} {TAKE_ANOTHER_KEY}" if headers else problem.detail
    retry_after_s = None if headers else problem.retry_after_s
    return problem_response(
        request, problem.status, detail, retry_after_s=retry_after_s, headers=headers, turn_id=turn_id
    )
