"""What token vectors cost and bring: bytes, accuracy and memory of each way to keep them.

`uv run python benchmarks/token_storage.py --squad dev-v2.0.json --data stores` prints three tables:

- for each variant the bytes of a chunk's token vectors, and the accuracy with them, on the sample book's questions and,
  with --squad, on SQuAD (`--questions` of them): the service's own fusion and ranking, in numpy, before the passages
  are thinned out and widened. "Sparing" leaves out stop words and punctuation; int8 is scaled vector by vector.
- an embedded index of 5,000 chunks (see large_index.py; built once in --data) for each setting of RERANK: its folder's
  size, and the memory of a process before it is opened and after 500 searches.
- what those 5,000 chunks come to on a Qdrant server, part by part, against a free cluster of Qdrant Cloud (1 GB of
  memory, 4 GB of disk). This is arithmetic, not a measurement of a cluster.
"""

import asyncio
import json
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import click
import msgspec
import numpy as np
from building import SAMPLE_BOOK, cut_book
from cluster import DISK_MB, MEMORY_MB, cluster_parts
from large_index import has_index, make_index
from processes import MB, disk_bytes, in_own_process, load, memory_mb
from rich.console import Console
from rich.table import Table
from squad import Paragraph, cut_paragraph, questions_of, read_paragraphs
from token_accuracy import Library, Query, make_library, ranks
from token_variants import DEFAULT, VARIANTS, Variant

from app.book.arrays import Matrix
from app.book.bm25 import TermEncoder
from app.book.cutting import CutDocument
from app.book.edge_store import EdgeStore
from app.book.embedding import Embedder, load_embedder
from app.book.evaluation import HARD, GoldQuestion, Place, measures_of, read_questions
from app.book.retrieval import Retriever
from app.book.token_vectors import BASIS_FILES
from app.book.vector_store import Hit
from app.book.weights import PACKAGED_MODEL

CHUNKS, SEARCHES = 5000, 500
RERANKS = ("off", "compact", "full")
QUESTIONS = SAMPLE_BOOK / "evaluation" / "retrieval.jsonl"


@click.command()
@click.option("--squad", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--questions", default=1000, show_default=True, help="Of SQuAD, about so many, evenly spread; 0 is all.")
@click.option("--data", type=click.Path(file_okay=False, path_type=Path), help="The indexes are kept there.")
@click.option("--json", "as_json", is_flag=True)
def main(squad: Path | None, questions: int, data: Path | None, as_json: bool) -> None:
    basis = np.load(BASIS_FILES[PACKAGED_MODEL]).astype(np.float32)
    paragraphs = read_paragraphs(squad) if squad is not None else []
    report = {"variants": asyncio.run(_variants(paragraphs, questions, basis))}
    if data is not None:
        report["stores"] = {rerank: _store(data / rerank, rerank, squad) for rerank in RERANKS}
    with closing(load_embedder(PACKAGED_MODEL, threads=1)) as embedder:
        report["cluster_mb"] = asyncio.run(cluster_parts(_documents(paragraphs, embedder), embedder, CHUNKS))
    report["load"] = load()
    print(json.dumps(report)) if as_json else _print(report)


def _documents(paragraphs: Sequence[Paragraph], embedder: Embedder) -> list[CutDocument]:
    return [*cut_book(SAMPLE_BOOK, embedder), *(cut_paragraph(one, embedder) for one in paragraphs)]


async def _variants(paragraphs: Sequence[Paragraph], most: int, basis: Matrix) -> dict[str, dict]:
    with closing(load_embedder(PACKAGED_MODEL, threads=1, rerank="full")) as embedder:
        gold = [_gold(one) for one in read_questions(QUESTIONS) if one.gold_source]
        libraries = [await _library(cut_book(SAMPLE_BOOK, embedder), gold, embedder)]
        if paragraphs:
            documents = [cut_paragraph(one, embedder) for one in paragraphs]
            asked = [Query(one.text, "SQuAD", _of(one.source), True) for one in questions_of(paragraphs, most)]
            libraries.append(await _library(documents, asked, embedder))
    return {"no rerank": _accuracy(libraries, None, basis)} | {
        variant.name: {"bytes": _bytes(libraries, variant)} | _accuracy(libraries, variant, basis)
        for variant in VARIANTS
    }


async def _library(documents: Sequence[CutDocument], queries: Sequence[Query], embedder: Embedder) -> Library:
    with tempfile.TemporaryDirectory(prefix="book-agent-tokens-") as folder:
        return await make_library(documents, queries, embedder, Path(folder))


def _gold(question: GoldQuestion) -> Query:
    places = {Place(question.gold_source or "", question.gold_heading or ""), *question.alternatives}

    def is_answer(hit: Hit) -> bool:
        return Place(hit.payload["source"], hit.payload["heading_path"][-1]) in places

    return Query(question.query, "book, hard" if question.style == HARD else "book, normal", is_answer, False)


def _of(source: str) -> object:
    return lambda hit: hit.payload["source"] == source


def _accuracy(libraries: Sequence[Library], variant: Variant | None, basis: Matrix) -> dict[str, dict]:
    groups = {group: found for one in libraries for group, found in ranks(one, variant, basis).items()}
    return {group: msgspec.to_builtins(measures_of(found)) for group, found in groups.items()}


def _bytes(libraries: Sequence[Library], variant: Variant) -> float:
    """Of a chunk, on average."""
    sizes = [variant.bytes_of(one.words, one.vectors.shape[1]) for each in libraries for one in each.kept.values()]
    return round(sum(sizes) / len(sizes))


def _store(folder: Path, rerank: str, squad: Path | None) -> dict[str, float]:
    in_own_process(_make, folder, rerank, squad)
    before, after = in_own_process(_searched, folder, rerank)
    size = disk_bytes(folder)
    return {"disk_kb_per_chunk": round(size / CHUNKS / 1000, 1), "before_mb": before, "after_mb": after}


def _make(folder: Path, rerank: str, squad: Path | None) -> None:
    with closing(load_embedder(PACKAGED_MODEL, threads=1, rerank=rerank)) as embedder:
        if not has_index(folder, embedder, CHUNKS):
            make_index(folder, embedder, CHUNKS, [SAMPLE_BOOK], squad)


def _searched(folder: Path, rerank: str) -> tuple[float, float]:
    """Resident MB before the index is opened, with the embedding model loaded and used, and after the searches."""
    questions = [one.query for one in read_questions(QUESTIONS)]

    async def search() -> tuple[float, float]:
        store = EdgeStore(folder)
        retriever = Retriever(embedder, TermEncoder(), store)
        for question in questions[:50]:
            await embedder.embed_query(question)
        before = memory_mb()
        for number in range(SEARCHES):
            await retriever.search(questions[number % len(questions)], limit=6, whole_sections=True)
        after = memory_mb()
        await store.close()
        return round(before), round(after)

    with closing(load_embedder(PACKAGED_MODEL, threads=1, rerank=rerank)) as embedder:
        return asyncio.run(search())


def _print(report: dict) -> None:
    console = Console(highlight=False)
    groups = list(report["variants"]["no rerank"])
    counts = [f"{group} ({report['variants']['no rerank'][group]['questions']})" for group in groups]
    table = Table("token vectors", "bytes a chunk", "MB for 5,000", *counts, title="Accuracy: R@1 / R@5 / MRR@10")
    for name, one in report["variants"].items():
        size = one.get("bytes", 0)
        shares = [[one[group][key] for key in ("recall_at_1", "recall_at_5", "mrr_at_10")] for group in groups]
        cells = [" / ".join(f"{share:.3f}" for share in each) for each in shares]
        table.add_row(name, f"{size:,}", f"{size * CHUNKS / MB:.0f}", *cells)
    console.print(table)
    if "stores" in report:
        table = Table("RERANK", "folder, KB a chunk", "RSS before, MB", f"after {SEARCHES} searches, MB")
        for name, one in report["stores"].items():
            table.add_row(name, *(str(figure) for figure in one.values()))
        console.print(table)
    parts = report["cluster_mb"]
    table = Table("on a Qdrant server", "MB", title=f"{CHUNKS} chunks, {DEFAULT}")
    for name, size in parts["parts"].items():
        table.add_row(name, f"{size:.1f}")
    console.print(table)
    for what, most in (("memory", MEMORY_MB), ("disk", DISK_MB)):
        verdict = "fits" if parts[what] <= most else "does not fit"
        console.print(f"{what}: {parts[what]:.0f} MB of {most}, {verdict}")
    console.print("Load average:", report["load"])


if __name__ == "__main__":
    main()
