"""How a client gets at a turn: by asking, or by its id; whichever server answers it."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from uuid import UUID

import msgspec

from app.chat.abandoned import Origin
from app.chat.asking import Asked
from app.chat.event_log import Entry
from app.chat.events import PromptIdentity
from app.chat.record import circumstances_of
from app.chat.turn import Turn
from app.chat.turn_parts import TurnParts
from app.errors import KeyTakenError
from app.history.turns import Opening, TurnRow

CANCEL_TIMEOUT_S = 3.0


class TurnReader:
    """Of a turn of this server or another one's."""

    def __init__(self, parts: TurnParts, turn_id: UUID, *, is_replay: bool = True) -> None:
        self._parts = parts
        self.turn_id = turn_id
        self.is_replay = is_replay
        """It was asked for before."""

    def read(self, after: int = 0) -> AsyncGenerator[Entry, None]:
        """The turn's events after an id, up to the last."""
        turn = self._parts.running.get(self.turn_id)
        return turn.read(after) if turn else self._parts.followed.read(self.turn_id, after)


async def open_turn(
    parts: TurnParts, owner: str, asked: Asked, conversation_id: UUID | None, idempotency_key: str | None = None
) -> TurnReader:
    """Stores the question, and begins to answer it; or finds the turn that was opened with the same key.

    Raises NotFoundError, KeyTakenError, StoppingError or DatabaseUnavailableError.
    """
    parts.running.check_open()
    await parts.presence.wake()
    opening = _opening(parts, asked, conversation_id, idempotency_key)
    try:
        stored = await parts.conversations.store_question(
            owner, conversation_id, asked.question, circumstances_of(asked), opening
        )
    except KeyTakenError:
        if idempotency_key is None:
            raise
        row = await parts.turns.with_key(owner, idempotency_key)
        if row.request_digest != opening.request_digest:
            raise
        return TurnReader(parts, row.id)
    turn = Turn(parts, owner, asked, stored)
    turn.start()
    reader = TurnReader(parts, stored.turn_id, is_replay=False)
    await asyncio.sleep(0)  # it takes its first step: a task that is cancelled before that never runs
    return reader


async def find_events(parts: TurnParts, owner: str, turn_id: UUID, after: int) -> AsyncGenerator[Entry, None] | None:
    """Those after an id, up to the last; None if that was the last. Raises NotFoundError."""
    await parts.presence.wake()
    row = await parts.turns.get(owner, turn_id)
    if row.has_ended and after >= row.last_event:
        return None
    return TurnReader(parts, turn_id).read(after)


async def cancel_turn(parts: TurnParts, owner: str, turn_id: UUID) -> TurnRow:
    """As it is after that; one on another server may go on for a moment. Raises NotFoundError."""
    await parts.presence.wake()
    row = await parts.turns.get(owner, turn_id)
    if row.has_ended:
        return row
    if turn := parts.running.get(turn_id):
        turn.cancel()
    else:
        await parts.turns.request_cancel(owner, turn_id)
    try:
        async with asyncio.timeout(CANCEL_TIMEOUT_S):
            async for _ in TurnReader(parts, turn_id).read():
                pass
    except TimeoutError:
        pass
    return await parts.turns.get(owner, turn_id)


def _opening(parts: TurnParts, asked: Asked, conversation_id: UUID | None, key: str | None) -> Opening:
    prompt = parts.prompt
    origin = Origin(parts.settings.model, PromptIdentity(prompt.name, prompt.version, prompt.digest))
    request = msgspec.json.encode([asked, conversation_id], order="deterministic")
    return Opening(parts.presence.process_id, msgspec.to_builtins(origin), hashlib.sha256(request).digest(), key)
