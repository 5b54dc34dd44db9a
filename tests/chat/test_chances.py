"""How long is waited, and for whom."""

import math
import time
from email.utils import formatdate

import httpx2
import openai
import pytest

from app.breaker import Breaker
from app.chat.chances import FIRST_WAIT_S, LONGEST_BACKOFF_S, LONGEST_WAIT_S, Chances, backoff_s
from app.chat.model_errors import is_outage, retry_after_s
from app.chat.providing import Models, ProvidedModel
from app.errors import ModelUnavailableError
from app.metrics import Metrics

REQUEST = httpx2.Request("POST", "https://model.example/chat/completions")


def refused(status: int, retry_after: str | None = None) -> openai.APIStatusError:
    headers = {} if retry_after is None else {"retry-after": retry_after}
    response = httpx2.Response(status, headers=headers, request=REQUEST)
    return openai.APIStatusError("no", response=response, body=None)


@pytest.fixture
def slept(monkeypatch) -> list[float]:
    """The waits, which take no time."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr("app.chat.chances.asyncio.sleep", sleep)
    return waits


def provided(name: str) -> ProvidedModel:
    return ProvidedModel(name, f"{name}-model", None, Breaker(name, ModelUnavailableError, is_outage))


MODELS = Models([provided("a"), provided("b"), provided("c")], attempts=3, timeout_s=1, max_calls=6, metrics=Metrics())


def chances(*, left_s: float = 60, last: ProvidedModel | None = None) -> Chances:
    return Chances(MODELS, time.monotonic() + left_s, last)


async def asked_after(chances: Chances, *errors: Exception) -> list[str]:
    asked = [chances.asked.provider]
    for error in errors:
        await chances.after(error)
        asked.append(chances.asked.provider)
    return asked


async def test_each_is_asked_so_often_and_then_the_next(slept):
    assert "".join(await asked_after(chances(), *[refused(500)] * 8)) == "aaabbbccc"
    assert len(slept) == 6


async def test_what_will_not_pass_is_not_waited_for(slept):
    assert "".join(await asked_after(chances(), refused(401), refused(404))) == "abc"
    assert slept == []


async def test_the_last_ones_error_is_raised(slept):
    last = refused(401)
    with pytest.raises(openai.APIStatusError) as caught:
        await asked_after(chances(), refused(400), refused(400), last)
    assert caught.value is last


async def test_whoever_replied_last_is_asked_first(slept):
    assert "".join(await asked_after(chances(last=MODELS.provided[1]), refused(401))) == "bc"


@pytest.mark.parametrize(
    ("retry_after", "left_s", "asked", "waited"),
    [
        ("2", 60, "aa", [2.0]),
        (str(LONGEST_WAIT_S), 60, "aa", [LONGEST_WAIT_S]),
        ("6", 60, "ab", []),
        ("86400", 60, "ab", []),
        ("2", 1.5, "ab", []),
    ],
    ids=["short", "just short", "long", "a day", "longer than the turn"],
)
async def test_a_provider_is_waited_for_as_it_asks_if_there_is_time(slept, retry_after, left_s, asked, waited):
    assert "".join(await asked_after(chances(left_s=left_s), refused(429, retry_after))) == asked
    assert slept == waited


async def test_nobody_is_asked_when_the_time_is_up(slept):
    with pytest.raises(openai.APIStatusError):
        await asked_after(chances(left_s=-1), refused(500))
    assert slept == []


def test_waits_grow_up_to_a_limit_and_no_two_are_alike():
    for tries in range(1, 12):
        longest = min(LONGEST_BACKOFF_S, FIRST_WAIT_S * 2 ** (tries - 1))
        waits = [backoff_s(tries) for _ in range(50)]
        assert all(longest / 2 <= wait <= longest for wait in waits)
        assert len(set(waits)) > 1
    assert math.isfinite(backoff_s(500))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": formatdate(time.time() + 3600, usegmt=True)}, 3600),
        ({"retry-after": formatdate(time.time() - 60, usegmt=True)}, None),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
    ids=["seconds", "a date", "a date that is over", "milliseconds", "words", "nothing"],
)
def test_a_provider_may_say_in_several_ways_when_to_come_back(headers, seconds):
    response = httpx2.Response(429, headers=headers, request=REQUEST)
    said = retry_after_s(openai.RateLimitError("no", response=response, body=None))
    assert said == (seconds if not seconds else pytest.approx(seconds, abs=900 if seconds > 900 else 0))
