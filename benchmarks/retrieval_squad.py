"""The retrieval of the service on SQuAD 2.0: its paragraphs are the book, its answerable questions are asked.

`uv run python benchmarks/retrieval_squad.py dev-v2.0.json` indexes the paragraphs into an embedded store once for each
--rerank, asks every question, and prints recall and mean reciprocal rank: a question is found at the rank of the first
passage from its paragraph.
"""

import asyncio
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import click
import msgspec
from building import build
from rich.console import Console
from rich.table import Table
from squad import Paragraph, Question, cut_paragraph, questions_of, read_paragraphs

from app.book.bm25 import TermEncoder
from app.book.edge_store import EdgeStore
from app.book.embedding import load_embedder
from app.book.evaluation import DEPTH, Measures, measures_of
from app.book.retrieval import Retriever
from app.book.weights import PACKAGED_MODEL
from app.settings import Rerank


@click.command()
@click.argument("squad", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--rerank", multiple=True, default=("off", "compact", "full"), type=click.Choice(["off", "compact", "full"])
)
@click.option("--questions", default=0, help="Ask only about so many, evenly spread; 0 asks all.")
@click.option("--json", "as_json", is_flag=True)
def main(squad: Path, rerank: tuple[Rerank, ...], questions: int, as_json: bool) -> None:
    paragraphs = read_paragraphs(squad)
    asked = questions_of(paragraphs, questions)
    measured = {setting: asyncio.run(_measure(paragraphs, asked, setting)) for setting in rerank}
    if as_json:
        print(msgspec.json.encode(measured).decode())
        return
    table = Table("rerank", "questions", "R@1", "R@5", "R@10", "MRR@10", title=f"{len(paragraphs)} paragraphs")
    for setting, m in measured.items():
        shares = (m.recall_at_1, m.recall_at_5, m.recall_at_10, m.mrr_at_10)
        table.add_row(setting, str(m.questions), *(f"{share:.3f}" for share in shares))
    Console(highlight=False).print(table)


async def _measure(paragraphs: Sequence[Paragraph], asked: Sequence[Question], rerank: Rerank) -> Measures:
    with (
        closing(load_embedder(PACKAGED_MODEL, threads=1, rerank=rerank)) as embedder,
        tempfile.TemporaryDirectory(prefix="book-agent-squad-") as folder,
    ):
        await build([cut_paragraph(paragraph, embedder) for paragraph in paragraphs], embedder, Path(folder))
        store = EdgeStore(Path(folder))
        retriever = Retriever(embedder, TermEncoder(), store)
        ranks = [await _rank(retriever, question) for question in asked]
        await store.close()
    return measures_of(ranks)


async def _rank(retriever: Retriever, question: Question) -> int | None:
    passages = (await retriever.search(question.text, limit=DEPTH)).passages
    sources = list(dict.fromkeys(passage.source for passage in passages))
    return sources.index(question.source) + 1 if question.source in sources else None


if __name__ == "__main__":
    main()
