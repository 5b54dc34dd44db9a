"""Measuring the service on questions with known answers."""

import asyncio
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table

from app.book.bm25 import TermEncoder
from app.book.edge_store import EdgeStore
from app.book.embedding import load_embedder
from app.book.evaluation import DEPTH, Measures, Outcome, by_style, evaluate, read_questions
from app.book.indexing import IndexOptions
from app.book.retrieval import Retriever
from app.cli.embedded import SAMPLE_BOOK, EmbeddedBook
from app.cli.index import run_index
from app.logs import configure_logs
from app.settings import Settings, environment, load_settings

SAMPLE_QUESTIONS = SAMPLE_BOOK / "evaluation" / "retrieval.jsonl"


class RetrievalReport(msgspec.Struct):
    styles: dict[str, Measures]
    misses: list["Miss"]


class Miss(msgspec.Struct):
    """A question whose answer is not among the first passages."""

    question: str
    style: str
    gold: str
    found: str


@click.group("eval")
def evaluation() -> None:
    """Measure on questions with known answers."""


@evaluation.command()
@click.option(
    "--book", default=SAMPLE_BOOK, type=click.Path(exists=True, file_okay=False, path_type=Path), help="The book."
)
@click.option(
    "--questions",
    default=SAMPLE_QUESTIONS,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="JSON lines.",
)
@click.option("--worst", default=10, show_default=True, type=click.IntRange(0), help="How many misses to show.")
@click.option("--json", "as_json", is_flag=True, help="The report as JSON on standard output.")
def retrieval(book: Path, questions: Path, worst: int, as_json: bool) -> None:
    """How well the section that answers is found: recall at 1, 5 and 10, and mean reciprocal rank, by style.

    The book is indexed into a temporary folder. A line of the questions is a JSON object with `question`, `gold_source`
    and `gold_heading`, and if need be `alternatives`, `history` and `style`.
    """
    configure_logs("warning", console=True)
    settings = load_settings(environment(Path.cwd()), required=(), provider_key=False)
    outcomes = asyncio.run(_evaluate(settings, book.resolve(), questions))
    report = RetrievalReport(by_style(outcomes), _misses(outcomes)[:worst])
    if as_json:
        click.echo(msgspec.json.encode(report).decode())
    else:
        _print(report)


async def _evaluate(settings: Settings, book: Path, questions: Path) -> list[Outcome]:
    gold = read_questions(questions)
    with (
        closing(load_embedder(settings.embedding_model, settings.embedding_threads)) as embedder,
        tempfile.TemporaryDirectory(prefix="book-agent-eval-") as folder,
    ):
        await run_index(settings, embedder, IndexOptions(source=book), data_dir=Path(folder))
        store = EdgeStore(EmbeddedBook(Path(folder), book).root)
        retriever = Retriever(embedder, TermEncoder(), store)
        outcomes = await evaluate(retriever, gold)
        await store.close()
    return outcomes


def _misses(outcomes: Sequence[Outcome]) -> list[Miss]:
    """Furthest from the first place first."""
    behind = sorted((one for one in outcomes if one.rank != 1), key=lambda one: -(one.rank or DEPTH + 1))
    return [
        Miss(
            one.question.query,
            one.question.style,
            f"{one.question.gold_source} > {one.question.gold_heading}",
            one.best,
        )
        for one in behind
    ]


def _print(report: RetrievalReport) -> None:
    console = Console(highlight=False)
    table = Table("style", "questions", "R@1", "R@5", "R@10", "MRR@10")
    for style, measures in report.styles.items():
        shares = (measures.recall_at_1, measures.recall_at_5, measures.recall_at_10, measures.mrr_at_10)
        table.add_row(style, str(measures.questions), *(f"{share:.3f}" for share in shares), end_section=style == "all")
    console.print(table)
    if report.misses:
        worst = Table("style", "question", "should be", "was", title="Worst", title_justify="left")
        for miss in report.misses:
            worst.add_row(miss.style, miss.question, miss.gold, miss.found)
        console.print(worst)
