"""Reading and cutting the book's files, with what cannot be read told and left out."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from app.book.cutting import Cutter
from app.book.documents import Skipped, fingerprint
from app.book.files import folder_of, shown_name, source_of
from app.book.index_report import Progress, Tally
from app.book.revisions import NOTHING, Revision, StoredDocument, revise
from app.errors import DocumentError, NotForReadersError


class Found(NamedTuple):
    source: str
    path: Path
    digest: str


class Reading:
    def __init__(self, root: Path, cutter: Cutter, progress: Progress, tally: Tally) -> None:
        self._root = root
        self._cutter = cutter
        self._progress = progress
        self._tally = tally

    async def found(self, paths: Iterable[Path]) -> list[Found]:
        """Those of the files whose content can be had."""
        documents = []
        for path in paths:
            try:
                source = source_of(path, self._root)
                digest, missing = await asyncio.to_thread(fingerprint, path, self._root)
                documents.append(Found(source, path, digest))
                for one in missing:
                    self._miss(Skipped(one, f"is included by {source}, and cannot be read."))
            except DocumentError as error:
                source = path.relative_to(folder_of(self._root)).as_posix()
                self.skip(Skipped(shown_name(source), error.detail))
        return documents

    async def revisions(
        self, documents: Iterable[Found], stored: Mapping[str, StoredDocument]
    ) -> AsyncGenerator[Revision]:
        for source, path, _ in documents:
            try:
                cut = await self._cutter.cut(path)
                if cut.chunks:
                    yield revise(source, cut, stored.get(source, NOTHING))
                else:
                    self._leave_out(source, "has no text.")
            except NotForReadersError as error:
                self._leave_out(source, error.detail)
            except DocumentError as error:
                self.skip(Skipped(source, error.detail))

    async def sizes(self, documents: Iterable[Found]) -> dict[str, int]:
        """Source -> how many chunks it would have, of those that can be read."""
        found = {}
        for source, path, _ in documents:
            try:
                found[source] = len((await self._cutter.cut(path)).chunks)
            except DocumentError:
                continue
        return found

    def _leave_out(self, source: str, reason: str) -> None:
        self._tally.left_out.append(Skipped(source, reason))
        self._progress.advance(source, 0)

    def _miss(self, skipped: Skipped) -> None:
        self._tally.failed.append(skipped)
        self._progress.miss(skipped)

    def skip(self, skipped: Skipped) -> None:
        self._tally.failed.append(skipped)
        self._progress.skip(skipped)
