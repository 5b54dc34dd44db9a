"""Two servers under mixed traffic while everything around them fails now and then: is any promise broken?

`uv run python benchmarks/soak.py --minutes 5 --seed 1` starts two `book-agent serve` over one PostgreSQL, a fake
Qdrant and a scripted provider, with a fault proxy before each. Clients read to the end, leave, cancel, are cut and
come back on either server, ask twice with one Idempotency-Key. Meanwhile the proxies refuse, fall silent, cut and
delay for moments, and a server is killed or stopped now and then, and started again. What each client was told is
kept, read again at the end on both servers, and compared with the database. Exit code 1 unless all four are 0:

- lost: a turn or an event that a client was told of, which is not in the database as it was told, or has no end;
- duplicated: two turns or calls of the model for one question, two ends, an event with two bodies;
- stuck: a client that waited longer than the turn's deadline and 30 s, a turn that runs at the end;
- leaked: turns, connections, file descriptors, memory of the servers, against what they held after a warm-up.

Latencies are of answers without a fault around, the model's own pace included.
"""

import asyncio
import json
import logging
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import click
import httpx
import numpy as np
import soak_verdict as verdict
from processes import load
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from soak_faults import Faults
from soak_stage import TURN_TIMEOUT_S, Stage, open_stage

from tests.traffic.clients import Clients
from tests.traffic.ledger import Ledger

AT_ONCE = 8
THINKING_S = 0.3
"""Of a client, on the average, before it comes again."""
PATIENCE_S = TURN_TIMEOUT_S + 30
WARM_UP_S = 20.0
SETTLED_WITHIN_S = 40.0
READ_AGAIN = 300
"""Turns, at the most."""
FOUND = ("lost", "duplicated", "stuck", "leaked")
SHOWN = 10


@click.command()
@click.option("--minutes", default=5.0, show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--json", "as_json", is_flag=True)
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), help="Keeps the servers' logs there.")
def main(minutes: float, seed: int, folder: Path | None, *, as_json: bool) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        place = folder or Path(temporary)
        place.mkdir(parents=True, exist_ok=True)
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # the provider's replies are cut on purpose
        report = asyncio.run(Soak(minutes * 60, seed).run(place))
    print(json.dumps(report, indent=1)) if as_json else _print(report)
    raise SystemExit(any(report[name] for name in FOUND))


class Soak:
    def __init__(self, seconds: float, seed: int) -> None:
        self._seconds = seconds
        self._seed = seed
        self._ledger = Ledger()
        self._warm: dict[int, verdict.Held] = {}

    async def run(self, folder: Path) -> dict[str, Any]:
        async with open_stage(folder, self._seed) as stage, _clients_of(stage) as servers:
            clients = Clients(servers, self._ledger, Random(self._seed), PATIENCE_S)  # noqa: S311 - no secret
            faults = Faults(stage, Random(self._seed + 1))  # noqa: S311
            end = time.monotonic() + self._seconds
            async with asyncio.TaskGroup() as group:
                helpers = [group.create_task(one) for one in (self._watch(stage), self._show(faults, end))]
                await self._traffic(clients, faults, end)
                for helper in helpers:
                    helper.cancel()
            await _settled(stage)
            await self._read_again(clients, servers)
            return self._report(stage, faults, folder)

    async def _traffic(self, clients: Clients, faults: Faults, end: float) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(faults.run(end))
            for number in range(AT_ONCE):
                group.create_task(_come_again(clients, Random(f"{self._seed} {number}"), end))  # noqa: S311

    async def _watch(self, stage: Stage) -> None:
        """Notes what each process holds after its warm-up."""
        while True:
            for server in stage.servers:
                is_warm = time.monotonic() > server.started_at + WARM_UP_S
                if is_warm and server.pid not in self._warm and (held := verdict.held_by(server)):
                    self._warm[server.pid or 0] = held
            await asyncio.sleep(1)

    async def _show(self, faults: Faults, end: float) -> None:
        columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task("", total=self._seconds)
            while True:
                visits, stuck = self._ledger.visits, sum(visit.is_stuck for visit in self._ledger.visits)
                said = f"{len(visits)} visits, {faults.counts.total()} faults, {stuck} stuck"
                progress.update(task, completed=self._seconds - max(0.0, end - time.monotonic()), description=said)
                await asyncio.sleep(0.5)

    async def _read_again(self, clients: Clients, servers: list[httpx.AsyncClient]) -> None:
        turns = list(self._ledger.turns)
        for turn_id in Random(self._seed).sample(turns, min(READ_AGAIN, len(turns))):  # noqa: S311
            for server in servers:
                await clients.read_again(turn_id, server)

    def _report(self, stage: Stage, faults: Faults, folder: Path) -> dict[str, Any]:
        rows = verdict.rows_of(stage)
        return {
            "seed": self._seed,
            "minutes": round(self._seconds / 60, 1),
            "visits": dict(Counter(visit.kind for visit in self._ledger.visits)),
            "turns": verdict.by_status(rows.values()),
            "faults": dict(sorted(faults.counts.items())),
            "lost": list(verdict.lost(self._ledger, rows, verdict.bodies_of(stage))) + self._ledger.unexpected,
            "duplicated": list(verdict.duplicated(self._ledger, rows, stage.model.calls)),
            "stuck": list(verdict.stuck(self._ledger, rows)) + faults.problems,
            "leaked": list(verdict.leaked(stage, self._warm)),
            "latency_ms": self._latency_ms(faults),
            "logged": dict(verdict.complaints(folder)),
            "load": load(),
        }

    def _latency_ms(self, faults: Faults) -> dict[str, Any]:
        seconds = [
            visit.seconds
            for visit in self._ledger.visits
            if visit.kind in {"whole stream", "JSON"} and not faults.disturbed(visit.began, visit.ended)
        ]
        percentiles = np.percentile(seconds, [50, 95, 99]) if seconds else []
        figures = {f"p{name}": round(value * 1000) for name, value in zip((50, 95, 99), percentiles, strict=False)}
        return {"answers": len(seconds)} | figures


async def _come_again(clients: Clients, random: Random, end: float) -> None:
    while time.monotonic() < end:
        await clients.visit(random.choice(list(clients.kinds)))
        await asyncio.sleep(random.expovariate(1 / THINKING_S))


@asynccontextmanager
async def _clients_of(stage: Stage) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Without a timeout of their own: who waits too long is to be seen."""
    async with AsyncExitStack() as stack:
        opened = [httpx.AsyncClient(base_url=server.url, timeout=None) for server in stage.servers]  # noqa: S113
        yield [await stack.enter_async_context(client) for client in opened]


async def _settled(stage: Stage) -> None:
    """When every turn has an end, or after some time."""
    deadline = time.monotonic() + SETTLED_WITHIN_S
    while time.monotonic() < deadline:
        if all(row["has_ended"] for row in verdict.rows_of(stage).values()):
            return
        await asyncio.sleep(0.5)


def _print(report: dict[str, Any]) -> None:
    console = Console(highlight=False)
    table = Table("", "", title=f"{report['minutes']} minutes, seed {report['seed']}", show_header=False)
    for name in ("visits", "faults", "turns", "latency_ms", "logged"):
        table.add_row(name, _listed(f"{what} {count}" for what, count in report[name].items()))
    for name in FOUND:
        table.add_row(f"[bold]{name}", str(len(report[name])))
    console.print(table)
    for name in FOUND:
        for one in report[name][:SHOWN]:
            console.print(f"{name}: {one}", markup=False)
    console.print("Load average:", *report["load"])


def _listed(parts: Iterable[str]) -> str:
    return ", ".join(parts)


if __name__ == "__main__":
    main()
