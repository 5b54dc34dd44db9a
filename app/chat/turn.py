"""One turn: from a stored question to a stored answer, as events. Every endpoint reads the same ones."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import stamina
import structlog
from agents import Agent

from app.book.locating import Locator
from app.book.retrieval import Retriever
from app.chat.absence import Absence
from app.chat.asking import Asked
from app.chat.composition import Composition, Examines
from app.chat.courtesies import NOTHING_BEFORE, reply_to
from app.chat.event_log import LAST, Entry, EventLog
from app.chat.events import (
    Answer,
    AnswerDelta,
    Event,
    Problem,
    PromptIdentity,
    Refusal,
    Timings,
    TurnStarted,
    Usage,
    terminal,
)
from app.chat.examination import Examiner, Uncritical
from app.chat.following import Followed
from app.chat.journal import Journal, stored
from app.chat.memory import MOST_EXCHANGES, input_of
from app.chat.model_errors import translate
from app.chat.model_run import ModelRun
from app.chat.preparation import Prepared, prepare
from app.chat.presence import Presence
from app.chat.prompts import Prompt
from app.chat.providing import Models
from app.chat.questions import is_about_conversation, small_talk, topic
from app.chat.record import problem_of, record_of
from app.chat.running import RunningTurns
from app.chat.sources import BookOfTurn, HistoryOfTurn
from app.chat.turn_metrics import count
from app.errors import (
    BookAgentError,
    DatabaseUnavailableError,
    OutcomeUnknownError,
    TurnLostError,
    TurnTimeoutError,
)
from app.grounding.links import Links
from app.grounding.support import Judge
from app.history.conversations import PUBLIC, Conversations, StoredTurn
from app.history.exchanges import Exchange
from app.history.turns import Turns
from app.metrics import Metrics
from app.settings import Settings
from tools.context import TurnContext

Emit = Callable[[Event], None]
STORE_ATTEMPTS = 4
LONGEST_WAIT_S = 5.0
"""Between two tries to store an answer."""
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TurnParts:
    """What every turn of this process shares."""

    settings: Settings
    conversations: Conversations
    retriever: Retriever
    locator: Locator
    judge: Judge
    count_tokens: Callable[[str], int]
    prompt: Prompt
    agent: Agent[TurnContext]
    models: Models
    metrics: Metrics
    running: RunningTurns
    presence: Presence
    turns: Turns
    journal: Journal
    followed: Followed


class Turn:
    def __init__(self, parts: TurnParts, owner: str, asked: Asked, stored: StoredTurn) -> None:
        self._parts = parts
        self._owner = owner
        self._asked = asked
        self.stored = stored
        self._started = time.perf_counter()
        self._deadline = time.monotonic() + parts.settings.turn_timeout_s
        self._model = parts.settings.model
        self._index_version: str | None = None
        self._usage = Usage()
        self._context = TurnContext(
            BookOfTurn(parts.retriever, parts.settings.search_limit, parts.metrics, asked.narrowing),
            HistoryOfTurn(parts.conversations, owner, stored.conversation_id, personal=owner != PUBLIC),
        )
        self._is_recalling = is_about_conversation(asked.question)
        self._composition = Composition(self._context, self._examiner(), parts.settings.grounding)
        self._refusal: Refusal | None = None
        self._first_text_s: float | None = None
        self._absence = Absence(parts.settings, parts.turns, stored.turn_id, self.cancel, lambda: self._log.readers)
        self._log = EventLog(self._left)
        self._is_ending = False
        self._may_be_stored = False
        self._stopped_by: BookAgentError | None = None

    def start(self) -> None:
        """Whether its events are read or not, it comes to an end and its answer is stored."""
        parts = self._parts
        self._task = parts.running.start(self.stored.turn_id, self, self._run())
        self._absence.begin(first=True)

    def read(self, after: int = 0) -> AsyncGenerator[Entry, None]:
        """The turn's events after an id, for any number of readers."""
        return self._log.read(after)

    def cancel(self) -> None:
        """What there is of the answer is kept."""
        if not self._is_ending:
            self._task.cancel()

    def stop(self, error: BookAgentError) -> None:
        """The same, but it has failed, for a reason."""
        self._stopped_by = error
        self.cancel()

    def _left(self) -> None:
        if not self._is_ending:
            self._absence.begin()

    def _emit(self, event: Event) -> None:
        self._publish(self._log.next_entry(event))

    def _publish(self, entry: Entry) -> None:
        self._log.append(entry)
        if not entry.is_last:
            self._parts.journal.add(self.stored.turn_id, entry)

    async def _run(self) -> None:
        """Publishes exactly one terminal event, after the answer is stored; or before, where that takes too long."""
        with self._parts.metrics.turns_running.track_inprogress():
            self._emit(TurnStarted(self.stored.turn_id, self.stored.conversation_id, self.stored.message_id))
            answer = await self._concluded(self._timed(self._emit))
            self._is_ending = True
            self._absence.end()
            last, unstored = await self._kept(answer)
            self._publish(last)
        if unstored is not None:
            with contextlib.suppress(TurnLostError):
                await self._store_later(unstored, last)

    async def _concluded(self, emit: Emit) -> Answer:
        try:
            async with asyncio.timeout(self._parts.settings.turn_timeout_s):
                await self._answer(emit)
        except asyncio.CancelledError:
            return self._failed(self._stopped_by) if self._stopped_by else self._result("cancelled")
        except TimeoutError:
            return self._failed(TurnTimeoutError())
        except Exception as error:  # noqa: BLE001 - whatever it is, the turn ends with an event that says so
            return self._failed(_translated(error))
        refusal = self._refusal or self._composition.refusal()
        return self._result("refused" if refusal else "answered", refusal=refusal)

    async def _kept(self, answer: Answer) -> tuple[Entry, Answer | None]:
        """The last event. An answer that cannot be stored now is a failed one, and is to be stored as that."""
        count(self._parts.metrics, answer)
        last = self._log.next_entry(terminal(answer))
        try:
            await asyncio.shield(self._parts.running.store(self._store_soon(answer, last)))
        except TurnLostError as error:
            return await self._end_elsewhere() or self._log.next_entry(terminal(self._failed(error))), None
        except BookAgentError as error:
            failed = self._failed(error)
            return self._log.next_entry(terminal(failed)), failed
        return last, None

    async def _end_elsewhere(self) -> Entry | None:
        """The last event of a turn that another server has given up."""
        with contextlib.suppress(BookAgentError):
            [events] = await self._parts.turns.events_after([(self.stored.turn_id, 0)])
            if events and events[-1].type in LAST:
                return Entry(events[-1].id, events[-1].type, events[-1].body.encode())
        return None

    async def _store_soon(self, answer: Answer, last: Entry) -> None:
        """Where it may be stored already, nothing else can be told: then it takes as long as it takes."""
        try:
            async for attempt in stamina.retry_context(
                on=DatabaseUnavailableError, attempts=STORE_ATTEMPTS, timeout=self._parts.settings.database_timeout_s
            ):
                with attempt:
                    await self._store(answer, last)
        except DatabaseUnavailableError:
            if not self._may_be_stored:
                raise
            await self._store_later(answer, last)

    async def _store(self, answer: Answer, last: Entry) -> None:
        await self._parts.journal.flush()
        record = record_of(answer, self._composition.withheld)
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

    async def _answer(self, emit: Emit) -> None:
        settings, asked = self._parts.settings, self._asked
        courtesy = small_talk(asked.question) if asked.selected_text is None else None
        if courtesy is not None:
            emit(self._composition.say(reply_to(courtesy, settings.book_title)))
            return
        exchanges = await self._parts.conversations.recent_exchanges(
            self._owner, self.stored.conversation_id, MOST_EXCHANGES
        )
        self._index_version = await self._parts.retriever.index_version()
        prepared, remembered = await asyncio.gather(self._prepared(exchanges, emit), self._remembered(exchanges))
        self._refusal = prepared.refusal
        if self._refusal is None:
            given = [*remembered, *prepared.messages, {"role": "user", "content": asked.question}]
            await self._ask_model(given, emit, must_search=not prepared.messages)
        if self._is_recalling and not (self._context.recalled or self._composition.text):
            emit(self._composition.say(NOTHING_BEFORE))

    async def _prepared(self, exchanges: Sequence[Exchange], emit: Emit) -> Prepared:
        mode = "agentic" if self._is_recalling else self._parts.settings.retrieval
        earlier = topic([exchange.question for exchange in exchanges])
        return await prepare(self._asked, earlier, self._context, self._parts.locator, mode, emit)

    async def _remembered(self, exchanges: Sequence[Exchange]) -> list[Any]:
        """Counts tokens while the search waits for its vectors."""
        return input_of(exchanges, self._parts.settings.history_tokens, self._parts.count_tokens)

    async def _ask_model(self, given: list[Any], emit: Emit, *, must_search: bool) -> None:
        parts, composition = self._parts, self._composition
        run = ModelRun(
            parts.agent, given, self._context, parts.models, deadline=self._deadline, must_search=must_search
        )
        try:
            async for event in run.events():
                for out in await composition.add(event) if isinstance(event, str) else [composition.note(event)]:
                    emit(out)
            for out in await composition.finish(run.cut):
                emit(out)
        finally:
            run.stop()
            self._usage = run.usage
            self._model = run.model or self._model

    def _examiner(self) -> Examines:
        parts, context = self._parts, self._context
        links = Links(parts.settings.book_base_url, lambda: [passage.url for passage in context.shown])
        if parts.settings.grounding == "off":
            return Uncritical(links, context.shown)
        recalled = context.recalled if self._is_recalling else ()
        orders = str(parts.agent.instructions)
        return Examiner(parts.judge, links, self._asked.question, context.shown, recalled, orders)

    def _timed(self, emit: Emit) -> Emit:
        def emit_timed(event: Event) -> None:
            if isinstance(event, AnswerDelta) and self._first_text_s is None:
                self._first_text_s = time.perf_counter() - self._started
            emit(event)

        return emit_timed

    def _failed(self, error: BookAgentError) -> Answer:
        return self._result("failed", error=problem_of(error))

    def _result(self, status: Any, *, refusal: Refusal | None = None, error: Problem | None = None) -> Answer:
        parts, composition = self._parts, self._composition
        return Answer(
            turn_id=self.stored.turn_id,
            conversation_id=self.stored.conversation_id,
            message_id=self.stored.message_id,
            status=status,
            answer=composition.text,
            citations=composition.citations,
            sources=composition.sources(),
            refusal=refusal,
            grounding=composition.grounding(),
            usage=self._usage,
            model=self._model,
            prompt=PromptIdentity(parts.prompt.name, parts.prompt.version, parts.prompt.digest),
            index_version=self._index_version,
            processing_time_ms=_ms(time.perf_counter() - self._started),
            timings=self._timings(),
            error=error,
        )

    def _timings(self) -> Timings:
        total_s = time.perf_counter() - self._started
        search_s = sum(call.seconds for call in self._context.calls.values())
        first = None if self._first_text_s is None else _ms(self._first_text_s)
        return Timings(_ms(search_s), _ms(total_s - search_s), first, _ms(total_s))


def _translated(error: Exception) -> BookAgentError:
    ours = translate(error)
    if ours is not error:
        log.warning("turn.failed", error=type(ours).__name__, cause=type(error).__name__)
    if type(ours) is BookAgentError:
        log.error("turn.broken", exc_info=error)
    return ours


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
