"""How an answer comes into the database, with its last event, and only then to its readers."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence

import stamina
import structlog

from app.chat.composition import WithheldSentence
from app.chat.event_log import Entry, EventLog
from app.chat.events import Answer, terminal
from app.chat.journal import stored, told
from app.chat.record import record_of
from app.chat.turn_parts import TurnParts
from app.errors import BookAgentError, DatabaseUnavailableError, OutcomeUnknownError, TurnLostError

SOON = 2.0
"""Times DATABASE_TIMEOUT_S, until an answer that cannot be stored is told as a failed one."""
LONGEST_WAIT_S = 5.0
"""Between two tries."""
PATIENCE_S = 20.0
"""Of readers whose answer may be stored or not. After that they are let go: they can come back for the end."""

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
        self._may_be_stored = False

    async def keep(self, answer: Answer) -> None:
        """Tells its end when it is stored. One that cannot be stored now has failed, and is stored as that later."""
        last = self._log.next_entry(terminal(answer))
        try:
            await asyncio.shield(self._parts.running.store(self._store_soon(answer, last)))
        except TurnLostError as error:
            last = await self._end_elsewhere(answer) or self._log.next_entry(terminal(self._failed(error)))
            self._log.append(last)
        except BookAgentError as error:
            failed = self._failed(error)
            last = self._log.next_entry(terminal(failed))
            self._log.append(last)
            await self._store_failed(failed, last)
        else:
            self._log.append(last)

    async def _store_failed(self, failed: Answer, last: Entry) -> None:
        """Where the database does not take that either, the turn is given up like one that nobody answers."""
        try:
            await self._store_later(failed, last)
        except TurnLostError:
            return
        except BookAgentError as error:
            log.exception("answer.not_stored", turn_id=str(failed.turn_id), cause=type(error.__cause__).__name__)

    async def _end_elsewhere(self, answer: Answer) -> Entry | None:
        """The last event of a turn that another server has given up."""
        with contextlib.suppress(BookAgentError):
            [events] = await self._parts.turns.events_after([(answer.turn_id, 0)])
            if events and (last := told(events[-1])).is_last:
                return last
        return None

    async def _store_soon(self, answer: Answer, last: Entry) -> None:
        """Where it may be stored already, nothing else can be told: then it takes as long as it takes."""
        try:
            async for attempt in stamina.retry_context(
                on=DatabaseUnavailableError, attempts=None, timeout=SOON * self._parts.settings.database_timeout_s
            ):
                with attempt:
                    await self._store(answer, last)
        except DatabaseUnavailableError:
            if not self._may_be_stored:
                raise
            letting_go = asyncio.get_running_loop().call_later(PATIENCE_S, self._log.let_go)
            try:
                await self._store_later(answer, last)
            finally:
                letting_go.cancel()

    async def _store(self, answer: Answer, last: Entry) -> None:
        await self._parts.journal.flush()
        record = record_of(answer, self._withheld)
        try:
            await self._parts.conversations.store_answer(
                self._owner, answer.message_id, record, stored(answer.turn_id, last)
            )
        except OutcomeUnknownError:
            self._may_be_stored = True
            raise

    async def _store_later(self, answer: Answer, last: Entry) -> None:
        """As long as this process lives; after it, another one sees that the turn has no end."""
        async for attempt in stamina.retry_context(
            on=DatabaseUnavailableError, attempts=None, timeout=None, wait_initial=1.0, wait_max=LONGEST_WAIT_S
        ):
            with attempt:
                await self._store(answer, last)
