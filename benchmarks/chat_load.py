"""How many readers one `book-agent dev` on one core bears, with a provider that answers at the pace of a real one.

`uv run python benchmarks/chat_load.py` starts a server on the sample book, held on one core with its PostgreSQL, and a
scripted provider on loopback: its first words come after --first-word seconds, then a word every --word seconds; it
says what the passages say that it was given. So many --users ask the sample book's questions as streams, each in
conversations of its own, and pause for --pause seconds on the average between an answer and the next question.

"first event" and "first text" are what the reader sees, "answer" is the whole; "added" is what the service adds to the
provider's own time for its words. Exit code 1 if an answer failed.
"""

import asyncio
import json
import os
import re
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
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
from soak_stage import BOOK_AGENT

from app.book.evaluation import read_questions
from tests.fakes.completions import Json
from tests.fakes.loopback import HOST, bind, port_of, serve
from tests.fakes.provider import Reply, ScriptedProvider, first_sentence

PASSAGES = 3
"""That an answer quotes."""
START_TIMEOUT_S, STOP_TIMEOUT_S, ANSWER_TIMEOUT_S = 120.0, 30.0, 120.0
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
    """What the provider alone takes for its words."""


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
    provider = ScriptedProvider(model)
    report: Json = {"pause_s": pause, **pace._asdict(), "users": {}, "load": {"before": load()}}
    with tempfile.TemporaryDirectory(prefix="book-agent-load-") as folder:
        async with serve(provider.app) as url, _server(Path(folder), url + provider.prefix) as (server, pid):
            limits = httpx.Limits(max_connections=None)
            async with httpx.AsyncClient(base_url=server, timeout=ANSWER_TIMEOUT_S, limits=limits) as client:
                for number in users:
                    Console(stderr=True).print(f"{number} users for {seconds:g} s …")
                    used = _cpu_s(pid)
                    answered = await _ask_for(seconds, number, pause, Readers(client, questions, model))
                    report["users"][number] = _figures(answered, seconds, _cpu_s(pid) - used)
    report["load"]["after"] = load()
    return report


class Quoting:
    """A script for the provider: a sentence of each of the first passages, word by word."""

    def __init__(self, questions: Sequence[str], pace: Pace) -> None:
        self._questions = questions
        self._pace = pace
        self.takes_s: dict[str, float] = {}
        """By the question; nothing of one that no model was asked."""

    def __call__(self, request: Json) -> Reply:
        messages = [str(one["content"]) for one in request["messages"]]
        given = next((one for one in reversed(messages) if "<passage " in one), "")
        passages = re.findall(r"<passage .*?</passage>", given, re.DOTALL)[:PASSAGES]
        said = [first_sentence(re.sub(r'id="\d+"', 'id="1"', one, count=1)) for one in passages]
        text = " ".join(f"{one} [{n}]." for n, one in enumerate(said, 1) if one) or "The book does not say."
        question = next(one for one in self._questions if one in messages[-1])
        self.takes_s[question] = self._pace.first_word_s + len(text.split()) * self._pace.word_s
        return Reply.text(text).paced(first_byte_s=self._pace.first_word_s, chunk_s=self._pace.word_s)


@asynccontextmanager
async def _server(folder: Path, provider_url: str) -> AsyncIterator[tuple[str, int]]:
    with bind() as free:
        port = port_of(free)
    environ = {
        **os.environ,
        "MODEL_PROVIDER": "openai",
        "OPENAI_API_KEY": "load",
        "OPENAI_BASE_URL": provider_url,
        "RATE_LIMIT_PER_MINUTE": "0",
        "LOG_LEVEL": "warning",
    }
    command = [str(BOOK_AGENT), "dev", "--data-dir", str(folder / "data"), "--port", str(port)]
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *command, env=environ, stdout=log, stderr=log, preexec_fn=on_one_core
        )
    try:
        async with asyncio.timeout(START_TIMEOUT_S), httpx.AsyncClient() as client:
            while not await _is_ready(client, f"http://{HOST}:{port}"):
                if process.returncode is not None:
                    raise click.ClickException((folder / "log").read_text())
                await asyncio.sleep(0.2)
        yield f"http://{HOST}:{port}", process.pid
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await process.wait()


async def _is_ready(client: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(f"{url}/health/ready")).is_success
    except httpx.HTTPError:
        return False


async def _ask_for(seconds: float, users: int, pause: float, readers: "Readers") -> list[Answered]:
    answered: list[Answered] = []
    end = time.monotonic() + seconds

    async def reader(number: int) -> None:
        random = Random(f"{users} {number}")  # noqa: S311 - no secret
        await asyncio.sleep(random.uniform(0, min(pause, seconds / 2)))
        while time.monotonic() < end:
            answered.append(await readers.ask(random))
            await asyncio.sleep(random.expovariate(1 / pause) if pause else 0)

    async with asyncio.TaskGroup() as group:
        for number in range(users):
            group.create_task(reader(number))
    return answered


class Readers(NamedTuple):
    client: httpx.AsyncClient
    questions: Sequence[str]
    model: Quoting

    async def ask(self, random: Random) -> Answered:
        question = random.choice(self.questions)
        started, at, end = time.perf_counter(), {}, "no end"
        async with aconnect_sse(self.client, "POST", "/api/v1/chat/stream", json={"content": question}) as source:
            if not source.response.is_success:
                return Answered(f"status {source.response.status_code}", 0.0, 0.0, 0.0, 0.0)
            async for event in source.aiter_sse():
                at.setdefault("event", time.perf_counter() - started)
                if event.event == "answer.delta":
                    at.setdefault("text", time.perf_counter() - started)
                end = event.event if event.event in ENDS else end
        whole = time.perf_counter() - started
        return Answered(end, at.get("event", 0.0), at.get("text", 0.0), whole, self.model.takes_s.get(question, 0.0))


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
        "within_target": round(sum(one.whole <= TARGET_S for one in good) / max(1, len(good)), 3),
    } | {f"{name}_ms": _percentiles(values) for name, values in columns.items()}


def _percentiles(seconds: Sequence[float]) -> list[int]:
    """The median and the 95th, in ms."""
    return [round(value * 1000) for value in np.percentile(seconds, [50, 95])] if seconds else []


def _cpu_s(pid: int) -> float:
    """Processor time of a process and of those that it started, so far."""
    own, ticks = 0.0, os.sysconf("SC_CLK_TCK")
    waiting = [pid]
    while waiting:
        one = waiting.pop()
        with suppress(FileNotFoundError):
            fields = Path(f"/proc/{one}/stat").read_text().rsplit(")", 1)[1].split()
            own += (int(fields[11]) + int(fields[12])) / ticks
            for task in Path(f"/proc/{one}/task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
    return own


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
