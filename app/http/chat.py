"""Asking: the same turn, as one JSON answer or as a stream."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, TypeVar

from litestar import Request, Response, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import HeaderParameter, JSONBody, SkipValidation
from litestar.response import Stream

from app.chat.asking import Asked
from app.chat.event_log import Entry, answer_in, decoded
from app.chat.events import Answer, fold
from app.chat.opening import TurnReader, open_turn
from app.chat.record import problem_of
from app.errors import ClientGoneError, UnfinishedError
from app.http import sse
from app.http.limits import limit_requests
from app.http.observation import Observation, observation_of
from app.http.problems import LONGEST_BODY, of_turn
from app.http.schemas import ChatRequest, ProblemDetails
from app.http.validation import check_body
from app.resources import Resources

T = TypeVar("T")
REPLAYED = "Idempotent-Replayed"
KEY = r"^[\x21-\x7e]+$"
IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=KEY,
        schema_extra={"min_length": 1, "max_length": 255, "pattern": KEY},
        description="The same key with the same body gives the same turn, which is answered once",
    ),
]

PROBLEMS = {
    status: ResponseSpec(ProblemDetails, description=description, media_type="application/problem+json")
    for status, description in {
        400: "Invalid fields, each named",
        404: "No such conversation, or turn",
        409: "The Idempotency-Key was used for another request",
        413: f"A body of more than {LONGEST_BODY} bytes",
        429: "Too many requests; see Retry-After",
        503: "Qdrant, Postgres or the model is not available; see Retry-After",
    }.items()
}
PROBLEMS_WITHOUT_BODY = {status: spec for status, spec in PROBLEMS.items() if status not in {409, 413}}


@post(
    "/api/v1/chat",
    status_code=200,
    guards=[limit_requests],
    before_request=check_body,
    summary="Ask a question",
    tags=["chat"],
    responses={200: ResponseSpec(Answer, description="The answer, or a refusal with its reason"), **PROBLEMS},
)
async def chat(
    data: JSONBody[ChatRequest],
    resources: NamedDependency[SkipValidation[Resources]],
    owner: NamedDependency[str],
    request: Request[Any, Any, Any],
    idempotency_key: IdempotencyKey = None,
) -> Response[Any]:
    turn = await begin(request, resources, owner, data, idempotency_key)
    try:
        answer = await unless_client_leaves(request, fold(decoded(turn.read())))
    except UnfinishedError as error:
        return of_turn(request, problem_of(error), turn.turn_id, headers={})
    if answer is None:
        raise ClientGoneError
    note(observation_of(request.scope), answer)
    if answer.error:
        return of_turn(request, answer.error, turn.turn_id, headers=replayed(turn))
    return Response(answer, headers=replayed(turn))


@post(
    "/api/v1/chat/stream",
    status_code=200,
    guards=[limit_requests],
    before_request=check_body,
    summary="Ask a question and get the answer as a stream of events",
    tags=["chat"],
    responses=sse.EVENTS | PROBLEMS,
)
async def chat_stream(
    data: JSONBody[ChatRequest],
    resources: NamedDependency[SkipValidation[Resources]],
    owner: NamedDependency[str],
    request: Request[Any, Any, Any],
    idempotency_key: IdempotencyKey = None,
) -> Stream:
    turn = await begin(request, resources, owner, data, idempotency_key)
    return sse.stream(turn.read(), on_end=noting(request), headers=replayed(turn))


async def begin(
    request: Request[Any, Any, Any], resources: Resources, owner: str, data: ChatRequest, idempotency_key: str | None
) -> TurnReader:
    """What the log says of the turn stays so if its client leaves before the end."""
    asked = Asked(data.content, data.selected_text, data.page, data.filters)
    turn = await open_turn(resources.turn_parts, owner, asked, data.conversation_id, idempotency_key)
    observation_of(request.scope).fields |= {"turn_id": str(turn.turn_id), "turn_status": "left"}
    return turn


def replayed(turn: TurnReader) -> dict[str, str]:
    return {REPLAYED: "true"} if turn.is_replay else {}


def noting(request: Request[Any, Any, Any]) -> Callable[[Entry], None]:
    observation = observation_of(request.scope)

    def note_last(entry: Entry) -> None:
        if answer := answer_in(entry):
            note(observation, answer)

    return note_last


def note(observation: Observation, answer: Answer) -> None:
    """Into the request's log line: never what was asked or answered."""
    observation.fields |= {
        "turn_id": str(answer.turn_id),
        "turn_status": answer.status,
        "reason": answer.refusal.reason if answer.refusal else None,
        "input_tokens": answer.usage.input_tokens,
        "output_tokens": answer.usage.output_tokens,
        "model_calls": answer.usage.model_calls,
        "search_ms": answer.timings.search_ms,
        "model_ms": answer.timings.model_ms,
        "citations": len(answer.citations),
        "prompt": answer.prompt.digest,
    }


async def unless_client_leaves(request: Request[Any, Any, Any], work: Coroutine[Any, Any, T]) -> T | None:
    """The result of the work, or None when the client was gone first; the work is cancelled then."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        leaving.cancel()
        if not working.done():
            working.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _disconnected(request: Request[Any, Any, Any]) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
