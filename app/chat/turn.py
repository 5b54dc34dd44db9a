"""One turn: from a stored question to a stored answer, as events. Every endpoint reads the same ones."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

import structlog

from app.chat.absence import Absence
from app.chat.asking import Asked
from app.chat.composition import Composition, Examines
from app.chat.courtesies import NOTHING_BEFORE, reply_to
from app.chat.event_log import Entry, EventLog, entry_of
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
)
from app.chat.examination import Examiner, Uncritical
from app.chat.keeping import Keeping
from app.chat.memory import MOST_EXCHANGES, input_of
from app.chat.model_errors import translate
from app.chat.model_run import ModelRun
from app.chat.preparation import Prepared, prepare
from app.chat.questions import is_about_conversation, small_talk, topic
from app.chat.record import problem_of
from app.chat.sources import BookOfTurn, HistoryOfTurn
from app.chat.turn_metrics import count
from app.chat.turn_parts import TurnParts
from app.errors import (
    BookAgentError,
    TurnTimeoutError,
)
from app.grounding.links import Links
from app.history.conversations import PUBLIC, StoredTurn
from app.history.exchanges import Exchange
from tools.context import TurnContext

Emit = Callable[[Event], None]
log = structlog.get_logger(__name__)


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

    def tell(self, entry: Entry) -> None:
        """To its readers, for it is stored."""
        self._log.tell(entry)

    def _left(self) -> None:
        if not self._is_ending:
            self._absence.begin()

    def _emit(self, event: Event) -> None:
        self._parts.journal.add(self.stored.turn_id, entry_of(self._log.next_id(), event), self)

    async def _run(self) -> None:
        """Publishes exactly one terminal event, after the answer is stored."""
        try:
            with self._parts.metrics.turns_running.track_inprogress():
                self._emit(TurnStarted(self.stored.turn_id, self.stored.conversation_id, self.stored.message_id))
                answer = await self._concluded(self._timed(self._emit))
                self._is_ending = True
                self._absence.end()
                count(self._parts.metrics, await self._keeping().keep(answer))
        finally:
            self._log.close()

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

    def _keeping(self) -> Keeping:
        return Keeping(self._parts, self._owner, self._log, self._composition.withheld, self._failed)

    def _examiner(self) -> Examines:
        parts, context = self._parts, self._context
        links = Links(
            parts.settings.book_base_url,
            lambda: [passage.url for passage in context.shown],
            lambda: [passage.text for passage in context.shown],
        )
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
