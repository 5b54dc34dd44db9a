"""How an answer comes into the database, with its last event, and only then to its readers."""

import asyncio
from collections.abc import Callable, Sequence

import stamina
import structlog

from app.chat.composition import WithheldSentence
from app.chat.event_log import Entry, EventLog, entry_of
from app.chat.events import Answer, terminal
from app.chat.journal import stored, told
from app.chat.record import record_of
from app.chat.turn_parts import TurnParts
from app.errors import BookAgentError, DatabaseUnavailableError, TurnLostError

PATIENCE = 2.0
"""Times DATABASE_TIMEOUT_S, of readers while their answer cannot be stored. After that they have to come back."""
LOOK_EVERY_S = 0.5
LONGEST_WAIT_S = 5.0
"""Between two tries."""

log = structlog.get_logger(__name__)


class Keeping:
    """Of one turn."""

    def __init__(
        self,
        parts: TurnParts,
        owner: str,
        log: EventLog,
        withheld: Sequence[WithheldSentence],
        failed: Callable[[BookAgentError], Answer],
    ) -> None:
        """`failed`: what there is of the answer, as one that failed."""
        self._parts = parts
        self._owner = owner
        self._log = log
        self._withheld = withheld
        self._failed = failed

    async def keep(self, answer: Answer) -> Answer:
        """Tells its end when it is stored, however long that takes; readers are let go before.

        Gives the answer, or the failed one that took its place.
        """
        storing = self._parts.running.store(self._keep(answer))
        try:
            await self._wait(storing)
            return storing.result()
        except BookAgentError as error:
            log.exception("answer.not_stored", turn_id=str(answer.turn_id), cause=type(error.__cause__).__name__)
            return self._failed(error)

    async def _wait(self, storing: asyncio.Task[Answer]) -> None:
        """Nobody else does for long, nor while this server stops."""
        waited_s = 0.0
        while not (await asyncio.wait({storing}, timeout=LOOK_EVERY_S))[0]:
            waited_s += LOOK_EVERY_S
            if self._parts.running.is_stopping or waited_s >= PATIENCE * self._parts.settings.database_timeout_s:
                self._log.let_go()
                waited_s = 0.0

    async def _keep(self, answer: Answer) -> Answer:
        """An answer that the database does not take is a failed one; a turn without any is given up by and by."""
        id_ = self._log.next_id()
        try:
            entries = await self._stored(answer, id_)
        except BookAgentError as error:
            answer = self._failed(error)
            entries = await self._stored(answer, id_)
        for entry in entries:
            self._log.tell(entry)
        return answer

    async def _stored(self, answer: Answer, id_: int) -> list[Entry]:
        """What is still to be told. If this process ends before, another one sees that the turn has no end."""
        last = entry_of(id_, terminal(answer))
        async for attempt in stamina.retry_context(
            on=DatabaseUnavailableError, attempts=None, timeout=None, wait_max=LONGEST_WAIT_S
        ):
            with attempt:
                return await self._store(answer, last)
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _store(self, answer: Answer, last: Entry) -> list[Entry]:
        await self._parts.journal.flush()
        record = record_of(answer, self._withheld)
        try:
            await self._parts.conversations.store_answer(
                self._owner, answer.message_id, record, stored(answer.turn_id, last)
            )
        except TurnLostError as error:
            return await self._ended_elsewhere(answer) or [entry_of(last.id, terminal(self._failed(error)))]
        return [last]

    async def _ended_elsewhere(self, answer: Answer) -> list[Entry]:
        """What was not told of a turn that another server has given up; nothing of one that was deleted."""
        [events] = await self._parts.turns.events_after([(answer.turn_id, self._log.last_id)])
        return [told(event) for event in events]
