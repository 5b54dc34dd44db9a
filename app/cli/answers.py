"""`book-agent eval answers`: how good the answers are, by cases that say what is expected."""

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import get_args

import click
import msgspec
from rich.console import Console

from app.book.indexing import IndexOptions
from app.chat.answer_evaluation import Case, Style, read_cases
from app.chat.answer_measures import LESS_IS_BETTER, Measures, Requirement
from app.cli.answer_report import AnswerReport, print_answer, print_report, report_of
from app.cli.comparing import changes_of, index_options, split_pairs
from app.cli.embedded import SAMPLE_BOOK, dev_settings
from app.logs import configure_logs
from app.settings import Settings

SAMPLE_ANSWERS = SAMPLE_BOOK / "evaluation" / "answers.yaml"
MISSED = 1


class Comparison(msgspec.Struct):
    settings: AnswerReport
    compared: AnswerReport
    compared_with: dict[str, str]


@click.command()
@click.option("--book", type=click.Path(exists=True, path_type=Path), help="The book.  [the sample book]")
@click.option(
    "--cases",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="YAML.  [those of the sample book]",
)
@click.option(
    "--style", "styles", multiple=True, type=click.Choice(get_args(Style)), help="Only these; again for more."
)
@click.option("--case", "case_id", metavar="ID", help="Only this one, with its whole answer.")
@click.option("--concurrency", default=1, show_default=True, type=click.IntRange(1), help="Questions at a time.")
@click.option("--worst", default=10, show_default=True, type=click.IntRange(0), help="How many faulty cases to show.")
@click.option(
    "--require", multiple=True, metavar="NAME=VALUE", help="A measure that must be as good as this; again for more."
)
@click.option(
    "--compare", multiple=True, metavar="NAME=VALUE", help="Measure with this setting, too; again for more of them."
)
@click.option("--json", "as_json", is_flag=True, help="The report as JSON on standard output.")
def answers(
    book: Path | None,
    cases: Path | None,
    styles: tuple[str, ...],
    case_id: str | None,
    concurrency: int,
    worst: int,
    require: tuple[str, ...],
    compare: tuple[str, ...],
    as_json: bool,
) -> None:
    """How good the answers are: citations, refusals, wording, time and tokens, by style.

    The book is indexed into a temporary folder, and every question is a turn of the service, with the model of the
    environment, or the offline one. --compare takes a setting, or CHUNK_SIZE or CHUNK_OVERLAP; --require takes a
    measure of the report, which is then the least value that is enough, or the most where less is better.

    Exit code: 0 done, 1 a measure is not as required, 2 could not run.
    """
    if book is not None and cases is None:
        raise click.UsageError("--book needs --cases")
    configure_logs("warning", console=True)
    requirements, changes = _requirements(require), changes_of(compare)
    chosen = _chosen(read_cases(cases or SAMPLE_ANSWERS), styles, case_id)
    setups = [_setup((book or SAMPLE_BOOK).resolve(), given) for given in ([{}, changes] if changes else [{}])]
    report, *compared = [_measured(setup, chosen, concurrency, worst, case_id) for setup in setups]
    if as_json:
        shown = Comparison(report, compared[0], dict(changes)) if compared else report
        click.echo(msgspec.json.encode(shown).decode())
    else:
        _print(report, compared, compare)
    _check(requirements, report.measures)


def _requirements(require: Sequence[str]) -> list[Requirement]:
    return [Requirement(_measure(name), _number(value)) for name, value in split_pairs(require, "--require")]


def _measure(name: str) -> str:
    if name not in Measures.__struct_fields__:
        known = ", ".join(Measures.__struct_fields__)
        raise click.BadParameter(f"there is no measure {name}; there are {known}", param_hint="--require")
    return name


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise click.BadParameter(f"{text!r} is no number", param_hint="--require")
    return value


def _chosen(cases: Iterable[Case], styles: Sequence[str], id_: str | None) -> list[Case]:
    chosen = [case for case in cases if (not styles or case.style in styles) and id_ in {None, case.id}]
    if not chosen:
        wanted = " and ".join(
            [*([f"the id {id_}"] if id_ else []), *([f"style {' or '.join(styles)}"] if styles else [])]
        )
        raise click.BadParameter(f"there is no case with {wanted}", param_hint="--case" if id_ else "--style")
    return chosen


def _setup(book: Path, changes: Mapping[str, str]) -> tuple[Settings, IndexOptions]:
    return dev_settings(changes), index_options(book, changes)


def _measured(
    setup: tuple[Settings, IndexOptions], cases: Sequence[Case], concurrency: int, worst: int, only: str | None
) -> AnswerReport:
    from app.cli.answering import ask_cases  # noqa: PLC0415 - takes seconds to import

    return report_of(ask_cases(*setup, cases, concurrency), worst, with_answer=only is not None)


def _print(report: AnswerReport, compared: Sequence[AnswerReport], compare: Sequence[str]) -> None:
    console = Console(highlight=False)
    if compared:
        console.print(f"In brackets: with {', '.join(compare)}", markup=False)
    print_report(console, report, *compared)
    if report.answer is not None:
        print_answer(console, report.answer)


def _check(requirements: Iterable[Requirement], measures: Measures) -> None:
    """Exits where one is missed."""
    missed = [one for one in requirements if not one.is_met(measures)]
    for name, value in missed:
        measured = getattr(measures, name)
        shown = "was not measured" if measured is None else f"is {measured:g}"
        bound = "at most" if name in LESS_IS_BETTER else "at least"
        click.echo(f"missed: {name} {shown}, and must be {bound} {value:g}", err=True)
    if missed:
        sys.exit(MISSED)
