"""Whom to ask for a reply when asking has failed, and when."""

import asyncio
import random
import time
from collections.abc import Sequence

import structlog

from app.chat.model_errors import is_passing, retry_after_s
from app.chat.providing import Models, ProvidedModel

FIRST_WAIT_S, LONGEST_BACKOFF_S = 0.25, 4.0
LONGEST_WAIT_S = 5.0
"""A provider that asks for a longer one is not waited for: a reader would not wait for it either."""
log = structlog.get_logger(__name__)


class Chances:
    """Of one reply: the same model again after a failure that may pass, the next one after one that lasts."""

    def __init__(self, models: Models, deadline: float, last: ProvidedModel | None) -> None:
        """`deadline`: of the turn, on the monotonic clock. `last`: who replied last in the turn; it is asked first.

        So a turn does not wait for the same failure twice, and a model is rarely shown another one's tool calls.
        """
        self._models = models
        self._deadline = deadline
        first = models.provided.index(last) if last else 0
        self._errors: list[Exception] = []
        self._take(models.provided[first], models.provided[first + 1 :])

    def _take(self, asked: ProvidedModel, left: Sequence[ProvidedModel]) -> None:
        """Whoever is asked gets an equal share of the time, so that the others get theirs."""
        self.asked, self._left, self._tries = asked, left, 1
        now = time.monotonic()
        self._share_until = now + (self._deadline - now) / (len(left) + 1)

    def left_s(self) -> float:
        return self._share_until - time.monotonic()

    async def after(self, error: Exception) -> None:
        """Waits until it is time to ask again. When nobody is left to be asked, or no time, raises what was wrong.

        An error that may pass is told rather than a later one that lasts: it says when to come back.
        """
        self._errors.append(error)
        metrics, failed = self._models.metrics, self.asked
        log.warning(
            "model.failed", provider=failed.provider, model=failed.name, error=type(error).__name__, tries=self._tries
        )
        wait_s = self._wait_s(error)
        if wait_s is not None:
            metrics.model_retries.labels(failed.provider, failed.name).inc()
            self._tries += 1
            await asyncio.sleep(wait_s)
        elif self._left and time.monotonic() < self._deadline:
            self._take(self._left[0], self._left[1:])
            log.warning("model.handed_over", provider=self.asked.provider, model=self.asked.name)
            metrics.model_fallbacks.labels(failed.name, self.asked.name).inc()
        else:
            raise next(filter(is_passing, self._errors), error)

    def _wait_s(self, error: Exception) -> float | None:
        """None where the same model is not to be asked again."""
        if self._tries >= self._models.attempts or not is_passing(error):
            return None
        wait_s = retry_after_s(error) or backoff_s(self._tries)
        return wait_s if wait_s <= LONGEST_WAIT_S and wait_s < self.left_s() else None


def backoff_s(tries: int) -> float:
    """Exponential, with jitter."""
    longest = min(LONGEST_BACKOFF_S, FIRST_WAIT_S * 2 ** (tries - 1))
    return random.uniform(longest / 2, longest)  # noqa: S311 - no secret
