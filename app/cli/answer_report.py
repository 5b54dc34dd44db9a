"""What is told of the answers to many cases."""

from collections.abc import Sequence

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from app.chat.answer_evaluation import Expected, Outcome
from app.chat.answer_faults import faults_of
from app.chat.answer_measures import Measures, by_style, measure, worst
from app.chat.events import Answer

COLUMNS = {
    "cases": "cases",
    "passed": "passed",
    "precision": "citation_precision",
    "recall": "citation_recall",
    "verified": "verified",
    "contains": "contains",
    "wrongly refused": "wrongly_refused",
}
"""Of the table of styles: heading and measure."""


class FaultyCase(msgspec.Struct):
    id: str
    style: str
    question: str
    faults: dict[str, str]
    """In words, by check; the worst first."""
    expected: Expected
    status: str
    reason: str
    """Of the refusal."""
    cited: list[str]
    answer: str


class AnswerReport(msgspec.Struct, omit_defaults=True):
    model: str
    prompt: str
    measures: Measures
    styles: dict[str, Measures]
    worst: list[FaultyCase]
    answer: Answer | None = None
    """Where one case is measured."""


def report_of(outcomes: Sequence[Outcome], most: int, *, with_answer: bool) -> AnswerReport:
    """`most` faulty cases are told."""
    first = outcomes[0].answer
    return AnswerReport(
        first.model,
        f"{first.prompt.name}/{first.prompt.version}@{first.prompt.digest}",
        measure(outcomes),
        by_style(outcomes),
        [_faulty(outcome) for outcome in worst(outcomes)[:most]],
        first if with_answer else None,
    )


def print_report(console: Console, report: AnswerReport, compared: AnswerReport | None = None) -> None:
    table = Table("style", *COLUMNS)
    for style, measures in report.styles.items():
        other = compared.styles[style] if compared else None
        table.add_row(style, *(_cell(measures, other, name) for name in COLUMNS.values()))
    console.print(table)
    table = Table("measure", "all cases", title=f"{report.model}, prompt {report.prompt}", title_justify="left")
    for name in Measures.__struct_fields__:
        table.add_row(name, _cell(report.measures, compared.measures if compared else None, name))
    console.print(table)
    if report.worst:
        _print_worst(console, report.worst)


def print_answer(console: Console, answer: Answer) -> None:
    text = [answer.answer, *([f"({answer.refusal.reason}) {answer.refusal.message}"] if answer.refusal else [])]
    for one in answer.citations:
        place = f"{one.source} > {' > '.join(one.heading_path)}, {one.start} to {one.end}"
        text.append(f"[{one.n}] {place}{'' if one.verified else ', not verified'}\n    {one.quote}")
        text.extend(f"    {quote.start} to {quote.end}: {quote.quote}" for quote in one.further)
    console.print("\n\n".join(filter(None, text)), markup=False, soft_wrap=True)


def _print_worst(console: Console, cases: Sequence[FaultyCase]) -> None:
    columns = (Column(name, overflow="fold") for name in ("case", "style", "question", "expected", "came"))
    table = Table(*columns, title="Worst", title_justify="left")
    for case in cases:
        came = "\n".join(case.faults.values())
        table.add_row(*map(escape, (case.id, case.style, case.question, _expectation(case.expected), came)))
    console.print(table)


def _expectation(expected: Expected) -> str:
    if expected.status == "refused":
        return f"refused: {' or '.join(expected.reasons)}"
    return "\n".join(expected.cites) or "answered"


def _faulty(outcome: Outcome) -> FaultyCase:
    case, answer = outcome.case, outcome.answer
    return FaultyCase(
        case.id,
        case.style,
        case.question,
        faults_of(outcome),
        case.expect,
        answer.status,
        outcome.reason,
        outcome.cited,
        answer.answer,
    )


def _cell(measures: Measures, other: Measures | None, name: str) -> str:
    """With the other report's in brackets."""
    shown = _number(getattr(measures, name))
    return f"{shown} ({_number(getattr(other, name))})" if other else shown


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.3f}"
