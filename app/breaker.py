"""Stops calling a dependency that keeps failing, and lets one call through now and then to see if it is back."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app.errors import UnavailableError

FAILURES = 5
"""In a row, until it opens."""
FIRST_OPEN_S = 2.0
LONGEST_OPEN_S = 30.0
"""It stays open twice as long after each probe that fails."""

Refusal = Callable[[int], UnavailableError]
"""The error for a call that is not made, given the seconds until asking again makes sense."""


class Breaker:
    """Of one dependency, in one event loop."""

    def __init__(
        self,
        name: str,
        refusal: Refusal,
        is_failure: Callable[[Exception], bool | None],
        clock: Callable[[], float] = time.monotonic,
        longest_open_s: float = LONGEST_OPEN_S,
    ) -> None:
        """`is_failure`: the dependency itself does not answer; False is that it does, None says nothing of it."""
        self.name = name
        self._refusal = refusal
        self._is_failure = is_failure
        self._clock = clock
        self._longest_open_s = longest_open_s
        self._failures = 0
        self._open_s = FIRST_OPEN_S
        self._open_until = -math.inf
        self._is_probing = False

    @property
    def is_open(self) -> bool:
        """Until a probe has succeeded."""
        return self._failures >= FAILURES

    @property
    def rests_s(self) -> int:
        """Whole seconds in which no call is made; 0 when one may be."""
        return max(0, math.ceil(self._open_until - self._clock())) if self.is_open else 0

    @contextmanager
    def guarding(self) -> Iterator[None]:
        """Around one call. Raises the refusal when the call is not to be made.

        A call that is cancelled says nothing of the dependency.
        """
        is_probe = self.is_open
        if is_probe:
            self._admit_probe()
        try:
            yield
        except Exception as error:
            failed = self._is_failure(error)
            if failed is not None:
                self._note(failed=failed, is_probe=is_probe)
            raise
        else:
            self._note(failed=False, is_probe=is_probe)
        finally:
            if is_probe:
                self._is_probing = False

    def _admit_probe(self) -> None:
        left_s = self._open_until - self._clock()
        if left_s > 0 or self._is_probing:
            raise self._refusal(max(1, math.ceil(left_s)))
        self._is_probing = True

    def _note(self, *, failed: bool, is_probe: bool) -> None:
        if not failed:
            self._failures, self._open_s = 0, FIRST_OPEN_S
            return
        if is_probe:
            self._open_s = min(self._longest_open_s, self._open_s * 2)
        elif self.is_open:
            return  # it was begun before
        self._failures += 1
        if self.is_open:
            self._open_until = self._clock() + self._open_s
