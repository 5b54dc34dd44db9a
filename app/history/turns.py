"""Turns in Postgres: who answers them, and their events so far, for whichever server is asked for them."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb

from app.errors import NotFoundError
from app.history.database import Connection, Database

Status = Literal["complete", "running", "answered", "refused", "failed", "cancelled"]


class Opening(msgspec.Struct, frozen=True):
    """What a turn begins with, beside the question."""

    process_id: UUID
    """The server that answers."""
    origin: Any
    """What makes the answer, as JSON."""
    request_digest: bytes
    idempotency_key: str | None = None


class TurnRow(msgspec.Struct, frozen=True):
    id: UUID
    conversation_id: UUID
    message_id: UUID
    request_digest: bytes
    has_ended: bool
    status: Status
    """Of its answer."""
    last_event: int
    """0 before the first."""


class AbandonedTurn(msgspec.Struct, frozen=True):
    """A turn that has not ended and that nobody answers."""

    id: UUID
    owner: str
    conversation_id: UUID
    message_id: UUID
    origin: Any


class StoredEvent(NamedTuple):
    turn_id: UUID
    id: int
    """From 1, without a gap; but for the last one of a turn that was given up."""
    type: str
    body: str
    """JSON, as it was sent."""


INSERT_TURN = """
insert into turns (id, owner, conversation_id, message_id, process_id, origin, request_digest, idempotency_key)
values (%(id)s, %(owner)s, %(conversation)s, %(message)s, %(process_id)s, %(origin)s, %(request_digest)s,
    %(idempotency_key)s)
on conflict do nothing
"""

TURN = """
select turns.id, turns.conversation_id, message_id, request_digest, ended_at is not null as has_ended, status,
    coalesce((select max(event.id) from turn_events event where event.turn_id = turns.id), 0) as last_event
from turns join messages on messages.id = turns.message_id and messages.owner = turns.owner
where turns.owner = %(owner)s
"""

INSERT_EVENTS = """
insert into turn_events (turn_id, id, type, body)
select said.turn_id, said.id, said.type, said.body
from unnest(%s::uuid[], %s::integer[], %s::text[], %s::text[]) as said (turn_id, id, type, body)
join turns on turns.id = said.turn_id and turns.ended_at is null
on conflict do nothing
"""

ADD_EVENTS = f"""
with written as ({INSERT_EVENTS})
select id from turns where id = any(%s) and ended_at is null
"""  # noqa: S608 - nobody's words are in it

END = "update turns set ended_at = now() where id = %s and ended_at is null"

EVENTS_AFTER = """
select asked.place, event.turn_id, event.id, event.type, event.body
from unnest(%s::uuid[], %s::integer[]) with ordinality as asked (turn_id, after, place)
join turn_events event on event.turn_id = asked.turn_id and event.id > asked.after
order by asked.place, event.id
"""

ABANDONED = """
select id, owner, conversation_id, message_id, origin
from turns
where ended_at is null and process_id <> %(ours)s and (%(of)s::uuid[] is null or process_id = any(%(of)s))
    and not exists (
        select from processes
        where processes.id = turns.process_id and seen_at > now() - make_interval(secs => %(silent_s)s)
    )
order by started_at
limit 100
"""

UNKNOWN = """
select id, owner, conversation_id, message_id, origin
from turns
where ended_at is null and process_id = %s and id <> all(%s) and started_at < now() - make_interval(secs => %s)
limit 100
"""

REQUEST_CANCEL = "update turns set cancel_requested_at = now() where id = %s and owner = %s returning id"
TO_CANCEL = "select id from turns where id = any(%s) and coalesce(cancel_requested_at, ended_at) is not null"
MARK_FOLLOWED = "update turns set followed_at = now() where id = any(%s) and ended_at is null returning id"
FOLLOWED = "select id from turns where id = %s and followed_at > now() - make_interval(secs => %s)"
PRUNE = "delete from turns where ended_at < now() - make_interval(secs => %s * 3600) returning id"


class Turns:
    """Every statement that a client can cause names the owner."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, owner: str, turn_id: UUID) -> TurnRow:
        """Raises NotFoundError when there is none of this owner, or its events are no longer kept."""
        return await self._one(TURN + " and turns.id = %(id)s", {"owner": owner, "id": turn_id})

    async def with_key(self, owner: str, idempotency_key: str) -> TurnRow:
        """Raises NotFoundError."""
        return await self._one(TURN + " and idempotency_key = %(key)s", {"owner": owner, "key": idempotency_key})

    async def add_events(self, events: Sequence[StoredEvent]) -> set[UUID]:
        """The turns that go on: events of others, which have ended or are gone, are left out. May be repeated."""
        columns = [list(column) for column in zip(*events, strict=True)]
        return set(await self._ids(ADD_EVENTS, *columns, columns[0]))

    async def events_after(self, asked: Sequence[tuple[UUID, int]]) -> list[list[StoredEvent]]:
        """For each (turn, id of an event), the events after it, in order."""
        columns = [list(column) for column in zip(*asked, strict=True)]
        rows = await self._database.fetch(EVENTS_AFTER, columns, dict)
        found: list[list[StoredEvent]] = [[] for _ in asked]
        for row in rows:
            found[row.pop("place") - 1].append(StoredEvent(**row))
        return found

    async def request_cancel(self, owner: str, turn_id: UUID) -> None:
        """For the server that answers; nothing happens if it has ended."""
        await self._ids(REQUEST_CANCEL, turn_id, owner)

    async def to_cancel(self, turn_ids: Sequence[UUID]) -> list[UUID]:
        """By a client, or because another server has given them up."""
        return await self._ids(TO_CANCEL, list(turn_ids))

    async def mark_followed(self, turn_ids: Sequence[UUID]) -> list[UUID]:
        """Those that go on."""
        return await self._ids(MARK_FOLLOWED, list(turn_ids))

    async def is_followed(self, turn_id: UUID, within_s: float) -> bool:
        """By a reader on another server."""
        return bool(await self._ids(FOLLOWED, turn_id, within_s))

    async def abandoned(self, ours: UUID, silent_s: float, of: Sequence[UUID] | None = None) -> list[AbandonedTurn]:
        """Open turns of servers, or of these, that have not been heard of for so long; the oldest hundred."""
        values = {"ours": ours, "silent_s": silent_s, "of": None if of is None else list(of)}
        return await self._database.fetch(ABANDONED, values, AbandonedTurn)

    async def unknown(self, ours: UUID, known: Sequence[UUID], older_than_s: float) -> list[AbandonedTurn]:
        """Open turns of a server that does not know of them: it did not learn that the question was stored."""
        return await self._database.fetch(UNKNOWN, [ours, list(known), older_than_s], AbandonedTurn)

    async def prune(self, older_than_h: float) -> int:
        """How many ended turns, with their events; the answers stay."""
        return len(await self._ids(PRUNE, older_than_h))

    async def _one(self, statement: Any, values: Mapping[str, Any]) -> TurnRow:
        rows = await self._database.fetch(statement, values, TurnRow)
        if not rows:
            raise NotFoundError("There is no such turn, or its events are no longer kept.")
        return rows[0]

    async def _ids(self, statement: Any, *values: Any) -> list[UUID]:
        return [row["id"] for row in await self._database.fetch(statement, values, dict)]


async def insert_turn(
    connection: Connection, owner: str, conversation_id: UUID, message_id: UUID, turn_id: UUID, opening: Opening
) -> bool:
    """Whether the idempotency key was free. May be repeated."""
    values = msgspec.structs.asdict(opening) | {"origin": Jsonb(opening.origin)}
    ids = {"id": turn_id, "owner": owner, "conversation": conversation_id, "message": message_id}
    if (await connection.execute(INSERT_TURN, values | ids)).rowcount:
        return True
    return bool(await (await connection.execute("select 1 from turns where id = %s", [turn_id])).fetchone())


async def end_turn(connection: Connection, last: StoredEvent) -> bool:
    """Stores the turn's last event; False if it has ended already, in another way."""
    await connection.execute(INSERT_EVENTS, [[value] for value in last])
    if (await connection.execute(END, [last.turn_id])).rowcount:
        return True
    cursor = await connection.execute("select body from turn_events where turn_id = %s and id = %s", last[:2])
    row = await cursor.fetchone()
    return row is not None and row["body"] == last.body
