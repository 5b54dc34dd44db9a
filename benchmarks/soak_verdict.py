"""What clients were told, compared with the database; and what servers still hold when nobody asks any more."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psycopg
from processes import memory_mb
from psycopg.rows import dict_row
from soak_stage import Server, Stage

from app.chat.event_log import LAST
from tests.traffic.ledger import Ledger, Told

Row = Mapping[str, Any]

TURNS = """
select turns.id::text, idempotency_key, ended_at is not null as has_ended, status, content,
    (select count(*) from turn_events event where event.turn_id = turns.id and event.type = any(%s)) as ends
from turns join messages on messages.id = turns.message_id
"""
EVENTS = "select turn_id::text, id, body from turn_events"
BUSY = """
select count(*) as busy from pg_stat_activity
where datname = current_database() and state <> 'idle' and pid <> pg_backend_pid()
"""
MEMORY_MB = 60.0
"""That may come after the warm-up: the cache of questions, and what ONNX and the allocator keep."""
DESCRIPTORS = 25
"""Idle connections: to the database, Qdrant and the provider."""


def rows_of(stage: Stage) -> dict[str, Row]:
    """Turns, by id."""
    return {row["id"]: row for row in _query(stage, TURNS, [list(LAST)])}


def bodies_of(stage: Stage) -> dict[tuple[str, int], str]:
    """Of the events, by turn and id."""
    return {(row["turn_id"], row["id"]): row["body"] for row in _query(stage, EVENTS)}


def lost(ledger: Ledger, rows: Mapping[str, Row], bodies: Mapping[tuple[str, int], str]) -> Iterator[str]:
    for turn_id, told in ledger.turns.items():
        for number, frame in told.events.items():
            kept = bodies.get((turn_id, number))
            if kept is None or f"data: {kept}".encode() not in frame.splitlines():
                yield f"{turn_id}: event {number} was told and is {'another' if kept else 'none'} in the database"
        row = rows.get(turn_id)
        if row is None or not row["has_ended"] or row["status"] == "running":
            yield f"{turn_id}: acknowledged, and has no end in the database"
        elif told.ends and (told.ends[0]["status"], told.ends[0]["answer"]) != (row["status"], row["content"]):
            yield f"{turn_id}: told {told.ends[0]['status']}, kept {row['status']}"
        yield from (f"{turn_id}: {problem}" for problem in told.problems)


def duplicated(ledger: Ledger, rows: Mapping[str, Row], calls: Mapping[int, int]) -> Iterator[str]:
    for key, turns in ledger.keys.items():
        if len(turns) > 1:
            yield f"{key}: {len(turns)} turns"
    for number, times in calls.items():
        if times > 1:
            yield f"question {number}: {times} calls of the model"
    for turn_id, told in ledger.turns.items():
        yield from (f"{turn_id}: {problem}" for problem in _contradictions(told))
    for turn_id, row in rows.items():
        if row["ends"] > 1:
            yield f"{turn_id}: {row['ends']} last events in the database"


def _contradictions(told: Told) -> Iterator[str]:
    if told.contradicted:
        yield f"events {sorted(told.contradicted)} have two bodies"
    if len(told.ends) > 1:
        errors = [(end["status"], (end["error"] or {}).get("detail")) for end in told.ends]
        yield f"{len(told.ends)} ends: {errors}"


def stuck(ledger: Ledger, rows: Mapping[str, Row]) -> Iterator[str]:
    for visit in ledger.visits:
        if visit.is_stuck:
            yield f"{visit.turn_id}: a client ({visit.kind}) waited {visit.seconds:.0f} s"
    for turn_id, row in rows.items():
        if not row["has_ended"]:
            yield f"{turn_id}: still running"


class Held(NamedTuple):
    """By a server."""

    memory_mb: float
    descriptors: int


def held_by(server: Server) -> Held | None:
    if server.pid is None:
        return None
    return Held(memory_mb("VmRSS", server.pid), sum(1 for _ in Path(f"/proc/{server.pid}/fd").iterdir()))


def leaked(stage: Stage, warm: Mapping[int, Held]) -> Iterator[str]:
    """`warm`: what each process held after its warm-up."""
    for server in stage.servers:
        metrics = httpx.get(f"{server.url}/metrics").text
        running = re.search(r"^book_agent_turns_running (\S+)", metrics, re.MULTILINE)
        if running is None or float(running[1]):
            yield f"{server.name}: {running and running[1]} turns running"
        before, now = warm.get(server.pid or 0), held_by(server)
        if before is not None and now is not None:
            yield from (f"{server.name}: {problem}" for problem in _grown(before, now))
    [row] = _query(stage, BUSY)
    if row["busy"]:
        yield f"{row['busy']} database connections at work"
    if stage.provider.replying:
        yield f"{stage.provider.replying} replies of the provider under way"


def _grown(before: Held, now: Held) -> Iterator[str]:
    if now.memory_mb > before.memory_mb + MEMORY_MB:
        yield f"memory {before.memory_mb:.0f} MB, then {now.memory_mb:.0f}"
    if now.descriptors > before.descriptors + DESCRIPTORS:
        yield f"{before.descriptors} file descriptors, then {now.descriptors}"


def by_status(rows: Iterable[Row]) -> dict[str, int]:
    return dict(Counter(row["status"] for row in rows).most_common())


def complaints(folder: Path) -> Counter[str]:
    """Warnings and errors in the servers' logs."""
    lines = [line for log in folder.glob("*.log") for line in log.read_text().splitlines()]
    return Counter(_event_of(line) for line in lines)


def _event_of(line: str) -> str:
    try:
        event = json.loads(line)["event"]
    except (ValueError, KeyError):
        return line[:60]
    return str(event).partition(":")[0][:60]


def _query(stage: Stage, statement: str, values: list[Any] | None = None) -> list[dict[str, Any]]:
    with psycopg.connect(stage.database_url, row_factory=dict_row) as connection:
        return connection.execute(statement.encode(), values).fetchall()
