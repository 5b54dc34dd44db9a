"""Indexing again whenever a file of the book is saved."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import click
from watchfiles import Change, awatch

from app.book.files import folder_of
from app.errors import BookAgentError, ConfigurationError

QUIET_MS, LATEST_MS = 200, 1600
"""A run starts when nothing was saved for so long, or at the latest after so long."""


async def watch(run: Callable[[bool], Awaitable[None]], source: Path, ignored: Path | None) -> None:
    """Until it is cancelled.

    `run` is told whether a save is why. What it raises is said, and the next save waited for; but for the
    ConfigurationError of the very first run.
    """
    saved = asyncio.Event()
    listening = asyncio.create_task(_listen(saved, source, ignored))
    try:
        await asyncio.sleep(0)  # a file that is saved during the first run is seen
        await _attempt(run, again=False)
        while True:
            await saved.wait()
            saved.clear()
            await _attempt(run, again=True)
    finally:
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening


async def _attempt(run: Callable[[bool], Awaitable[None]], *, again: bool) -> None:
    try:
        await run(again)
    except BookAgentError as error:
        if isinstance(error, ConfigurationError) and not again:
            raise
        click.echo(f"not indexed: {' '.join(error.for_operator.split())}", err=True)
    except OSError as error:  # such as a disk that is full
        if not again:
            raise
        click.echo(f"not indexed: {error.strerror or error}", err=True)


async def _listen(saved: asyncio.Event, source: Path, ignored: Path | None) -> None:
    folder = folder_of(source)

    def matters(_: Change, name: str) -> bool:
        path = Path(name)
        if ignored is not None and path.is_relative_to(ignored):
            return False
        parts = path.relative_to(folder).parts if path.is_relative_to(folder) else path.parts
        return not any(part.startswith(".") or part == "node_modules" for part in parts)

    watched = awatch(
        folder,
        watch_filter=matters,
        recursive=folder == source,
        step=QUIET_MS,
        debounce=LATEST_MS,
        ignore_permission_denied=True,
    )
    async for _ in watched:
        saved.set()
