"""Who computes a question's vectors, when, and who gets them."""

import asyncio
import gc
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor

import pytest

from app.book.query_cache import BATCH, KEPT, QueryCache

BAD = "bad"


class Upper:
    """The computation: capitals, which may be made to wait, and fails for one text."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.bad = BAD
        self.go_on = threading.Event()
        self.go_on.set()

    def __call__(self, texts: Sequence[str]) -> list[str]:
        self.calls.append(list(texts))
        assert self.go_on.wait(10)
        if self.bad in texts:
            raise ValueError("broken")
        return [text.upper() for text in texts]


class AtOnce(Executor):
    """Has computed before it is asked to, so that a test knows in which step of the loop a result arrives."""

    def submit(self, function, /, *args):
        future: Future = Future()
        future.set_result(function(*args))
        return future


@pytest.fixture
def upper() -> Upper:
    return Upper()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


@pytest.fixture
def cache(upper, pool) -> QueryCache[str]:
    return QueryCache(upper, pool)


async def asked(cache: QueryCache[str], *texts: str) -> list[asyncio.Task[str]]:
    """A task for each, that has asked already."""
    tasks = [asyncio.create_task(cache.get(text)) for text in texts]
    await asyncio.sleep(0)
    return tasks


async def begun(upper: Upper, calls: int = 1) -> None:
    async with asyncio.timeout(10):
        while len(upper.calls) < calls:  # noqa: ASYNC110 - it counts in another thread
            await asyncio.sleep(0)


class TestBatches:
    async def test_questions_of_one_moment_are_computed_in_one_call(self, cache, upper):
        assert await asyncio.gather(*map(cache.get, "abc")) == ["A", "B", "C"]
        assert upper.calls == [["a", "b", "c"]]

    async def test_one_who_is_ready_when_the_first_asks_joins_the_batch(self, cache, upper):
        async def ask_in_the_next_step() -> str:
            await asyncio.sleep(0)
            return await cache.get("b")

        assert await asyncio.gather(cache.get("a"), ask_in_the_next_step()) == ["A", "B"]
        assert upper.calls == [["a", "b"]]

    async def test_a_question_alone_waits_for_no_other(self, cache, upper):
        assert await cache.get("a") == "A"
        assert await cache.get("b") == "B"
        assert upper.calls == [["a"], ["b"]]

    async def test_what_comes_while_a_batch_is_computed_is_computed_next_together(self, cache, upper):
        upper.go_on.clear()
        tasks = await asked(cache, "a")
        await begun(upper)
        tasks += await asked(cache, "b", "c")
        upper.go_on.set()
        assert await asyncio.gather(*tasks) == ["A", "B", "C"]
        assert upper.calls == [["a"], ["b", "c"]]

    async def test_a_call_has_a_bounded_number_of_questions_the_first_ones_first(self, cache, upper):
        texts = [f"q{number}" for number in range(2 * BATCH + 1)]
        assert await asyncio.gather(*map(cache.get, texts)) == [text.upper() for text in texts]
        assert upper.calls == [texts[:BATCH], texts[BATCH : 2 * BATCH], texts[2 * BATCH :]]

    @pytest.mark.parametrize("steps", range(12))
    async def test_a_question_that_comes_when_the_last_batch_ends_is_computed(self, upper, steps):
        cache = QueryCache(upper, AtOnce())

        async def ask_later() -> str:
            for _ in range(steps):
                await asyncio.sleep(0)
            return await cache.get("b")

        async with asyncio.timeout(5):
            assert await asyncio.gather(ask_later(), cache.get("a")) == ["B", "A"]


class TestRepetition:
    async def test_a_repeated_question_costs_no_call(self, cache, upper):
        assert [await cache.get("a"), await cache.get("a")] == ["A", "A"]
        assert upper.calls == [["a"]]

    async def test_the_same_question_twice_at_once_is_computed_once(self, cache, upper):
        assert await asyncio.gather(cache.get("a"), cache.get("b"), cache.get("a")) == ["A", "B", "A"]
        assert upper.calls == [["a", "b"]]

    async def test_a_question_that_is_being_computed_is_not_computed_again(self, cache, upper):
        upper.go_on.clear()
        tasks = await asked(cache, "a")
        await begun(upper)
        tasks += await asked(cache, "a", "b")
        upper.go_on.set()
        assert await asyncio.gather(*tasks) == ["A", "A", "B"]
        assert upper.calls == [["a"], ["b"]]

    async def test_what_was_not_asked_for_longest_is_forgotten_first(self, cache, upper):
        for number in range(KEPT):
            await cache.get(f"q{number}")
        upper.calls.clear()
        for text in ("q0", "one more", "q0", "q1"):
            await cache.get(text)
        assert upper.calls == [["one more"], ["q1"]]


class TestLeaving:
    async def test_one_who_goes_away_does_not_take_the_result_from_others(self, cache, upper):
        upper.go_on.clear()
        leaving, staying = await asked(cache, "a", "a")
        await begun(upper)
        leaving.cancel()
        await asyncio.wait([leaving])
        upper.go_on.set()
        assert await staying == "A"
        assert leaving.cancelled()

    async def test_what_nobody_waits_for_any_more_is_kept_all_the_same(self, cache, upper):
        upper.go_on.clear()
        (leaving,) = await asked(cache, "a")
        await begun(upper)
        leaving.cancel()
        await asyncio.wait([leaving])
        upper.go_on.set()
        assert await cache.get("a") == "A"
        assert upper.calls == [["a"]]

    async def test_an_error_that_nobody_waits_for_is_not_complained_about(self, cache, upper):
        complaints = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        upper.go_on.clear()
        (leaving,) = await asked(cache, BAD)
        await begun(upper)
        leaving.cancel()
        await asyncio.wait([leaving])
        upper.go_on.set()
        assert await cache.get("b") == "B"
        gc.collect()
        assert complaints == []


class TestErrors:
    async def test_an_error_reaches_all_who_wait_for_that_batch(self, cache, upper):
        results = await asyncio.gather(*map(cache.get, ["a", BAD, "a"]), return_exceptions=True)
        assert [str(result) for result in results] == ["broken"] * 3
        assert upper.calls == [["a", BAD]]

    async def test_an_error_is_not_kept(self, cache, upper):
        with pytest.raises(ValueError, match="broken"):
            await cache.get(BAD)
        upper.bad = ""
        assert await cache.get(BAD) == "BAD"

    async def test_an_error_of_one_batch_is_not_that_of_the_next(self, cache, upper):
        upper.go_on.clear()
        (first,) = await asked(cache, BAD)
        await begun(upper)
        (second,) = await asked(cache, "b")
        upper.go_on.set()
        with pytest.raises(ValueError, match="broken"):
            await first
        assert await second == "B"

    async def test_a_pool_that_is_closed_is_an_error_and_no_silence(self, cache, pool):
        pool.shutdown()
        async with asyncio.timeout(5):
            with pytest.raises(RuntimeError, match="shutdown"):
                await cache.get("a")


class TestLoops:
    def test_a_second_event_loop_gets_what_the_first_computed_and_what_is_new(self, cache, upper):
        assert asyncio.run(cache.get("a")) == "A"
        assert asyncio.run(_all(cache, "a", "b")) == ["A", "B"]
        assert upper.calls == [["a"], ["b"]]

    def test_what_an_ended_loop_left_unanswered_is_computed_for_the_next(self, cache, upper):
        async def leave() -> None:
            await asked(cache, "a")
            await begun(upper)
            await asked(cache, "b")

        upper.go_on.clear()
        asyncio.run(leave())
        upper.go_on.set()
        assert asyncio.run(_within(5, _all(cache, "b", "a"))) == ["B", "A"]

    def test_a_loop_that_stands_still_stops_no_other(self, cache):
        with asyncio.Runner() as standing:
            (waiting,) = standing.run(asked(cache, "a"))
            assert asyncio.run(_within(5, _all(cache, "a", "b"))) == ["A", "B"]
            assert standing.run(_within(5, waiting)) == "A"

    async def test_those_who_wait_are_cancelled_with_a_batch_whose_pool_is_closed(self, upper):
        """In the batch that never began, and behind it."""
        upper.go_on.clear()
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(upper, ["something else"])
            cache = QueryCache(upper, pool)
            tasks = await asked(cache, *(f"q{number}" for number in range(BATCH + 1)))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            pool.shutdown(wait=False, cancel_futures=True)
            done, _ = await asyncio.wait(tasks, timeout=5)
            upper.go_on.set()
        assert running.result() == ["SOMETHING ELSE"]
        assert [task.cancelled() for task in done] == [True] * (BATCH + 1)


async def _all(cache: QueryCache[str], *texts: str) -> list[str]:
    return list(await asyncio.gather(*map(cache.get, texts)))


async def _within(seconds: float, work):
    async with asyncio.timeout(seconds):
        return await work
