"""How many readers one `book-agent dev` on one core bears, with a provider that answers at the pace of a real one.

`uv run python benchmarks/chat_load.py` starts a server on the sample book, held on one core with its PostgreSQL, and a
scripted provider on loopback: its first words come after --first-word seconds, then a word every --word seconds; it
says what the passages say that it was given. So many --users ask the sample book's questions as streams, each in
conversations of its own, and pause for --pause seconds on the average between an answer and the next question.

What is asked after a first --pause counts, for --seconds. "first event" and "first text" are what the reader sees,
"answer" is the whole; "added" is what it takes longer than the provider's reply. The questions repeat, so what is kept
of earlier ones serves the later, as in a class. Exit code 1 if an answer failed.
"""

import asyncio
import json
import os
import re
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from contextvars import ContextVar
from pathlib import Path
from random import Random
from typing import NamedTuple

import click
import httpx
import numpy as np
from building import SAMPLE_BOOK
from httpx_sse import aconnect_sse
from processes import load, on_one_core
from rich.console import Console
from rich.table import Table
from soak_stage import Server

from app.book.evaluation import read_questions
from tests.fakes.completions import Json
from tests.fakes.loopback import serve
from tests.fakes.provider import Receive, Reply, ScriptedProvider, Send, first_sentence

PASSAGES = 3
"""That an answer quotes."""
ANSWER_TIMEOUT_S = 120.0
TARGET_S, SHARE = 3.0, 0.95
"""The share of the answers that are to be whole within so long."""
ENDS = {"answer.completed", "answer.refused", "turn.failed", "turn.cancelled"}
console = Console(highlight=False)


class Answered(NamedTuple):
    """Seconds since the question."""

    end: str
    first_event: float
    first_text: float
    whole: float
    provider: float
    """That its reply took."""


class Pace(NamedTuple):
    first_word_s: float
    word_s: float


@click.command()
@click.option("--users", multiple=True, type=click.IntRange(1), default=(1, 50, 100, 200), show_default=True)
@click.option("--seconds", default=30.0, show_default=True, help="For each number of users.")
@click.option("--pause", default=10.0, show_default=True)
@click.option("--first-word", default=0.4, show_default=True)
@click.option("--word", default=0.01, show_default=True)
@click.option("--json", "as_json", is_flag=True)
def main(
    users: tuple[int, ...], seconds: float, pause: float, first_word: float, word: float, *, as_json: bool
) -> None:
    report = asyncio.run(_measure(users, seconds, pause, Pace(first_word, word)))
    print(json.dumps(report, indent=1)) if as_json else _print(report)
    raise SystemExit(any(one["failed"] for one in report["users"].values()))


async def _measure(users: Sequence[int], seconds: float, pause: float, pace: Pace) -> Json:
    questions = [one.question for one in read_questions(SAMPLE_BOOK / "evaluation" / "retrieval.jsonl")]
    model = Quoting(questions, pace)
    report: Json = {"pause_s": pause, **pace._asdict(), "users": {}, "load": {"before": load()}}
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="book-agent-load-"))
        server = _server(Path(folder), await stack.enter_async_context(serve(model.app)) + model.prefix)
        stack.push_async_callback(server.stop)
        await server.start()
        limits = httpx.Limits(max_connections=None)
        client = httpx.AsyncClient(base_url=server.url, timeout=ANSWER_TIMEOUT_S, limits=limits)
        await stack.enter_async_context(client)
        for number in users:
            Console(stderr=True).print(f"{number} users for {pause + seconds:g} s …")
            readers = Readers(client, questions, model, pause, seconds)
            report["users"][number] = await readers.run(number, server.pid or 0)
    report["load"]["after"] = load()
    return report


class Quoting:
    """A provider that says a sentence of each of the first passages, word by word."""

    def __init__(self, questions: Sequence[str], pace: Pace) -> None:
        self._questions = questions
        self._pace = pace
        self._provider = ScriptedProvider(self._reply)
        self._asked: ContextVar[str] = ContextVar("asked")
        self.prefix = self._provider.prefix
        self.took_s: dict[str, float] = {}
        """Until the last of a reply was sent, by the question; nothing of one that no model was asked."""

    async def app(self, scope: Json, receive: Receive, send: Send) -> None:
        started = time.perf_counter()

        async def timed(message: Json) -> None:
            await send(message)
            if question := self._asked.get(""):
                self.took_s[question] = time.perf_counter() - started

        await self._provider.app(scope, receive, timed)

    def _reply(self, request: Json) -> Reply:
        messages = [str(one["content"]) for one in request["messages"]]
        given = next((one for one in reversed(messages) if "<passage " in one), "")
        passages = re.findall(r"<passage .*?</passage>", given, re.DOTALL)[:PASSAGES]
        said = [first_sentence(re.sub(r'id="\d+"', 'id="1"', one, count=1)) for one in passages]
        text = " ".join(f"{one} [{n}]." for n, one in enumerate(said, 1) if one) or "The book does not say."
        self._asked.set(next(one for one in self._questions if one in messages[-1]))
        return Reply.text(text).paced(first_byte_s=self._pace.first_word_s, chunk_s=self._pace.word_s)


def _server(folder: Path, provider_url: str) -> Server:
    environ = {
        "MODEL_PROVIDER": "openai",
        "OPENAI_API_KEY": "load",
        "OPENAI_BASE_URL": provider_url,
        "RATE_LIMIT_PER_MINUTE": "0",
        "LOG_LEVEL": "warning",
    }
    return Server("dev", environ, folder / "log", ["dev", "--data-dir", folder / "data"], on_one_core)


class Readers:
    """What begins in a window of so many seconds counts: after a pause, in which they come. The last are waited for."""

    def __init__(
        self, client: httpx.AsyncClient, questions: Sequence[str], model: Quoting, pause: float, seconds: float
    ) -> None:
        self._client = client
        self._questions = questions
        self._model = model
        self._pause = pause
        self._seconds = seconds
        self._answered: list[Answered] = []

    async def run(self, users: int, pid: int) -> Json:
        begins = time.monotonic() + self._pause
        async with asyncio.TaskGroup() as group:
            for number in range(users):
                group.create_task(self._read(Random(f"{users} {number}"), begins))  # noqa: S311 - no secret
            await asyncio.sleep(self._pause)
            used = _cpu_s(pid)
            await asyncio.sleep(self._seconds)
            used = _cpu_s(pid) - used
        return _figures(self._answered, self._seconds, used)

    async def _read(self, random: Random, begins: float) -> None:
        while (starts := time.monotonic() + self._thinking_s(random)) < begins + self._seconds:
            await asyncio.sleep(max(0.0, starts - time.monotonic()))
            answered = await self._ask(random.choice(self._questions))
            if starts >= begins:
                self._answered.append(answered)

    def _thinking_s(self, random: Random) -> float:
        return random.expovariate(1 / self._pause) if self._pause else 0.0

    async def _ask(self, question: str) -> Answered:
        started, at, end = time.perf_counter(), {}, "no end"
        try:
            async with aconnect_sse(self._client, "POST", "/api/v1/chat/stream", json={"content": question}) as source:
                if not source.response.is_success:
                    return Answered(f"status {source.response.status_code}", 0.0, 0.0, 0.0, 0.0)
                async for event in source.aiter_sse():
                    at.setdefault("event", time.perf_counter() - started)
                    if event.event == "answer.delta":
                        at.setdefault("text", time.perf_counter() - started)
                    end = event.event if event.event in ENDS else end
        except httpx.HTTPError as error:
            end = type(error).__name__
        whole = time.perf_counter() - started
        return Answered(end, at.get("event", 0.0), at.get("text", 0.0), whole, self._model.took_s.get(question, 0.0))


def _figures(answered: Sequence[Answered], seconds: float, cpu_s: float) -> Json:
    good = [one for one in answered if one.end == "answer.completed"]
    failed = [one for one in answered if one.end not in {"answer.completed", "answer.refused"}]
    columns = {
        "first_event": [one.first_event for one in good],
        "first_text": [one.first_text for one in good],
        "answer": [one.whole for one in good],
        "added": [one.whole - one.provider for one in good],
    }
    return {
        "asked": len(answered),
        "answered": len(good),
        "failed": dict(Counter(one.end for one in failed)),
        "a_second": round(len(answered) / seconds, 1),
        "cpu_ms_each": round(cpu_s / max(1, len(answered)) * 1000),
        "within_target": round(sum(one.whole <= TARGET_S for one in good) / max(1, len(good) + len(failed)), 3),
    } | {f"{name}_ms": _percentiles(values) for name, values in columns.items()}


def _percentiles(seconds: Sequence[float]) -> list[int]:
    """The median and the 95th, in ms."""
    return [round(value * 1000) for value in np.percentile(seconds, [50, 95])] if seconds else []


def _cpu_s(pid: int) -> float:
    """Processor time so far of a process and of those that it started, ended ones too."""
    used, ticks = 0.0, os.sysconf("SC_CLK_TCK")
    waiting = [pid]
    while waiting:
        one = waiting.pop()
        with suppress(FileNotFoundError, ProcessLookupError):
            fields = Path(f"/proc/{one}/stat").read_text().rsplit(")", 1)[1].split()
            used += sum(map(int, fields[11:15])) / ticks
            for task in Path(f"/proc/{one}/task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
    return used


def _print(report: Json) -> None:
    table = Table("users", "asked", "answered", "failed", "a second", "CPU, ms each", "first event", "first text")
    table.add_column("answer")
    table.add_column("added")
    table.add_column(f"within {TARGET_S:g} s")
    for users, one in report["users"].items():
        counts = (one["asked"], one["answered"], sum(one["failed"].values()), one["a_second"], one["cpu_ms_each"])
        times = [" / ".join(map(str, one[f"{name}_ms"])) for name in ("first_event", "first_text", "answer", "added")]
        table.add_row(str(users), *map(str, counts), *times, f"{one['within_target']:.0%}")
    console.print(table)
    console.print(f"ms: median / 95th percentile. Target: {SHARE:.0%} within {TARGET_S:g} s.")
    for users, one in report["users"].items():
        for end, count in one["failed"].items():
            console.print(f"{users} users: {count} x {end}")
    console.print("Load average before and after:", *report["load"].values())


if __name__ == "__main__":
    main()
