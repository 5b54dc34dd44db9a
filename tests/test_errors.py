"""Whatever a library raises becomes one of our errors, once, at its adapter."""

import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import Any
from unittest.mock import Mock

import agents
import httpx
import httpx2
import openai
import psycopg
import psycopg_pool
import pytest
import qdrant_client.common.client_exceptions
import qdrant_client.http.exceptions
from psycopg import errors as postgres
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from app import errors
from app.book import qdrant_store
from app.chat import model_errors
from app.chat.lean_client import CutReplyError
from app.errors import (
    BookAgentError,
    CollectionMissingError,
    DatabaseUnavailableError,
    MigrationError,
    ModelBehaviourError,
    ModelUnauthorizedError,
    ModelUnavailableError,
    VectorStoreRefusedError,
    VectorStoreUnauthorizedError,
    VectorStoreUnavailableError,
)
from app.history import database

VARIADIC = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
REQUEST = httpx2.Request("POST", "https://model.example/chat/completions")
MISSING = b'{"status": {"error": "Not found: Collection `book` does not exist!"}, "time": 0.0}'
INVALID_KEY = [{"error": {"code": 400, "status": "INVALID_ARGUMENT", "details": [{"reason": "API_KEY_INVALID"}]}}]


def classes_of(module: ModuleType, base: type[Exception] = Exception) -> list[type[Exception]]:
    """The exceptions that a module gives to others."""
    public = [getattr(module, name) for name in dir(module) if name[0].isupper()]
    return [value for value in public if inspect.isclass(value) and issubclass(value, base)]


def made(kind: type[Exception], **known: Any) -> Exception:
    """An instance, with each argument that its constructor insists on: from `known`, or of no consequence."""
    _, *parameters = inspect.signature(kind.__init__).parameters.values()
    needed = [each.name for each in parameters if each.default is each.empty and each.kind not in VARIADIC]
    return kind(**{name: known.get(name, Mock()) for name in needed})


def refused(
    kind: type[openai.APIStatusError], status: int, body: object = None, *, retry_after: bytes = b""
) -> Exception:
    headers = [(b"retry-after", retry_after)] if retry_after else []
    return kind("no", response=httpx2.Response(status, headers=headers, request=REQUEST), body=body)


def unexpected(status: int, content: bytes = b"") -> UnexpectedResponse:
    return UnexpectedResponse(status, "", content, httpx.Headers())


def caused_by(error: Exception, cause: Exception | None) -> Exception:
    error.__cause__ = cause
    return error


def openai_errors() -> Iterator[Exception]:
    response = httpx2.Response(418, request=REQUEST)
    for kind in classes_of(openai, openai.OpenAIError):
        yield made(kind, message="no", request=REQUEST, response=response, body=None, unsent_messages=[])


def agents_errors() -> Iterator[Exception]:
    for kind in classes_of(agents.exceptions, agents.exceptions.AgentsException):
        yield made(kind, timeout_seconds=1.0)


def qdrant_errors() -> Iterator[Exception]:
    for module in (qdrant_client.http.exceptions, qdrant_client.common.client_exceptions):
        for kind in classes_of(module):
            yield made(kind, status_code=418, retry_after_s=1)


def named(error: Exception) -> str:
    return type(error).__name__


@pytest.mark.parametrize("kind", classes_of(errors), ids=lambda kind: kind.__name__)
def test_each_of_our_errors_says_what_is_wrong_and_has_a_status(kind):
    assert issubclass(kind, BookAgentError)
    assert inspect.cleandoc(vars(kind)["__doc__"]).endswith(".")
    assert 400 <= kind.status <= 599


def test_the_docstring_is_the_detail_unless_another_is_given():
    assert errors.NotFoundError().detail == str(errors.NotFoundError()) == "There is no such thing here."
    assert errors.NotFoundError("No conversation.").detail == "No conversation."


def test_an_operator_reads_what_is_wrong_and_why_and_what_to_do_in_sentences():
    error = errors.DatabaseUnavailableError(reason="Connection refused")
    assert error.for_operator == (
        "The database is not available: Connection refused. Check DATABASE_URL, and that the server runs."
    )
    assert errors.VectorStoreUnauthorizedError("no entry").for_operator == "no entry. Check QDRANT_API_KEY."
    assert errors.ConfigurationError("no entry").for_operator == "no entry"
    assert "QDRANT_CLUSTER_ENDPOINT" not in errors.EmbeddedStoreError().for_operator


def test_an_error_may_say_when_to_ask_again():
    assert errors.UnavailableError().retry_after_s == 5
    assert errors.UnavailableError(retry_after_s=30).retry_after_s == 30
    assert errors.UnavailableError.retry_after_s == 5


@pytest.mark.parametrize("error", [*openai_errors(), *agents_errors()], ids=named)
def test_whatever_the_client_or_the_sdk_raises_becomes_ours(error):
    expected = BookAgentError if type(error) is agents.UserError else ModelUnavailableError
    assert isinstance(model_errors.translate(error), expected)


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        pytest.param(refused(openai.AuthenticationError, 401), ModelUnauthorizedError, id="401"),
        pytest.param(refused(openai.PermissionDeniedError, 403), ModelUnauthorizedError, id="403"),
        pytest.param(refused(openai.BadRequestError, 400, INVALID_KEY), ModelUnauthorizedError, id="Gemini's 400"),
        pytest.param(refused(openai.BadRequestError, 400), ModelBehaviourError, id="400"),
        pytest.param(refused(openai.UnprocessableEntityError, 422), ModelBehaviourError, id="422"),
        pytest.param(refused(openai.NotFoundError, 404), ModelUnavailableError, id="404"),
        pytest.param(refused(openai.RateLimitError, 429), ModelUnavailableError, id="429"),
        pytest.param(refused(openai.InternalServerError, 500), ModelUnavailableError, id="500"),
        pytest.param(openai.APIConnectionError(request=REQUEST), ModelUnavailableError, id="no connection"),
        pytest.param(httpx2.ReadError("cut"), ModelUnavailableError, id="an error's body is cut"),
        pytest.param(openai.APITimeoutError(REQUEST), ModelUnavailableError, id="timeout"),
        pytest.param(agents.exceptions.ModelTimeoutError(1), ModelUnavailableError, id="the SDK's timeout"),
        pytest.param(agents.MaxTurnsExceeded("6"), ModelBehaviourError, id="too many calls"),
        pytest.param(agents.ModelBehaviorError("no such tool"), ModelBehaviourError, id="bad tool call"),
        pytest.param(agents.UserError("our mistake"), BookAgentError, id="a mistake of ours"),
        pytest.param(caused_by(agents.UserError("tool"), KeyError("x")), BookAgentError, id="a broken tool"),
        pytest.param(KeyError("x"), BookAgentError, id="anything else"),
    ],
)
def test_what_goes_wrong_with_the_model_has_its_own_class(error, ours):
    assert type(model_errors.translate(error)) is ours


def test_an_error_of_ours_comes_out_of_a_tool_as_it_went_in():
    ours = VectorStoreUnavailableError(retry_after_s=7)
    assert model_errors.translate(ours) is ours
    assert model_errors.translate(caused_by(agents.UserError("tool"), ours)) is ours


def test_an_unknown_model_is_told_with_the_setting_to_check():
    assert "MODEL_NAME" in model_errors.translate(refused(openai.NotFoundError, 404)).detail


def test_a_model_that_only_calls_tools_is_told_as_such():
    assert "kept calling tools" in model_errors.translate(agents.MaxTurnsExceeded("6")).detail


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        pytest.param(b"17", 17, id="seconds"),
        pytest.param(b"86400", 3600, id="at most an hour"),
        pytest.param(b"9" * 5000, 5, id="absurd"),
        pytest.param(b"Wed, 21 Oct 2026 07:28:00 GMT", 5, id="a date"),
        pytest.param(b"1.5", 2, id="a fraction"),
        pytest.param(b"\xb2", 5, id="a digit that is no number"),
        pytest.param(b"", 5, id="none"),
    ],
)
def test_the_providers_retry_after_is_kept(header, seconds):
    assert model_errors.translate(refused(openai.RateLimitError, 429, retry_after=header)).retry_after_s == seconds


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (refused(openai.InternalServerError, 503, retry_after=b"9"), 9),
        (refused(openai.RateLimitError, 429, [{"error": {"details": [{"retryDelay": "41.5s"}]}}]), 42),
        (refused(openai.RateLimitError, 429, [{"error": {"details": [{"retryDelay": "soon"}]}}]), 5),
    ],
    ids=["503", "in Gemini's body", "no number"],
)
def test_a_retry_after_is_kept_wherever_it_stands(error, seconds):
    assert model_errors.translate(error).retry_after_s == seconds


IN_STREAM = "an error in a stream"
UNREADABLE = openai.APIResponseValidationError(response=httpx2.Response(200, request=REQUEST), body=None)


@pytest.mark.parametrize(
    ("error", "passing", "outage"),
    [
        *[(refused(openai.InternalServerError, status), True, True) for status in (500, 502, 503, 504, 529)],
        (refused(openai.APIStatusError, 408), True, True),
        (refused(openai.ConflictError, 409), True, False),
        (refused(openai.RateLimitError, 429), True, False),
        (refused(openai.RateLimitError, 429, {"code": "insufficient_quota"}), False, False),
        *[(refused(openai.APIStatusError, status), False, False) for status in (400, 401, 403, 404, 413, 422)],
        (openai.APIConnectionError(request=REQUEST), True, True),
        (openai.APITimeoutError(REQUEST), True, True),
        (CutReplyError(REQUEST), True, True),
        (UNREADABLE, True, True),
        (openai.APIError(IN_STREAM, REQUEST, body={"message": "no"}), True, True),
        (openai.APIError(IN_STREAM, REQUEST, body=[{"code": 503}]), True, True),
        (openai.APIError(IN_STREAM, REQUEST, body={"code": 429}), True, False),
        (openai.APIError(IN_STREAM, REQUEST, body={"code": 400}), False, False),
        (agents.ModelBehaviorError("empty"), False, False),
        (ModelUnavailableError(), False, False),
    ],
    ids=lambda value: f"{named(value)} {getattr(value, 'status_code', '')}" if isinstance(value, Exception) else "",
)
def test_it_is_known_what_may_pass_and_what_is_an_outage(error, passing, outage):
    assert (model_errors.is_passing(error), model_errors.is_outage(error)) == (passing, outage)


def test_what_a_provider_says_never_reaches_a_client():
    error = refused(openai.BadRequestError, 400, {"message": "key sk-planted is wrong"})
    assert "planted" not in model_errors.translate(error).detail


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (psycopg.OperationalError(), DatabaseUnavailableError),
        (psycopg.InterfaceError(), DatabaseUnavailableError),
        (postgres.AdminShutdown(), DatabaseUnavailableError),
        (postgres.CannotConnectNow(), DatabaseUnavailableError),
        (postgres.TooManyConnections(), DatabaseUnavailableError),
        (postgres.QueryCanceled(), DatabaseUnavailableError),
        (psycopg_pool.PoolTimeout(), DatabaseUnavailableError),
        (psycopg_pool.PoolClosed(), DatabaseUnavailableError),
        (psycopg_pool.TooManyRequests(), DatabaseUnavailableError),
        (TimeoutError(), DatabaseUnavailableError),
        (postgres.UndefinedTable(), MigrationError),
        (postgres.UndefinedColumn(), MigrationError),
        (psycopg.DataError(), BookAgentError),
        (psycopg.IntegrityError(), BookAgentError),
        (psycopg.ProgrammingError(), BookAgentError),
        (psycopg.InternalError(), BookAgentError),
        (psycopg.NotSupportedError(), BookAgentError),
    ],
    ids=lambda value: named(value) if isinstance(value, Exception) else "",
)
def test_what_goes_wrong_with_the_database_has_its_own_class(error, ours):
    assert type(database.translate(error)) is ours


def test_whatever_postgres_says_becomes_ours():
    translated = [database.translate(kind("planted")) for kind in classes_of(postgres, psycopg.Error)]
    assert len(translated) > 200
    assert all(isinstance(ours, BookAgentError) and "planted" not in ours.detail for ours in translated)


@pytest.mark.parametrize("error", list(qdrant_errors()), ids=named)
def test_whatever_the_qdrant_client_raises_becomes_ours(error):
    assert isinstance(qdrant_store.translate(error), VectorStoreUnavailableError)


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        pytest.param(unexpected(401), VectorStoreUnauthorizedError, id="401"),
        pytest.param(unexpected(403), VectorStoreUnauthorizedError, id="403"),
        pytest.param(unexpected(404, MISSING), CollectionMissingError, id="404"),
        pytest.param(unexpected(404), VectorStoreUnavailableError, id="404 without words"),
        pytest.param(unexpected(404, b"<html>"), VectorStoreUnavailableError, id="404 of a proxy"),
        pytest.param(unexpected(404, b'{"status": 404}'), VectorStoreUnavailableError, id="404 of another server"),
        pytest.param(unexpected(400), VectorStoreRefusedError, id="400"),
        pytest.param(unexpected(408), VectorStoreUnavailableError, id="408"),
        pytest.param(unexpected(429), VectorStoreUnavailableError, id="429"),
        pytest.param(unexpected(503), VectorStoreUnavailableError, id="503"),
        pytest.param(ResponseHandlingException(httpx.ConnectError("")), VectorStoreUnavailableError, id="down"),
        pytest.param(TimeoutError(), VectorStoreUnavailableError, id="timeout"),
        pytest.param(ValueError("no JSON"), VectorStoreUnavailableError, id="no JSON"),
    ],
)
def test_what_goes_wrong_with_qdrant_has_its_own_class(error, ours):
    assert type(qdrant_store.translate(error)) is ours


@pytest.mark.parametrize(("said", "kept"), [(17, 17), (0, 1), (-5, 1), (86400, 3600)])
def test_qdrants_retry_after_is_kept_within_reason(said, kept):
    assert qdrant_store.translate(ResourceExhaustedResponse("", said)).retry_after_s == kept


@pytest.mark.parametrize(
    ("error", "again"),
    [
        *[pytest.param(unexpected(status), True, id=str(status)) for status in (429, 500, 502, 503, 504)],
        *[pytest.param(unexpected(status), False, id=str(status)) for status in (400, 401, 403, 404, 409, 422)],
        pytest.param(ResourceExhaustedResponse("", 1), 1.0, id="too many requests"),
        pytest.param(ResourceExhaustedResponse("", 2), False, id="too many requests for the time that is left"),
        pytest.param(ResponseHandlingException(httpx.ConnectError("")), True, id="no connection"),
        pytest.param(ResponseHandlingException(httpx.ReadTimeout("")), True, id="timeout"),
        pytest.param(ResponseHandlingException(httpx.RemoteProtocolError("")), True, id="cut off"),
        pytest.param(ResponseHandlingException(ValueError("no JSON")), False, id="no JSON"),
        pytest.param(ValueError(), False, id="anything else"),
    ],
)
def test_qdrant_is_asked_again_only_where_that_may_help(error, again):
    retried = qdrant_store.retried(error, left_s=1.5)
    assert (type(retried), retried) == (type(again), again)
