"""What clients were told of turns, by whichever server, to be compared with each other and with the database."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from app.chat.event_log import LAST
from tests.http.streams import Json, data_of, id_of


@dataclass
class Told:
    """Of one turn."""

    events: dict[int, bytes] = field(default_factory=dict)
    ends: list[Json] = field(default_factory=list)
    """Whole answers that differ; more than one is one too many."""
    contradicted: set[int] = field(default_factory=set)
    """Events that were read with two bodies."""
    problems: list[str] = field(default_factory=list)

    @property
    def is_wrong(self) -> bool:
        return bool(len(self.ends) > 1 or self.contradicted or self.problems)

    def hear(self, frame: bytes) -> bool:
        """Whether it is the last event."""
        number = id_of(frame)
        if self.events.setdefault(number, frame) != frame:
            self.contradicted.add(number)
        event = data_of(frame)
        if event["type"] not in LAST:
            return False
        self.hear_end(event)
        return True

    def hear_end(self, answer: Json) -> None:
        whole = {name: value for name, value in answer.items() if name != "type"}
        if whole not in self.ends:
            self.ends.append(whole)


@dataclass
class Visit:
    kind: str
    began: float
    ended: float = 0.0
    is_stuck: bool = False
    turn_id: str | None = None

    @property
    def seconds(self) -> float:
        return self.ended - self.began


class Ledger:
    def __init__(self) -> None:
        self.turns: dict[str, Told] = {}
        """By id."""
        self.keys: dict[str, set[str]] = defaultdict(set)
        """Turns of an Idempotency-Key."""
        self.visits: list[Visit] = []
        self.unexpected: list[str] = []
        """Answers that no fault explains."""

    def forget(self) -> None:
        for one in (self.turns, self.keys, self.visits, self.unexpected):
            one.clear()

    @contextmanager
    def visit(self, kind: str) -> Iterator[Visit]:
        visit = Visit(kind, time.monotonic())
        try:
            yield visit
        except TimeoutError:
            visit.is_stuck = True
        finally:
            visit.ended = time.monotonic()
            self.visits.append(visit)

    def of(self, turn_id: str, key: str | None = None) -> Told:
        if key is not None:
            self.keys[key].add(turn_id)
        return self.turns.setdefault(turn_id, Told())
