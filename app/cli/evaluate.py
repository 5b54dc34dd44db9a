"""Measuring the service on questions with known answers."""

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table

from app.book.bm25 import TermEncoder
from app.book.edge_store import EdgeStore
from app.book.embedding import load_embedder
from app.book.evaluation import (
    DEPTH,
    GoldQuestion,
    Measures,
    Outcome,
    Separation,
    by_style,
    evaluate,
    read_questions,
    separation,
)
from app.book.indexing import IndexOptions
from app.book.retrieval import Retriever
from app.cli.answers import answers
from app.cli.comparing import changes_of, index_options
from app.cli.embedded import SAMPLE_BOOK, EmbeddedBook
from app.cli.index_targets import run_index
from app.logs import configure_logs
from app.settings import Settings, environment, load_settings

SAMPLE_QUESTIONS = SAMPLE_BOOK / "evaluation" / "retrieval.jsonl"


class Miss(msgspec.Struct):
    """A question whose answer is not the first passage."""

    question: str
    style: str
    gold: str
    found: str
    rank: int | None


class RetrievalReport(msgspec.Struct):
    styles: dict[str, Measures]
    unanswerable: dict[str, Separation]
    misses: list[Miss]


class Comparison(msgspec.Struct):
    settings: RetrievalReport
    compared: RetrievalReport
    compared_with: dict[str, str]


@click.group("eval")
def evaluation() -> None:
    """Measure on questions with known answers."""


evaluation.add_command(answers)


@evaluation.command()
@click.option("--book", default=SAMPLE_BOOK, type=click.Path(exists=True, path_type=Path), help="The book.")
@click.option(
    "--questions",
    default=SAMPLE_QUESTIONS,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="JSON lines.",
)
@click.option("--worst", default=10, show_default=True, type=click.IntRange(0), help="How many misses to show.")
@click.option(
    "--compare", multiple=True, metavar="NAME=VALUE", help="Measure with this setting, too; again for more of them."
)
@click.option("--json", "as_json", is_flag=True, help="The report as JSON on standard output.")
def retrieval(book: Path, questions: Path, worst: int, compare: tuple[str, ...], as_json: bool) -> None:
    """How well the section that answers is found: recall at 1, 5 and 10, and mean reciprocal rank, by style.

    The book is indexed into a temporary folder. A line of the questions is a JSON object with `question`, `gold_source`
    and `gold_heading`, and if need be `alternatives`, `history` and `style`. Without a gold source the book does not
    answer; the second table says how well the search tells such questions from others. --compare takes a setting, or
    CHUNK_SIZE or CHUNK_OVERLAP.
    """
    configure_logs("warning", console=True)
    gold, changes = read_questions(questions), changes_of(compare)
    plain, changed = _setup(book.resolve(), {}), _setup(book.resolve(), changes)
    report = _report(plain, gold, worst)
    if not changes:
        click.echo(msgspec.json.encode(report).decode()) if as_json else _print(report, None)
        return
    compared = _report(changed, gold, worst)
    if as_json:
        click.echo(msgspec.json.encode(Comparison(report, compared, dict(changes))).decode())
    else:
        Console().print(f"In brackets: with {', '.join(compare)}")
        _print(report, compared)


def _setup(book: Path, changes: Mapping[str, str]) -> tuple[Settings, IndexOptions]:
    settings = load_settings(environment(Path.cwd()) | dict(changes), required=(), provider_key=False)
    return settings, index_options(book, changes)


def _report(setup: tuple[Settings, IndexOptions], gold: Sequence[GoldQuestion], worst: int) -> RetrievalReport:
    outcomes = asyncio.run(_evaluate(*setup, gold))
    return RetrievalReport(by_style(outcomes), separation(outcomes), _misses(outcomes)[:worst])


async def _evaluate(settings: Settings, options: IndexOptions, gold: Sequence[GoldQuestion]) -> list[Outcome]:
    with (
        closing(load_embedder(settings.embedding_model, settings.embedding_threads, settings.rerank)) as embedder,
        tempfile.TemporaryDirectory(prefix="book-agent-eval-") as folder,
    ):
        await run_index(settings, embedder, options, data_dir=Path(folder))
        store = EdgeStore(EmbeddedBook(Path(folder), options.source).root)
        outcomes = await evaluate(Retriever(embedder, TermEncoder(), store), gold)
        await store.close()
    return outcomes


def _misses(outcomes: Sequence[Outcome]) -> list[Miss]:
    """Furthest from the first place first."""
    behind = [one for one in outcomes if one.question.gold_source and one.rank != 1]
    return [
        Miss(
            one.question.query,
            one.question.style,
            f"{one.question.gold_source} > {one.question.gold_heading}",
            one.best,
            one.rank,
        )
        for one in sorted(behind, key=lambda one: -(one.rank or DEPTH + 1))
    ]


def _print(report: RetrievalReport, compared: RetrievalReport | None) -> None:
    console = Console(highlight=False)
    table = Table("style", "questions", "R@1", "R@5", "R@10", "MRR@10")
    for style, measures in report.styles.items():
        other = compared.styles[style] if compared else None
        cells = _cells(measures, other, ("recall_at_1", "recall_at_5", "recall_at_10", "mrr_at_10"))
        table.add_row(style, str(measures.questions), *cells)
    console.print(table)
    if report.unanswerable:
        table = Table("not in the book", "questions", "AUC, hard left out", "AUC")
        for style, areas in report.unanswerable.items():
            other_areas = compared.unanswerable[style] if compared else None
            table.add_row(style, str(areas.questions), *_cells(areas, other_areas, ("auc_normal", "auc_all")))
        console.print(table)
    if report.misses:
        worst = Table("style", "question", "should be", "was", "rank", title="Worst", title_justify="left")
        for miss in report.misses:
            worst.add_row(miss.style, miss.question, miss.gold, miss.found, str(miss.rank or f"> {DEPTH}"))
        console.print(worst)


def _cells(one: Measures | Separation, other: Measures | Separation | None, fields: Sequence[str]) -> list[str]:
    """Shares, with those of the other report in brackets."""
    shares = [f"{getattr(one, field):.3f}" for field in fields]
    return [
        f"{share} ({getattr(other, field):.3f})" if other else share
        for share, field in zip(shares, fields, strict=True)
    ]
