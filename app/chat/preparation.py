"""What is done before the model is asked: the first search, and the gate."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from app.book.locating import Locator
from app.chat.asking import Asked
from app.chat.events import Event, Refusal, ToolStarted, finished
from app.chat.material import message_of
from app.chat.questions import is_about_book
from app.chat.refusals import refusal_before, refuse
from app.chat.searching import call_id, first_queries, first_search
from app.settings import RetrievalMode
from tools import search_book
from tools.context import ToolCall, TurnContext

SELECTION = "selection"
"""Id of the call that looks for the selected text."""


class Prepared(NamedTuple):
    messages: list[dict[str, Any]]
    """Data that goes before the question."""
    refusal: Refusal | None = None


async def prepare(
    asked: Asked,
    earlier: str | None,
    context: TurnContext,
    locator: Locator,
    mode: RetrievalMode,
    emit: Callable[[Event], None],
) -> Prepared:
    """`earlier` is the question before. Raises what a search raises."""
    if asked.selected_text is not None:
        return await _selected(asked, asked.selected_text, context, locator, emit)
    if mode == "agentic":
        return Prepared([])
    passages = await _searched(first_queries(asked.question, earlier), context, emit)
    refusal = None if is_about_book(asked.question) else refusal_before(context)
    return Prepared([message_of(passages, page=asked.narrowing.page)], refusal)


async def _searched(queries: list[str], context: TurnContext, emit: Callable[[Event], None]) -> str:
    for order in range(len(queries)):
        emit(ToolStarted(search_book.NAME, call_id(order)))
    passages = await first_search(context, queries)
    for order in range(len(queries)):
        emit(finished(call_id(order), context.calls[call_id(order)]))
    return passages


async def _selected(
    asked: Asked, selected: str, context: TurnContext, locator: Locator, emit: Callable[[Event], None]
) -> Prepared:
    started = time.perf_counter()
    emit(ToolStarted(search_book.NAME, SELECTION))
    located = await locator.locate(selected, asked.narrowing.page)
    found = located.passages if located else []
    for passage in found:
        context.number(passage)
    sure = 1.0 if located else 0.0
    context.calls[SELECTION] = ToolCall(
        search_book.NAME, len(found), time.perf_counter() - started, selected, sure, sure, "code"
    )
    emit(finished(SELECTION, context.calls[SELECTION]))
    if located is None:
        await _searched([asked.question], context, emit)
        return Prepared([], refuse("selection_not_found", context))
    return Prepared([message_of(search_book.render(enumerate(context.shown, 1)), selection=located.text)])
