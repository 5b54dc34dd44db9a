"""Turns whose server is gone: each ends as a failed one, with what there was of its answer."""

from collections.abc import Sequence

import msgspec
import structlog

from app.chat.event_log import entry_of, readable
from app.chat.events import Answer, Event, Grounding, PromptIdentity, Timings, Usage, answer_so_far, terminal
from app.chat.journal import stored
from app.chat.record import problem_of, record_of
from app.errors import BookAgentError, DatabaseUnavailableError, TurnLostError
from app.history.conversations import Conversations
from app.history.turns import AbandonedTurn, StoredEvent, Turns


class Origin(msgspec.Struct, frozen=True):
    """What makes an answer."""

    model: str
    prompt: PromptIdentity


UNWRITTEN = 1_000_000
"""More events than a server that is only slow can still write: the end has an id of its own, after them all."""
UNKNOWN = Origin("unknown", PromptIdentity("unknown", "unknown", "unknown"))
GONE = "The server that was answering is gone."
log = structlog.get_logger(__name__)


async def give_up(abandoned: Sequence[AbandonedTurn], conversations: Conversations, turns: Turns) -> None:
    """One that the database does not take is left. Raises DatabaseUnavailableError."""
    for turn in abandoned:
        try:
            await _end(turn, conversations, turns)
        except TurnLostError:  # another server was faster
            continue
        except DatabaseUnavailableError:
            raise
        except BookAgentError:
            log.exception("turn.not_given_up", turn_id=str(turn.id))
        else:
            log.warning("turn.given_up", turn_id=str(turn.id))


async def _end(turn: AbandonedTurn, conversations: Conversations, turns: Turns) -> None:
    [events] = await turns.events_after([(turn.id, 0)])
    answer = _failed(turn, readable(event.body for event in events))
    last = entry_of(_next_id(events), terminal(answer))
    await conversations.store_answer(turn.owner, turn.message_id, record_of(answer, ()), stored(turn.id, last))


def _next_id(events: Sequence[StoredEvent]) -> int:
    return (events[-1].id if events else 0) + UNWRITTEN


def _origin(turn: AbandonedTurn) -> Origin:
    """Another release may have stored something else."""
    try:
        return msgspec.convert(turn.origin, Origin)
    except msgspec.ValidationError:
        return UNKNOWN


def _failed(turn: AbandonedTurn, events: Sequence[Event]) -> Answer:
    origin = _origin(turn)
    text, citations = answer_so_far(events)
    return Answer(
        turn_id=turn.id,
        conversation_id=turn.conversation_id,
        message_id=turn.message_id,
        status="failed",
        answer=text,
        citations=citations,
        sources=[],
        refusal=None,
        grounding=Grounding("book" if citations else "none", 0),
        usage=Usage(),
        model=origin.model,
        prompt=origin.prompt,
        index_version=None,
        processing_time_ms=0,
        timings=Timings(0, 0, None, 0),
        error=problem_of(TurnLostError(GONE)),
    )
