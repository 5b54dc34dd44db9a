"""What goes wrong in a soak: a dependency for moments, a server for good."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random

from soak_stage import Server, Stage

from tests.fakes.proxy import FaultProxy, Mode

MODES: tuple[Mode, ...] = ("refuse", "blackhole", "cut", "delay")
QUIET_S = (1.0, 9.0)
FAULT_S = (0.2, 4.0)
LONG_S = 14.0
"""Long enough for the other servers to give a silent one up."""
LONG, DROPPED = 0.1, 0.5
"""How often a fault is a long one, and begins with the loss of all connections."""
AFTERMATH_S = 3.0
"""What it takes after a fault until answers are as before."""


class Faults:
    def __init__(self, stage: Stage, random: Random) -> None:
        self.counts: Counter[str] = Counter()
        self.problems: list[str] = []
        """Servers that did not stop when they were told to."""
        self._stage = stage
        self._random = random
        self._times: list[tuple[float, float]] = []

    async def run(self, until: float) -> None:
        """Ends with everything as it was."""
        while (now := time.monotonic()) < until:
            await asyncio.sleep(min(self._random.uniform(*QUIET_S), until - now))
            began = time.monotonic()
            await self._random.choices([self._proxy, self._drop, self._kill, self._stop], [6, 2, 2, 1])[0]()
            self._times.append((began, time.monotonic()))

    def disturbed(self, began: float, ended: float) -> bool:
        return any(began < end + AFTERMATH_S and ended > start for start, end in self._times)

    async def _proxy(self) -> None:
        name, proxy = self._some_proxy()
        mode = self._random.choice(MODES)
        self.counts[f"{name}: {mode}"] += 1
        proxy.switch(mode, cut_after=self._random.randint(0, 2000), delay_s=self._random.uniform(0.01, 0.3))
        if self._random.random() < DROPPED:
            proxy.drop_all()
        await self._wait()
        proxy.switch("pass")
        proxy.drop_all()

    async def _drop(self) -> None:
        name, proxy = self._some_proxy()
        self.counts[f"{name}: connections dropped"] += 1
        proxy.drop_all()

    async def _kill(self) -> None:
        await self._restart("killed", Server.kill)

    async def _stop(self) -> None:
        await self._restart("stopped", Server.stop)

    async def _restart(self, how: str, end: Callable[[Server], Awaitable[None]]) -> None:
        server = self._random.choice(self._stage.servers)
        self.counts[f"server {how}"] += 1
        try:
            await end(server)
        except TimeoutError:
            self.problems.append(f"the server {server.name} did not end when it was {how}")
            await server.kill()
        await self._wait()
        await server.start()

    async def _wait(self) -> None:
        is_long = self._random.random() < LONG
        await asyncio.sleep(LONG_S if is_long else self._random.uniform(*FAULT_S))

    def _some_proxy(self) -> tuple[str, FaultProxy]:
        return self._random.choice(list(self._stage.proxies.items()))
