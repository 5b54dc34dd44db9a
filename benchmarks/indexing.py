"""How fast a book is indexed, against bare fastembed on the same chunks in the same run, and in how much memory.

`uv run python benchmarks/indexing.py` measures on the sample book, `--book ../book/docs` on another. In each round run,
one after the other: bare fastembed on the chunks' texts in three settings, our embedding of the chunks (a vector for
each excerpt, vectors of the tokens), and the whole indexer (reading, cutting, embedding, BM25, writing, publishing).
All use the same weights, bare fastembed with their graph as published, and read at most 256 tokens. A ratio is the
median of the rounds' ratios. "CPU" is the processor time of this process, which other load on the machine changes less
than the time on the clock. The memory is the peak of an indexing process, for the book and for one of ten copies of it.
"""

import asyncio
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import click
from bare_fastembed import bare_fastembed
from building import SAMPLE_BOOK, chunks_of, cut_book
from processes import MemoryWatch, in_own_process, load, memory_mb
from rich.console import Console
from rich.table import Table

from app.book.bm25 import TermEncoder
from app.book.chunking import Chunk
from app.book.edge_writer import EdgeWriter
from app.book.embedding import Embedder, load_embedder
from app.book.identity import identity_of
from app.book.indexing import Indexer, IndexOptions, Skipped
from app.book.weights import PACKAGED_MODEL

TARGET = 0.9
"""Of bare fastembed."""
COPIES = 10
BATCH = 8
BARE = 3
"""So many of the ways are bare fastembed."""


class Silence:
    """A progress that is not shown."""

    def begin(self, documents: int) -> None: ...
    def embed(self, source: str, done: int, chunks: int) -> None: ...
    def advance(self, source: str, chunks: int) -> None: ...
    def skip(self, skipped: Skipped) -> None: ...


class Way(NamedTuple):
    name: str
    run: Callable[[], object]
    tokens: int
    """That the model reads in one run, its two special ones included."""


class Took(NamedTuple):
    """Seconds."""

    wall: float
    cpu: float


class Peak(NamedTuple):
    chunks: int
    indexer_mb: float
    own_mb: float
    """Without the pages of the index's files, which the system takes back when it needs them."""
    reader_mb: float
    """Of the process that reads and cuts."""


@click.command()
@click.option("--book", default=SAMPLE_BOOK, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--rerank", default="compact", type=click.Choice(["off", "compact", "full"]))
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1))
@click.option("--memory/--no-memory", default=True, help="Measure the peak memory, too.")
@click.option("--json", "as_json", is_flag=True)
def main(book: Path, rerank: str, rounds: int, memory: bool, as_json: bool) -> None:
    book, before = book.resolve(), load()
    embedder = load_embedder(PACKAGED_MODEL, threads=1, rerank=rerank)
    chunks = chunks_of(cut_book(book, embedder))
    ways = _ways(book, embedder, chunks)
    taken = _timed(ways, rounds)
    embedder.close()
    report = {
        "chunks": len(chunks),
        "rounds": rounds,
        "rerank": rerank,
        "ways": {way.name: _figures(way, len(chunks), ways, taken) for way in ways},
        "memory": {name: peak._asdict() for name, peak in _peaks(book, rerank).items()} if memory else {},
        "load": {"before": before, "after": load()},
    }
    print(json.dumps(report)) if as_json else _print(report, [way.name for way in ways[:BARE]])


def _ways(book: Path, embedder: Embedder, chunks: Sequence[Chunk]) -> list[Way]:
    texts = [chunk.embedding_text for chunk in chunks]
    passages = [chunk.excerpts for chunk in chunks]
    by_default, single = (bare_fastembed(threads) for threads in (None, 1))
    whole = sum(map(embedder.count_tokens, texts))
    parts = sum(embedder.count_tokens(excerpt) for passage in passages for excerpt in passage)
    return [
        Way("fastembed, its defaults", lambda: list(by_default.embed(texts)), whole),
        Way(f"fastembed, batch_size={BATCH}", lambda: list(by_default.embed(texts, batch_size=BATCH)), whole),
        Way("fastembed, batch_size=1, threads=1", lambda: list(single.embed(texts, batch_size=1)), whole),
        Way("our embedding", lambda: embedder.encode(passages), parts),
        Way("the whole indexer", lambda: _index(book, embedder), parts),
    ]


def _index(book: Path, embedder: Embedder) -> int:
    with tempfile.TemporaryDirectory(prefix="book-agent-indexing-") as folder:
        writer = EdgeWriter(Path(folder), identity_of(embedder))
        indexer = Indexer(IndexOptions(source=book), embedder, TermEncoder(), Silence())
        return asyncio.run(indexer.run(writer)).chunks


def _timed(ways: Sequence[Way], rounds: int) -> dict[str, list[Took]]:
    """Of each way in each round, after one that doesn't count; every other round goes backwards."""
    taken: dict[str, list[Took]] = {way.name: [] for way in ways}
    for round_ in range(rounds + 1):
        for way in ways if round_ % 2 else reversed(ways):
            started, used = time.perf_counter(), time.process_time()
            way.run()
            if round_:
                taken[way.name].append(Took(time.perf_counter() - started, time.process_time() - used))
    return taken


def _figures(way: Way, chunks: int, ways: Sequence[Way], taken: dict[str, list[Took]]) -> dict[str, object]:
    own = taken[way.name]
    pairs = {bare.name: list(zip(taken[bare.name], own, strict=True)) for bare in ways[:BARE]}
    middle = statistics.median(took.wall for took in own)
    return {
        "seconds": [round(took.wall, 3) for took in own],
        "cpu_seconds": [round(took.cpu, 3) for took in own],
        "chunks_per_s": round(chunks / middle, 1),
        "tokens_per_s": round(way.tokens / middle),
        "cpu_ms_per_chunk": round(statistics.median(took.cpu for took in own) / chunks * 1000, 1),
        "ratios": {
            name: round(statistics.median(bare.wall / ours.wall for bare, ours in rounds), 3)
            for name, rounds in pairs.items()
        },
        "cpu_ratios": {
            name: round(statistics.median(bare.cpu / ours.cpu for bare, ours in rounds), 3)
            for name, rounds in pairs.items()
        },
    }


def _peaks(book: Path, rerank: str) -> dict[str, Peak]:
    with tempfile.TemporaryDirectory(prefix="book-agent-copies-") as folder:
        for copy in range(COPIES):
            shutil.copytree(book, Path(folder) / f"copy-{copy}")
        return {
            "the book": in_own_process(_peak, book, rerank),
            f"{COPIES} copies of it": in_own_process(_peak, Path(folder), rerank),
        }


def _peak(book: Path, rerank: str) -> Peak:
    async def index() -> Peak:
        watch = MemoryWatch()
        watching = asyncio.create_task(watch.run())
        with tempfile.TemporaryDirectory(prefix="book-agent-indexing-") as folder:
            writer = EdgeWriter(Path(folder), identity_of(embedder))
            report = await Indexer(IndexOptions(source=book), embedder, TermEncoder(), Silence()).run(writer)
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        return Peak(report.chunks, *(round(one, 1) for one in (memory_mb("VmHWM"), watch.own_mb, watch.children_mb)))

    embedder = load_embedder(PACKAGED_MODEL, threads=1, rerank=rerank)
    peak = asyncio.run(index())
    embedder.close()
    return peak


def _print(report: dict, bare: Sequence[str]) -> None:
    console = Console(highlight=False)
    title = f"{report['chunks']} chunks, {report['rounds']} rounds, RERANK={report['rerank']}; target {TARGET}"
    table = Table("", "chunks/s", "tokens/s", "CPU, ms a chunk", *(f"x {name} (CPU)" for name in bare), title=title)
    for name, figures in report["ways"].items():
        ratios = (f"{figures['ratios'][one]:.2f} ({figures['cpu_ratios'][one]:.2f})" for one in bare)
        table.add_row(
            name, *(str(figures[key]) for key in ("chunks_per_s", "tokens_per_s", "cpu_ms_per_chunk")), *ratios
        )
    console.print(table)
    if report["memory"]:
        table = Table("peak memory", "chunks", "indexer, MB", "without mapped files, MB", "its reader process, MB")
        for name, peak in report["memory"].items():
            table.add_row(name, *(str(figure) for figure in peak.values()))
        console.print(table)
    console.print("load average before and after:", report["load"]["before"], report["load"]["after"])


if __name__ == "__main__":
    main()
