"""A search that the store does not answer is answered with what it found before, for a while."""

from typing import Any

import pytest

from app.book.earlier_searches import KEPT, EarlierSearches
from app.book.retrieval import Retriever
from app.book.vector_store import NO_FILTERS, Filters
from app.errors import CollectionMissingError, VectorStoreUnauthorizedError, VectorStoreUnavailableError
from tests.fakes.clock import Clock

QUERY = "How often do spring tides come in a month?"
KEPT_S = 60.0


class Faulty:
    """A store of which methods can be made to fail."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.state_ttl_s = 0.0
        self.errors: dict[str, Exception] = {}
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        async def called(*args: Any, **options: Any) -> Any:
            self.calls.append(name)
            if name in self.errors:
                raise self.errors[name]
            return await getattr(self._store, name)(*args, **options)

        return called


@pytest.fixture
def clock() -> Clock:
    return Clock(1000.0)


@pytest.fixture
def store(small_store) -> Faulty:
    return Faulty(small_store)


@pytest.fixture
def retriever(embedder, terms, store, clock) -> Retriever:
    return Retriever(embedder, terms, store, earlier=EarlierSearches(KEPT_S, clock))


async def search(retriever, query=QUERY, *, limit=3, filters=NO_FILTERS, whole_sections=True):
    return await retriever.search(query, limit=limit, filters=filters, whole_sections=whole_sections)


METHODS = ["search", "best_matches", "sections"]


@pytest.mark.parametrize("method", METHODS)
async def test_is_what_was_found_before_whichever_request_fails(retriever, store, clock, method):
    before = await search(retriever)
    assert before.cached_s is None
    store.errors[method] = VectorStoreUnavailableError()
    clock.now += 7.9
    found = await search(retriever)
    assert found.cached_s == 7
    assert (found.passages, found.answerability) == (before.passages, before.answerability)


@pytest.mark.parametrize("method", METHODS)
async def test_is_an_error_for_a_search_that_was_not_made_before(retriever, store, method):
    await search(retriever, "What is a stilling well?")
    store.errors[method] = VectorStoreUnavailableError()
    with pytest.raises(VectorStoreUnavailableError):
        await search(retriever)


@pytest.mark.parametrize(
    "change",
    [{"query": QUERY.lower()}, {"limit": 4}, {"filters": Filters(source="intro.md")}, {"whole_sections": False}],
    ids=lambda change: next(iter(change)),
)
async def test_is_an_error_for_a_search_that_differs(retriever, store, change):
    await search(retriever)
    store.errors["search"] = VectorStoreUnavailableError()
    with pytest.raises(VectorStoreUnavailableError):
        await search(retriever, **change)


@pytest.mark.parametrize("error", [VectorStoreUnauthorizedError, CollectionMissingError])
async def test_does_not_hide_what_a_store_that_answers_says(retriever, store, error):
    await search(retriever)
    await retriever.index_version()
    store.errors = {"search": error(), "state": error()}
    with pytest.raises(error):
        await search(retriever)
    with pytest.raises(error):
        await retriever.index_version()


async def test_is_an_error_after_a_while(retriever, store, clock):
    await search(retriever)
    store.errors["search"] = VectorStoreUnavailableError()
    clock.now += KEPT_S - 1
    assert (await search(retriever)).cached_s == KEPT_S - 1
    clock.now += 1
    with pytest.raises(VectorStoreUnavailableError):
        await search(retriever)


async def test_is_an_error_where_nothing_is_to_be_kept(embedder, terms, store):
    retriever = Retriever(embedder, terms, store, earlier=EarlierSearches(0.0))
    await search(retriever)
    store.errors["search"] = VectorStoreUnavailableError()
    with pytest.raises(VectorStoreUnavailableError):
        await search(retriever)


async def test_a_fresh_search_is_tried_first_and_is_young_again(retriever, store, clock):
    await search(retriever)
    clock.now += 50
    store.calls.clear()
    assert (await search(retriever)).cached_s is None
    assert store.calls == METHODS
    store.errors["search"] = VectorStoreUnavailableError()
    clock.now += 50
    assert (await search(retriever)).cached_s == 50


async def test_only_so_many_are_kept_those_that_were_not_asked_for_longest_go_first(retriever):
    found = await search(retriever)
    earlier = EarlierSearches(KEPT_S)
    for number in range(KEPT):
        earlier.keep((str(number), 3, NO_FILTERS, True), found)
    assert earlier.find(("0", 3, NO_FILTERS, True))
    earlier.keep(("one more", 3, NO_FILTERS, True), found)
    kept = [number for number in range(KEPT) if earlier.find((str(number), 3, NO_FILTERS, True))]
    assert kept == [0, *range(2, KEPT)]


async def test_the_index_version_is_the_last_one_known(retriever, store):
    version = await retriever.index_version()
    store.errors["state"] = VectorStoreUnavailableError()
    assert await retriever.index_version() == version
    assert store.calls == ["state", "state"]


async def test_an_index_version_that_was_never_known_is_an_error(retriever, store):
    store.errors["state"] = VectorStoreUnavailableError()
    with pytest.raises(VectorStoreUnavailableError):
        await retriever.index_version()
