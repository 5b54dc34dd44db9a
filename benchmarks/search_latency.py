"""How long a search takes among 20,000 chunks: embedded index, one core, the embedding of the question included.

`uv run python benchmarks/search_latency.py --data library --book ../book/docs --squad dev-v2.0.json` builds the
index in --data the first time (see large_index.py: real chunks, and copies of them with noise; --book again for more
books, --squad for the paragraphs and questions of SQuAD), and then measures `Retriever.search(limit=6,
whole_sections=True)` in a process on one core, once for each --rerank:

- closed loop, 1 and 50 at a time: as soon as one is answered, the next is asked; each question new to the process
  ("cold"), or 200 questions asked 2,000 times, some much more often than others (Zipf), as in a class ("repeated");
- open loop: questions arrive at random, so many a second on average (Poisson); a wait before the search counts;
- where the time of one search goes, one at a time, cold.

The index has token vectors for each --rerank but `full`; with `off` they are not looked at.
"""

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from itertools import cycle, islice
from pathlib import Path

import click
import numpy as np
import uvloop
from building import SAMPLE_BOOK
from large_index import has_index, make_index
from processes import in_own_process, load, memory_mb, on_one_core
from rich.console import Console
from rich.table import Table
from squad import questions_of, read_paragraphs
from stopwatch import timed_retriever

from app.book.bm25 import SparseVector, TermEncoder
from app.book.edge_store import EdgeStore
from app.book.embedding import Embedder, load_embedder
from app.book.evaluation import read_questions
from app.book.retrieval import LEG_LIMIT, Retriever
from app.book.weights import PACKAGED_MODEL

CONCURRENCIES, RATES = (1, 50), (50, 100)
TARGETS_MS = {1: 15.0, 50: 60.0}
COLD, CLASS, ASKED = 500, 200, 2000
OPEN_LOOP_S = 8
NO_TERMS = SparseVector([], [])
WARM_UP = 30

Ask = Callable[[str], Awaitable[object]]
Percentiles = dict[str, float]


@click.command()
@click.option(
    "--data", required=True, type=click.Path(file_okay=False, path_type=Path), help="The index is kept there."
)
@click.option("--book", multiple=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--squad", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--chunks", default=20_000, show_default=True)
@click.option("--rerank", multiple=True, default=("off", "compact"), type=click.Choice(["off", "compact"]))
@click.option("--json", "as_json", is_flag=True)
def main(
    data: Path, book: tuple[Path, ...], squad: Path | None, chunks: int, rerank: tuple[str, ...], as_json: bool
) -> None:
    with closing(load_embedder(PACKAGED_MODEL, threads=1)) as embedder:
        if not has_index(data, embedder, chunks):
            real = make_index(data, embedder, chunks, [SAMPLE_BOOK, *(one.resolve() for one in book)], squad)
            Console(stderr=True).print(f"{real} of the {chunks} chunks are real")
    questions = _questions(squad)
    on_one_core()
    report = {"chunks": chunks, "questions": len(questions), "load": {"before": load()}}
    report["rerank"] = {setting: in_own_process(measure, data, setting, questions) for setting in rerank}
    report["load"]["after"] = load()
    print(json.dumps(report)) if as_json else _print(report)


def measure(data: Path, rerank: str, questions: Sequence[str]) -> dict[str, object]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_measure(data, rerank, questions))


async def _measure(data: Path, rerank: str, questions: Sequence[str]) -> dict[str, object]:
    embedder, store = load_embedder(PACKAGED_MODEL, threads=1, rerank=rerank), EdgeStore(data)
    retriever = Retriever(embedder, TermEncoder(), store)
    fresh = cycle(questions)

    async def ask(question: str) -> object:
        return await retriever.search(question, limit=6, whole_sections=True)

    await _closed_loop(ask, list(islice(fresh, WARM_UP)), 1)
    result: dict[str, object] = {}
    for concurrency in CONCURRENCIES:
        result[f"cold, {concurrency} at a time"] = await _closed_loop(ask, list(islice(fresh, COLD)), concurrency)
    for concurrency in CONCURRENCIES:
        asked = _class(list(islice(fresh, CLASS)))
        result[f"repeated, {concurrency} at a time"] = await _closed_loop(ask, asked, concurrency)
    for rate in RATES:
        result[f"cold, {rate} a second"] = await _open_loop(ask, list(islice(fresh, rate * OPEN_LOOP_S)), rate)
        asked = _class(list(islice(fresh, CLASS)))[: rate * OPEN_LOOP_S]
        result[f"repeated, {rate} a second"] = await _open_loop(ask, asked, rate)
    parts = await _parts(embedder, store, list(islice(fresh, COLD)))
    await store.close()
    embedder.close()
    return {"runs": result, "parts_ms": parts, "memory_mb": round(memory_mb("VmHWM"))}


def _questions(squad: Path | None) -> list[str]:
    """Distinct, in random order."""
    asked = [question.query for question in read_questions(SAMPLE_BOOK / "evaluation" / "retrieval.jsonl")]
    if squad is not None:
        asked += [question.text for question in questions_of(read_paragraphs(squad))]
    distinct = sorted(set(asked))
    random.Random(0).shuffle(distinct)  # noqa: S311 - no secret
    return distinct


def _class(questions: Sequence[str]) -> list[str]:
    weights = [1 / rank for rank in range(1, len(questions) + 1)]
    return random.Random(0).choices(questions, weights, k=ASKED)  # noqa: S311 - no secret


async def _closed_loop(ask: Ask, questions: Sequence[str], concurrency: int) -> Percentiles:
    waiting, seconds = iter(questions), []

    async def client() -> None:
        for question in waiting:
            started = time.perf_counter()
            await ask(question)
            seconds.append(time.perf_counter() - started)
            await asyncio.sleep(0)  # the others' turn, as between requests

    started, used = time.perf_counter(), time.process_time()
    await asyncio.gather(*(client() for _ in range(concurrency)))
    return _percentiles(seconds, time.perf_counter() - started, time.process_time() - used)


async def _open_loop(ask: Ask, questions: Sequence[str], rate: float) -> Percentiles:
    seconds = []

    async def client(question: str, due: float) -> None:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        await ask(question)
        seconds.append(time.perf_counter() - due)

    arrivals = np.random.default_rng(0).exponential(1 / rate, len(questions)).cumsum()
    started, used = time.perf_counter(), time.process_time()
    await asyncio.gather(*(client(one, started + due) for one, due in zip(questions, arrivals, strict=True)))
    return _percentiles(seconds, time.perf_counter() - started, time.process_time() - used)


def _percentiles(seconds: Sequence[float], wall: float, cpu: float) -> Percentiles:
    """In ms; `cpu`: processor time of a search, which the load of the machine changes less."""
    p50, p95, p99 = (round(float(value) * 1000, 2) for value in np.percentile(seconds, [50, 95, 99]))
    per_search = round(cpu / len(seconds) * 1000, 2)
    return {"p50": p50, "p95": p95, "p99": p99, "per_s": round(len(seconds) / wall, 1), "cpu": per_search}


async def _parts(embedder: Embedder, store: EdgeStore, questions: Sequence[str]) -> dict[str, float]:
    """Mean ms of one search: in all, and of each part. The dense leg alone is measured with other questions."""
    half = len(questions) // 2
    retriever, seconds = timed_retriever(embedder, store)
    started = time.perf_counter()
    for question in questions[:half]:
        await retriever.search(question, limit=6, whole_sections=True)
    whole = time.perf_counter() - started
    parts = {"in all": whole} | seconds | {"rest": whole - sum(seconds.values())}
    means = {name: round(value / half * 1000, 2) for name, value in parts.items()}
    return means | {"of both legs, the dense one": await _dense_leg(embedder, store, questions[half:])}


async def _dense_leg(embedder: Embedder, store: EdgeStore, questions: Sequence[str]) -> float:
    vectors = [await embedder.embed_query(question) for question in questions]
    started = time.perf_counter()
    for one in vectors:
        await store.search(one.dense.tolist(), NO_TERMS, limit=LEG_LIMIT)
    return round((time.perf_counter() - started) / len(vectors) * 1000, 2)


def _print(report: dict) -> None:
    console = Console(highlight=False)
    for rerank, measured in report["rerank"].items():
        table = Table(
            "ms", "p50", "p95", "p99", "searches/s", "CPU", title=f"RERANK={rerank}, {report['chunks']} chunks"
        )
        for name, figures in measured["runs"].items():
            table.add_row(name, *(str(figure) for figure in figures.values()))
        console.print(table)
        console.print("One search, mean ms:", ", ".join(f"{name} {ms}" for name, ms in measured["parts_ms"].items()))
        console.print(f"Memory at the most: {measured['memory_mb']} MB")
    targets = " and ".join(f"{ms:g} ms at {concurrency}" for concurrency, ms in TARGETS_MS.items())
    console.print(f"Target, p95: {targets}. Load average before and after:", *report["load"].values())


if __name__ == "__main__":
    main()
