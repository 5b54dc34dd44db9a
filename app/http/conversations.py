"""Reading what was said."""

from typing import Annotated
from uuid import UUID

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter, SkipValidation

from app.http.chat import PROBLEMS_WITHOUT_BODY
from app.http.limits import limit_requests
from app.http.schemas import MessagePage
from app.resources import Resources

LARGEST_POSITION = 2**63 - 1


@get(
    "/api/v1/conversations/{conversation_id:uuid}/messages",
    guards=[limit_requests],
    summary="Messages of a conversation, newest page first",
    tags=["conversations"],
    responses=PROBLEMS_WITHOUT_BODY,
)
async def messages(
    conversation_id: FromPath[UUID],
    resources: NamedDependency[SkipValidation[Resources]],
    owner: NamedDependency[str],
    limit: Annotated[int, QueryParameter(ge=1, le=200)] = 50,
    before: Annotated[
        int | None,
        QueryParameter(
            ge=0,
            le=LARGEST_POSITION,
            schema_extra={"minimum": 0, "maximum": LARGEST_POSITION},
            description="`before` of another page",
        ),
    ] = None,
) -> MessagePage:
    page = await resources.conversations.messages(owner, conversation_id, limit=limit + 1, before=before)
    shown = page[-limit:]
    if any(message.status == "running" for message in shown):  # and its server may be gone
        await resources.turn_parts.presence.wake()
    return MessagePage(conversation_id, shown, shown[0].position if len(page) > limit else None)
