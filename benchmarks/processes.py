"""Measuring in a process of its own: its memory is that of the work alone, and it can be held on one core."""

import asyncio
import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

KB = 1024
MB = 1_000_000


def in_own_process(work: Callable[..., T], *args: object) -> T:
    """Runs work(*args) in a fresh interpreter; both must pickle."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *args).result()


def on_one_core() -> None:
    """This process, and those that it starts from now on."""
    if hasattr(os, "sched_setaffinity"):  # Linux
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def memory_mb(which: str = "VmRSS", process: int | None = None) -> float:
    """Resident now, or with "VmHWM" at the most so far; 0 for a process that is gone. Linux only."""
    try:
        lines = Path(f"/proc/{process or os.getpid()}/status").read_text().splitlines()
    except FileNotFoundError:
        return 0.0
    kilobytes = next((line.split()[1] for line in lines if line.startswith(f"{which}:")), "0")
    return int(kilobytes) * KB / MB


def load() -> list[float]:
    """Of the machine, over 1, 5 and 15 minutes."""
    return [round(average, 1) for average in os.getloadavg()]


def disk_bytes(folder: Path) -> int:
    """What the files take, without their holes."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


class MemoryWatch:
    """The most memory that this process has had, mapped files left out, and that any of its children has had."""

    def __init__(self, every_s: float = 0.05) -> None:
        self.own_mb = 0.0
        self.children_mb = 0.0
        self._every_s = every_s

    async def run(self) -> None:
        while True:
            self.own_mb = max(self.own_mb, memory_mb("RssAnon"))
            self.children_mb = max([self.children_mb, *(memory_mb("VmHWM", int(pid)) for pid in _children())])
            await asyncio.sleep(self._every_s)


def _children() -> list[str]:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
