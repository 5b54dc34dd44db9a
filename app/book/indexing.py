"""From a book's source files to an index that is as a fresh build would make it."""

import time
from pathlib import Path

from app.book.bm25 import TermEncoder
from app.book.cutting import Cutter
from app.book.documents import Skipped, find_sources
from app.book.embedding import Embedder
from app.book.index_report import IndexOptions, IndexReport, Progress, Tally
from app.book.reading import Reading
from app.book.updating import Update
from app.book.vector_store import IndexWriter
from app.errors import ConfigurationError, DocumentError

__all__ = ["IndexOptions", "IndexReport", "Indexer", "Progress", "Skipped"]


class Indexer:
    """Reads, cuts, embeds and writes what the index lacks; without a writer it only reads and cuts."""

    def __init__(self, options: IndexOptions, embedder: Embedder, terms: TermEncoder, progress: Progress) -> None:
        if options.chunk_size > embedder.max_tokens:
            raise ConfigurationError(
                f"the chunk size is {options.chunk_size} tokens, but {embedder.name} reads only {embedder.max_tokens}: "
                "the rest of each chunk could not be found"
            )
        self._options = options
        self._embedder = embedder
        self._terms = terms
        self._progress = progress

    async def run(self, writer: IndexWriter | None) -> IndexReport:
        """Bring the index up to date.

        Raises VectorStoreUnavailableError when the store fails, and ConfigurationError or a subclass when nothing
        should be written: a book without text, an index of another model or in other hands, too much to delete.
        """
        started, version, tally = time.perf_counter(), None, Tally()
        paths, skipped = self._found()
        async with self._cutter() as cutter:
            reading = Reading(self._options.source, cutter, self._progress, tally)
            if writer is None:
                self._begin(reading, paths, skipped)
                await self._count(reading, paths, tally)
            else:
                async with writer:
                    self._begin(reading, paths, skipped)
                    version = (await self._update(writer, reading, tally).run(paths)).version
        return tally.report(time.perf_counter() - started, version)

    def _found(self) -> tuple[list[Path], list[Skipped]]:
        try:
            found = find_sources(self._options.source, self._options.include)
        except DocumentError as error:
            raise ConfigurationError(error.detail) from error
        if not found.paths and not found.skipped:
            globs = " or ".join(self._options.include)
            raise ConfigurationError(f"there is no file like {globs} in {self._options.source}")
        return found.paths, found.skipped

    def _cutter(self) -> Cutter:
        options = self._options
        return Cutter(options.source, self._embedder.tokenizer_json, options.chunk_size, options.chunk_overlap)

    def _begin(self, reading: Reading, paths: list[Path], skipped: list[Skipped]) -> None:
        self._progress.begin(len(paths) + len(skipped))
        for one in skipped:
            reading.skip(one)

    def _update(self, writer: IndexWriter, reading: Reading, tally: Tally) -> Update:
        return Update(writer, reading, self._embedder, self._terms, self._progress, self._options, tally)

    async def _count(self, reading: Reading, paths: list[Path], tally: Tally) -> None:
        async for revision in reading.revisions(await reading.found(paths), {}):
            tally.wanted[revision.source] = revision.chunks
            self._progress.advance(revision.source, revision.chunks)
