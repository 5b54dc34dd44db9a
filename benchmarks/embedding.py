"""How long the model takes for a text, with the graph as published (bare fastembed) and with ours; on one core.

`uv run python benchmarks/embedding.py` embeds the sample book's questions, one by one and 32 at a time, and its chunks'
texts, in turns with either; "ms" is the processor time of a text, the median of the rounds, "ratio" that of ours to
bare fastembed's. "cosine" is between the two vectors of a text, at the least and in the mean.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import click
import msgspec
import numpy as np
from bare_fastembed import bare_fastembed
from building import SAMPLE_BOOK, chunks_of, cut_book
from processes import load, on_one_core
from rich.console import Console
from rich.table import Table

from app.book.embedding import load_embedder
from app.book.evaluation import read_questions
from app.book.weights import PACKAGED_MODEL

Embed = Callable[[Sequence[str]], np.ndarray]
BATCH = 32


class Figures(NamedTuple):
    texts: int
    published_ms: float
    ours_ms: float
    ratio: float
    lowest_cosine: float
    mean_cosine: float


@click.command()
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1))
@click.option("--json", "as_json", is_flag=True)
def main(rounds: int, as_json: bool) -> None:
    on_one_core()
    before = load()
    embedder, bare = load_embedder(PACKAGED_MODEL, threads=1, rerank="off"), bare_fastembed(threads=1)
    questions = [one.question for one in read_questions(SAMPLE_BOOK / "evaluation" / "retrieval.jsonl")]
    chunks = [chunk.embedding_text for chunk in chunks_of(cut_book(SAMPLE_BOOK, embedder))]

    def published(texts: Sequence[str]) -> np.ndarray:
        return np.array(list(bare.embed(texts, batch_size=len(texts))))

    def ours(texts: Sequence[str]) -> np.ndarray:
        return np.concatenate(embedder.encode([[text] for text in texts]).dense)

    figures = {
        "questions, one by one": _measure(questions, 1, published, ours, rounds),
        f"questions, {BATCH} at a time": _measure(questions, BATCH, published, ours, rounds),
        "chunks, one by one": _measure(chunks, 1, published, ours, rounds),
    }
    embedder.close()
    if as_json:
        print(msgspec.json.encode({name: one._asdict() for name, one in figures.items()}).decode())
        return
    table = Table("", "texts", "published, ms", "ours, ms", "ratio", "cosine, least", "mean")
    for name, one in figures.items():
        table.add_row(name, str(one.texts), *(f"{value:.2f}" for value in one[1:4]), *(f"{c:.4f}" for c in one[4:]))
    Console(highlight=False).print(table)
    print("Load average before and after:", *before, "/", *load())


def _measure(texts: Sequence[str], size: int, published: Embed, ours: Embed, rounds: int) -> Figures:
    batches = [texts[first : first + size] for first in range(0, len(texts), size)]
    vectors, seconds = {}, {published: [], ours: []}
    for round_ in range(rounds + 1):
        for embed in (published, ours) if round_ % 2 else (ours, published):
            started = time.process_time()
            vectors[embed] = np.concatenate([embed(batch) for batch in batches])
            if round_:  # the first warms up
                seconds[embed].append((time.process_time() - started) / len(texts) * 1000)
    cosines = (vectors[published] * vectors[ours]).sum(axis=1)
    ratio = statistics.median(b / a for a, b in zip(seconds[published], seconds[ours], strict=True))
    medians = [statistics.median(seconds[embed]) for embed in (published, ours)]
    return Figures(len(texts), *medians, ratio, float(cosines.min()), float(cosines.mean()))


if __name__ == "__main__":
    main()
