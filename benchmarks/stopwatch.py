"""A retriever whose parts are timed."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

from app.book.bm25 import TermEncoder
from app.book.embedding import Embedder
from app.book.retrieval import Retriever
from app.book.vector_store import VectorStore


class Stopwatch:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            started = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self.add(name, time.perf_counter() - started)

        return call

    def awaited(self, name: str, function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            started = time.perf_counter()
            try:
                return await function(*args, **kwargs)
            finally:
                self.add(name, time.perf_counter() - started)

        return call

    def add(self, name: str, seconds: float) -> None:
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds


class _Parts:
    """Stands for an object; some of its methods are others."""

    def __init__(self, whole: object, **methods: Any) -> None:
        self._whole = whole
        vars(self).update(methods)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whole, name)


def timed_retriever(embedder: Embedder, store: VectorStore) -> tuple[Retriever, dict[str, float]]:
    """And the seconds that its parts have taken so far, one search at a time."""
    watch, terms = Stopwatch(), TermEncoder()

    timed_embedder = _Parts(embedder, embed_query=watch.awaited("embedding", embedder.embed_query))
    timed_terms = _Parts(
        terms,
        query=watch.timed("terms of the question", terms.query),
        passage=watch.timed("terms of the chunks", terms.passage),
    )
    timed_store = _Parts(
        store,
        search=watch.awaited("both legs", store.search),
        best_matches=watch.awaited("rerank", store.best_matches),
        sections=watch.awaited("sections", store.sections),
    )
    return Retriever(timed_embedder, timed_terms, timed_store), watch.seconds
