"""One turn: from a stored question to a stored answer, as events. Every endpoint reads the same ones."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import anyio
import stamina
import structlog
from agents import Agent, ModelSettings, RunConfig, Runner, RunResultStreaming, ToolCallOutputItem

from app.book.locating import Locator
from app.book.retrieval import Retriever
from app.chat import models
from app.chat.asking import Asked
from app.chat.composition import Composition, Examines
from app.chat.courtesies import NOTHING_BEFORE, reply_to
from app.chat.events import (
    Answer,
    AnswerDelta,
    Event,
    Problem,
    PromptIdentity,
    Refusal,
    Timings,
    ToolFinished,
    ToolStarted,
    TurnStarted,
    Usage,
    terminal,
)
from app.chat.examination import Examiner, Uncritical
from app.chat.links import Links
from app.chat.memory import MOST_EXCHANGES, input_of
from app.chat.preparation import prepare
from app.chat.prompts import Prompt
from app.chat.questions import is_about_conversation, small_talk
from app.chat.record import circumstances_of, problem_of, record_of
from app.chat.running import RunningTurns
from app.chat.sources import BookOfTurn, HistoryOfTurn
from app.chat.support import Judge
from app.errors import BookAgentError, TurnTimeoutError
from app.history.conversations import PUBLIC, Conversations, StoredTurn
from app.metrics import Metrics
from app.settings import Settings
from tools import lookup_history
from tools.context import ToolCall, TurnContext

STOP_TIMEOUT_S = 5
STORE_ATTEMPTS = 8

Emit = Callable[[Event], None]
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
    metrics: Metrics
    running: RunningTurns


async def open_turn(parts: TurnParts, owner: str, asked: Asked, conversation_id: UUID | None) -> "Turn":
    """Stores the question, and begins to answer it. Raises NotFoundError or DatabaseUnavailableError."""
    stored = await parts.conversations.store_question(owner, conversation_id, asked.question, circumstances_of(asked))
    turn = Turn(parts, owner, asked, stored)
    turn.start()
    await asyncio.sleep(0)  # it takes its first step: a task that is cancelled before that never runs
    return turn


class Turn:
    def __init__(self, parts: TurnParts, owner: str, asked: Asked, stored: StoredTurn) -> None:
        self._parts = parts
        self._owner = owner
        self._asked = asked
        self.stored = stored
        self._started = time.perf_counter()
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
        self._queue: asyncio.Queue[Event] = asyncio.Queue()

    def start(self) -> None:
        """Whether its events are read or not, it comes to an end and its answer is stored."""
        self._task = self._parts.running.start(self._run(self._queue.put_nowait))

    async def events(self) -> AsyncGenerator[Event, None]:
        """The turn's events, once. Closing the generator cancels the turn, and what there is of it is kept."""
        try:
            while True:
                event = await self._queue.get()
                yield event
                if isinstance(event, Answer):
                    return
        finally:
            self._task.cancel()
            with anyio.move_on_after(STOP_TIMEOUT_S, shield=True):
                await asyncio.wait({self._task})

    async def _run(self, emit: Emit) -> None:
        """Emits exactly one terminal event, after the answer is stored."""
        with self._parts.metrics.turns_running.track_inprogress():
            emit(TurnStarted(self.stored.turn_id, self.stored.conversation_id, self.stored.message_id))
            emit(terminal(await self._kept(await self._concluded(self._timed(emit)))))

    async def _concluded(self, emit: Emit) -> Answer:
        try:
            async with asyncio.timeout(self._parts.settings.turn_timeout_s):
                await self._answer(emit)
        except asyncio.CancelledError:
            return self._result("cancelled")
        except TimeoutError:
            return self._failed(TurnTimeoutError())
        except Exception as error:  # noqa: BLE001 - whatever it is, the turn ends with an event that says so
            return self._failed(_translated(error))
        refusal = self._refusal or self._composition.refusal()
        return self._result("refused" if refusal else "answered", refusal=refusal)

    async def _kept(self, answer: Answer) -> Answer:
        """An answer that cannot be stored now is a failed one, and stored as that when the database is back."""
        self._count(answer)
        try:
            await asyncio.shield(self._parts.running.store(self._store(answer)))
        except BookAgentError as error:
            answer = self._failed(error)
            self._parts.running.store(self._store_later(answer))
        return answer

    async def _store(self, answer: Answer) -> None:
        await self._parts.conversations.store_answer(
            self._owner, answer.message_id, record_of(answer, self._composition.withheld)
        )

    async def _store_later(self, answer: Answer) -> None:
        async for attempt in stamina.retry_context(
            on=BookAgentError, attempts=STORE_ATTEMPTS, timeout=None, wait_initial=1.0, wait_max=30.0
        ):
            with attempt:
                await self._store(answer)

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
        mode = "agentic" if self._is_recalling else settings.retrieval
        earlier = exchanges[-1].question if exchanges else None
        data, self._refusal = await prepare(asked, earlier, self._context, self._parts.locator, mode, emit)
        if self._refusal is None:
            remembered = input_of(exchanges, settings.history_tokens, self._parts.count_tokens)
            await self._ask_model([*remembered, *data, {"role": "user", "content": asked.question}], emit, bool(data))
        if self._is_recalling and self._context.succeeded(lookup_history.NAME) and not self._context.recalled:
            emit(self._composition.say(NOTHING_BEFORE))

    async def _ask_model(self, given: list[Any], emit: Emit, has_passages: bool) -> None:
        """A model that has passages need not call a tool."""
        run = Runner.run_streamed(
            self._parts.agent,
            given,
            context=self._context,
            max_turns=self._parts.settings.model_max_calls,
            run_config=RunConfig(
                workflow_name="book-agent",
                trace_include_sensitive_data=False,
                tool_not_found_behavior="return_error_to_model",
                model_settings=ModelSettings(tool_choice="auto") if has_passages else None,
            ),
        )
        composition = self._composition
        try:
            async for event in _read(run, self._context):
                for out in await composition.add(event) if isinstance(event, str) else [composition.note(event)]:
                    emit(out)
            for out in await composition.finish():
                emit(out)
        finally:
            run.cancel()
            self._usage = _usage(run)

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
            model=parts.settings.model,
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

    def _count(self, answer: Answer) -> None:
        metrics = self._parts.metrics
        reason = answer.refusal.reason if answer.refusal else ""
        prompt = f"{answer.prompt.name}/{answer.prompt.version}@{answer.prompt.digest}"
        metrics.turns.labels(answer.status, reason, prompt, answer.model).inc()
        metrics.turn_seconds.labels(answer.status).observe(answer.processing_time_ms / 1000)
        if self._first_text_s is not None:
            metrics.first_text_seconds.observe(self._first_text_s)
        metrics.tokens.labels("input", answer.model).inc(answer.usage.input_tokens)
        metrics.tokens.labels("output", answer.model).inc(answer.usage.output_tokens)
        grounding = answer.grounding
        metrics.dropped_citations.inc(grounding.dropped_citations)
        metrics.disagreements.inc(grounding.disagreements)
        metrics.sentences.labels("supported").inc(grounding.sentences - grounding.withheld)
        metrics.sentences.labels("unsupported").inc(grounding.withheld)


async def _read(run: RunResultStreaming, context: TurnContext) -> AsyncIterator[str | ToolStarted | ToolFinished]:
    """Text, and the tools' beginnings and ends."""
    names: dict[str, str] = {}
    async for event in run.stream_events():
        if event.type == "raw_response_event":
            data = event.data
            if data.type == "response.output_text.delta":
                yield data.delta
            elif data.type == "response.output_item.added" and data.item.type == "function_call":
                names[data.item.call_id] = data.item.name
                yield ToolStarted(data.item.name, data.item.call_id)
        elif event.type == "run_item_stream_event" and isinstance(event.item, ToolCallOutputItem):
            id_ = event.item.call_id or ""
            call = context.calls.get(id_, ToolCall(names.get(id_, ""), 0, 0.0))
            yield ToolFinished(call.name, id_, call.found, _ms(call.seconds))


def _usage(run: RunResultStreaming) -> Usage:
    usage = run.context_wrapper.usage
    return Usage(usage.input_tokens, usage.output_tokens, usage.requests)


def _translated(error: Exception) -> BookAgentError:
    ours = models.translate(error)
    if ours is not error:
        log.warning("turn.failed", error=type(ours).__name__, cause=type(error).__name__)
    if type(ours) is BookAgentError:
        log.error("turn.broken", exc_info=error)
    return ours


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
