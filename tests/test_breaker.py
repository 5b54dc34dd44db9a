"""When a dependency is left alone, and when it is tried again."""

import asyncio

import pytest

from app.breaker import FAILURES, FIRST_OPEN_S, LONGEST_OPEN_S, Breaker
from app.errors import NotFoundError, VectorStoreUnauthorizedError, VectorStoreUnavailableError
from tests.fakes.clock import Clock


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def make_breaker(clock):
    return lambda **limits: Breaker(
        "qdrant",
        lambda left: VectorStoreUnavailableError("resting", retry_after_s=left),
        lambda error: type(error) is VectorStoreUnavailableError,
        clock,
        **limits,
    )


@pytest.fixture
def breaker(make_breaker):
    return make_breaker()


def call(breaker, error=None):
    with breaker.guarding():
        if error is not None:
            raise error


def fail(breaker, times=1, error=VectorStoreUnavailableError):
    for _ in range(times):
        with pytest.raises(error, match=r"not available|refused|no such"):
            call(breaker, error())


def refused(breaker):
    with pytest.raises(VectorStoreUnavailableError, match="resting") as caught:
        call(breaker, AssertionError("the call was made"))
    return caught.value.retry_after_s


def test_it_opens_after_so_many_failures_in_a_row(breaker):
    fail(breaker, FAILURES - 1)
    assert not breaker.is_open
    fail(breaker)
    assert breaker.is_open
    assert refused(breaker) == FIRST_OPEN_S


def test_a_success_between_them_begins_the_count_anew(breaker):
    fail(breaker, FAILURES - 1)
    call(breaker)
    fail(breaker, FAILURES - 1)
    assert not breaker.is_open


@pytest.mark.parametrize("error", [VectorStoreUnauthorizedError, NotFoundError])
def test_an_error_of_a_dependency_that_answers_is_no_failure(breaker, error):
    fail(breaker, FAILURES - 1)
    fail(breaker, error=error)
    fail(breaker)
    assert not breaker.is_open


def test_a_probe_that_succeeds_closes_it(breaker, clock):
    fail(breaker, FAILURES)
    clock.now += FIRST_OPEN_S
    call(breaker)
    assert not breaker.is_open
    call(breaker)


def test_each_probe_that_fails_keeps_it_open_for_twice_as_long_up_to_a_limit(breaker, clock):
    fail(breaker, FAILURES)
    waits = []
    for _ in range(7):
        clock.now += refused(breaker)
        fail(breaker)
        waits.append(refused(breaker))
    assert waits == [4, 8, 16, 30, 30, 30, 30]
    assert waits[-1] == LONGEST_OPEN_S
    clock.now += LONGEST_OPEN_S
    call(breaker)
    fail(breaker, FAILURES)
    assert refused(breaker) == FIRST_OPEN_S


def test_it_rests_no_longer_than_its_own_limit(make_breaker, clock):
    breaker = make_breaker(longest_open_s=3.0)
    fail(breaker, FAILURES)
    for _ in range(3):
        clock.now += refused(breaker)
        fail(breaker)
        assert refused(breaker) == 3


async def test_calls_that_fail_together_open_it_once(breaker):
    fail_now = asyncio.Event()

    async def call_slowly():
        with breaker.guarding():
            await fail_now.wait()
            raise VectorStoreUnavailableError

    calls = [asyncio.create_task(call_slowly()) for _ in range(FAILURES * 3)]
    await asyncio.sleep(0)
    fail_now.set()
    await asyncio.gather(*calls, return_exceptions=True)
    assert refused(breaker) == FIRST_OPEN_S


async def test_one_probe_at_a_time(breaker, clock):
    fail(breaker, FAILURES)
    clock.now += FIRST_OPEN_S
    go_on = asyncio.Event()

    async def probe():
        with breaker.guarding():
            await go_on.wait()

    probing = asyncio.create_task(probe())
    await asyncio.sleep(0)
    assert refused(breaker) == 1
    go_on.set()
    await probing
    call(breaker)


async def test_a_cancelled_probe_says_nothing_and_lets_the_next_one_through(breaker, clock):
    fail(breaker, FAILURES)
    clock.now += FIRST_OPEN_S

    async def probe():
        with breaker.guarding():
            await asyncio.Event().wait()

    probing = asyncio.create_task(probe())
    await asyncio.sleep(0)
    probing.cancel()
    await asyncio.gather(probing, return_exceptions=True)
    assert breaker.is_open
    call(breaker)
    assert not breaker.is_open
