"""The first search of a turn: on the question as asked, and on its core or with the question before it."""

import asyncio
import time
from collections.abc import Sequence

from app.chat.events import Search
from app.chat.questions import cores, is_about_book, leans_on_earlier, without_courtesies
from tools import search_book
from tools.context import Findings, FoundPassage, ToolCall, TurnContext

FROM_SECOND = 3
"""Passages that a second query adds."""
BEGINNING = "Introduction, overview and preface: what this book is about and whom it is for"


def first_queries(question: str, earlier: str | None) -> list[str]:
    """Best first. Of several sentences, those that ask are searched alone, too; of the whole book, its beginning is."""
    asked = without_courtesies(question)
    if is_about_book(asked):
        return [asked, BEGINNING]
    if earlier is not None and leans_on_earlier(asked):
        return [f"{earlier} {asked}"[-search_book.LONGEST_QUERY :], asked]
    return list(dict.fromkeys([asked, *cores(asked)]))


async def first_search(context: TurnContext, queries: Sequence[str]) -> str:
    """Numbers what it finds, and gives it as the model reads it. Raises what a search raises."""
    started = time.perf_counter()
    found = await asyncio.gather(
        *(context.book.search(query, section=None, source=None, page=None) for query in queries)
    )
    seconds = time.perf_counter() - started
    for order, (query, findings) in enumerate(zip(queries, found, strict=True)):
        for passage in _added(findings, order):
            context.number(passage)
        context.calls[call_id(order)] = ToolCall(
            search_book.NAME,
            len(findings.passages),
            seconds if order == 0 else 0.0,
            query,
            findings.evidence,
            findings.cosine,
            "code",
            findings.cached_s,
        )
    return search_book.told(list(enumerate(context.shown, 1)), context.evidence() or 0.0)


def call_id(order: int) -> str:
    return f"first-{order + 1}"


def searches_of(context: TurnContext) -> list[Search]:
    return [
        Search(call.query or "", call.by, call.found, call.evidence, call.cached_s)
        for call in context.calls.values()
        if call.name == search_book.NAME
    ]


def _added(findings: Findings, order: int) -> Sequence[FoundPassage]:
    return findings.passages if order == 0 else findings.passages[:FROM_SECOND]
