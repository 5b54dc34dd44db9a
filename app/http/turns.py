"""A turn that was begun before: reading its events again, and ending it."""

from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, HeaderParameter, QueryParameter, SkipValidation
from litestar.response import Stream

from app.chat.opening import cancel_turn, find_events
from app.http import sse
from app.http.chat import PROBLEMS_WITHOUT_BODY, noting
from app.http.limits import limit_requests
from app.http.observation import observation_of
from app.http.schemas import TurnState
from app.resources import Resources

LARGEST_ID = 2**31 - 1
EventId = Annotated[
    int | None,
    HeaderParameter(
        name="Last-Event-ID",
        ge=0,
        le=LARGEST_ID,
        schema_extra={"minimum": 0, "maximum": LARGEST_ID},
        description="The last event that was read",
    ),
]


@get(
    "/api/v1/turns/{turn_id:uuid}/events",
    guards=[limit_requests],
    summary="The events of a turn after one that was read, and those to come",
    tags=["chat"],
    responses={
        **sse.EVENTS,
        204: ResponseSpec(None, description="The last event was read: there is nothing to come back for"),
        **PROBLEMS_WITHOUT_BODY,
    },
)
async def events(
    turn_id: FromPath[UUID],
    resources: NamedDependency[SkipValidation[Resources]],
    owner: NamedDependency[str],
    request: Request[Any, Any, Any],
    last_event_id: EventId = None,
    after: Annotated[
        int, QueryParameter(ge=0, le=LARGEST_ID, description="The same, for a client that sends no such header")
    ] = 0,
) -> Stream | Response[None]:
    entries = await find_events(resources.turn_parts, owner, turn_id, after if last_event_id is None else last_event_id)
    observation = observation_of(request.scope)
    observation.fields["turn_id"] = str(turn_id)
    if entries is None:  # what makes a browser's EventSource stop coming back
        return Response(None, status_code=204)
    observation.fields["turn_status"] = "left"
    return sse.stream(entries, on_end=noting(request))


@post(
    "/api/v1/turns/{turn_id:uuid}/cancel",
    status_code=200,
    guards=[limit_requests],
    summary="End a turn; what there is of its answer is kept",
    tags=["chat"],
    responses={202: ResponseSpec(TurnState, description="It is still ending"), **PROBLEMS_WITHOUT_BODY},
)
async def cancel(
    turn_id: FromPath[UUID],
    resources: NamedDependency[SkipValidation[Resources]],
    owner: NamedDependency[str],
    request: Request[Any, Any, Any],
) -> Response[TurnState]:
    row = await cancel_turn(resources.turn_parts, owner, turn_id)
    observation_of(request.scope).fields |= {"turn_id": str(turn_id), "turn_status": row.status}
    state = TurnState(row.id, row.conversation_id, row.message_id, row.status)
    return Response(state, status_code=200 if row.has_ended else 202)
