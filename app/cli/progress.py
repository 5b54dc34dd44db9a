"""How far an indexing run is: a bar on a terminal, a line every ten documents elsewhere."""

from types import TracebackType
from typing import Self

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Column

from app.book.indexing import IndexReport, Skipped

LINE_EVERY = 10
BAR_WIDTH = 12
INTERRUPT = "^C"
"""What a terminal adds to the line at a Ctrl-C: without room for it, the line would go on below."""


class IndexProgress:
    """Writes to standard error; use as a context manager."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._console.width -= len(INTERRUPT)
        self._bar = Progress(
            TextColumn("Indexing"),
            BarColumn(BAR_WIDTH),
            MofNCompleteColumn(),
            TextColumn("documents, {task.fields[chunks]} chunks"),
            TextColumn("{task.fields[within]}", "dim", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
            console=self._console,
            expand=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("index", total=None, chunks=0, within="")
        self._total = self._done = self._failed = self._chunks = 0

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def begin(self, documents: int) -> None:
        self._total = documents
        self._bar.update(self._task, total=documents)

    def embed(self, source: str, done: int, chunks: int) -> None:
        self._bar.update(self._task, within=f"{source} {done}/{chunks}")

    def advance(self, source: str, chunks: int) -> None:  # noqa: ARG002 - the port's signature
        self._chunks += chunks
        self._step()

    def skip(self, skipped: Skipped) -> None:
        self.miss(skipped)
        self._failed += 1
        self._step()

    def miss(self, skipped: Skipped) -> None:
        self._console.print(f"skipped {skipped.source}: {skipped.reason}", style="yellow", markup=False, soft_wrap=True)

    def _step(self) -> None:
        self._done += 1
        self._bar.update(self._task, completed=self._done, chunks=self._chunks)
        if not self._console.is_terminal and (self._done % LINE_EVERY == 0 or self._done == self._total):
            failed = f", {self._failed} failed" if self._failed else ""
            indexed = f"indexed {self._done - self._failed} of {self._total} documents"
            click.echo(f"{indexed}, {self._chunks} chunks{failed}", err=True)


class SkippedOnly:
    """Says of a run only which files it left out."""

    def begin(self, documents: int) -> None: ...
    def embed(self, source: str, done: int, chunks: int) -> None: ...
    def advance(self, source: str, chunks: int) -> None: ...
    def skip(self, skipped: Skipped) -> None:
        self.miss(skipped)

    def miss(self, skipped: Skipped) -> None:
        click.echo(f"skipped {skipped.source}: {skipped.reason}", err=True)


def summary(report: IndexReport) -> str:
    """One line."""
    left_out = f", {len(report.left_out)} left out" if report.left_out else ""
    failed = left_out + (f", {len(report.failed)} failed" if report.failed else "")
    found = f"{report.documents} documents, {report.chunks} chunks"
    if report.index_version is None:
        return f"{found}{failed}, {report.seconds:.1f} s"
    if report.changes_nothing:
        return f"unchanged: {found}{failed}; index {report.index_version}"
    rate = f", {report.chunks_per_second:.0f} chunks/s" if report.embedded else ""
    return f"{found}{_changes(report)}{failed}, {report.seconds:.1f} s{rate}; index {report.index_version}"


def _changes(report: IndexReport) -> str:
    """Empty where everything is new."""
    if report.embedded == report.chunks and not report.deleted:
        return ""
    documents = f"{report.changed} documents changed, {report.removed} removed"
    return f" ({documents}; {report.embedded} chunks embedded, {report.updated} moved, {report.deleted} deleted)"
