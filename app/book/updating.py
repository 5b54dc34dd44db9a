"""Bringing an index up to date with a book: what is new is embedded and written, what is gone is deleted."""

from collections.abc import AsyncIterable, Iterable, Iterator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import TypeVar

from app.book.bm25 import TermEncoder
from app.book.embedding import Embedder
from app.book.index_report import IndexOptions, Progress, Tally
from app.book.read_ahead import read_ahead
from app.book.reading import Found, Reading
from app.book.revisions import NOTHING, SHOWN, Revision, by_source, check_losses, is_most, is_unchanged, losses
from app.book.sources import Skipped
from app.book.vector_store import IndexState, IndexWriter, Stored
from app.book.windows import EmbeddedChunk, EmbeddedWindow, embedded, point_of, windows
from app.errors import ConfigurationError, DeletionRefusedError

CUT_AHEAD = 4
"""Documents that wait, cut, for their embedding."""
DELETED_AT_ONCE = 1000

T = TypeVar("T")


class Update:
    """One run over one index."""

    def __init__(
        self,
        writer: IndexWriter,
        reading: Reading,
        embedder: Embedder,
        terms: TermEncoder,
        progress: Progress,
        options: IndexOptions,
        tally: Tally,
    ) -> None:
        self._writer = writer
        self._reading = reading
        self._embedder = embedder
        self._terms = terms
        self._progress = progress
        self._options = options
        self._tally = tally
        self._stored: dict[str, dict[str, Stored]] = {}
        self._digests: dict[str, str] = {}
        self._begun: dict[str, list[str]] = {}
        """Source -> ids that are written, of documents that are not done yet; of those that broke off, to the end."""
        self._broken: set[str] = set()

    async def run(self, paths: Sequence[Path]) -> IndexState:
        """Raises ConfigurationError for a book without text, and DeletionRefusedError before more than half goes."""
        self._stored = by_source(await self._writer.stored())
        documents = await self._reading.found(paths)
        self._digests = {one.source: one.digest for one in documents}
        changed = [one for one in documents if not self._is_unchanged(one)]
        await self._check_losses_before(changed)
        async with (
            aclosing(read_ahead(self._reading.revisions(changed, self._stored), CUT_AHEAD)) as revisions,
            aclosing(read_ahead(embedded(windows(revisions), self._embedder), 1)) as ready,
        ):
            await self._write(ready)
        await self._check_losses_after()
        await self._delete_what_is_gone()
        return await self._writer.publish()

    def _is_unchanged(self, document: Found) -> bool:
        stored = self._stored.get(document.source, NOTHING)
        if not is_unchanged(document.digest, stored):
            return False
        self._tally.unchanged(document.source, len(stored))
        self._progress.advance(document.source, len(stored))
        return True

    async def _write(self, ready: AsyncIterable[EmbeddedWindow]) -> None:
        async for chunks, done, broken in ready:
            for source in broken.keys() - self._broken:
                self._broken.add(source)
                self._reading.skip(Skipped(source, broken[source]))
            for batch in cut(chunks, self._options.batch_size):
                await self._writer.upsert([point_of(one, self._terms) for one in batch])
            self._note(chunks)
            await self._finish([one for one in done if one.source not in self._broken])

    def _note(self, chunks: Iterable[EmbeddedChunk]) -> None:
        totals = {}
        for (chunk, payload), _, _ in chunks:
            self._begun.setdefault(chunk.source, []).append(chunk.id)
            totals[chunk.source] = payload["document_chunks"]
        for source, total in totals.items():
            self._progress.embed(source, len(self._begun[source]), total)

    async def _finish(self, revisions: Sequence[Revision]) -> None:
        """After their new points come the changes to the old ones; a document that lost all its chunks goes last."""
        await self._writer.set_payloads({id_: new for one in revisions for id_, new in one.updated.items()})
        await self._delete(id_ for one in revisions if one.chunks for id_ in one.obsolete)
        for one in revisions:
            self._begun.pop(one.source, None)
            self._tally.revised(one)
            self._progress.advance(one.source, one.chunks)

    async def _delete_what_is_gone(self) -> None:
        """Of every document that is no longer there, or cannot be read any more: a fresh build would not have it."""
        await self._delete(id_ for ids in self._begun.values() for id_ in ids)
        await self._delete(id_ for source in self._gone() for id_ in self._stored[source])

    def _gone(self) -> list[str]:
        gone = [source for source in self._stored if not self._tally.wanted.get(source)]
        self._tally.removed = len(gone)
        return gone

    async def _delete(self, ids: Iterable[str]) -> None:
        for batch in cut(list(ids), DELETED_AT_ONCE):
            await self._writer.delete(batch)
            self._tally.deleted += len(batch)

    async def _check_losses_before(self, changed: Sequence[Found]) -> None:
        """Cuts the changed documents only if they might make the difference."""
        if self._options.yes or await self._writer.replaces() is not None:
            return
        wanted = dict(self._tally.wanted)
        lost, total = losses(self._stored, wanted, self._digests), sum(map(len, self._stored.values()))
        if is_most(sum(lost.values()), total) and len(lost) > self._options.may_lose:
            wanted |= await self._reading.sizes(changed)
            self._check_text(sum(wanted.values()))
            check_losses(losses(self._stored, wanted, self._digests), total, may_lose=self._options.may_lose)

    def _check_text(self, chunks: int) -> None:
        if not chunks:
            reasons = [f"; {one.source}: {one.reason}" for one in self._tally.failed[:SHOWN]]
            raise ConfigurationError(
                f"no file in {self._options.source} has text to index: the index is left as it is{''.join(reasons)}"
            )

    async def _check_losses_after(self) -> None:
        """Now that it is known what could be embedded, and before what is gone is deleted."""
        self._check_text(self._tally.chunks)
        if self._options.yes:
            return
        replaced = await self._writer.replaces()
        if replaced is None:
            lost, total = losses(self._stored, self._tally.wanted, self._digests), sum(map(len, self._stored.values()))
            check_losses(lost, total, may_lose=self._options.may_lose)
        elif is_most(replaced - self._tally.chunks, replaced):
            raise DeletionRefusedError(
                f"the new index has {self._tally.chunks} chunks, and the one that it would replace has {replaced}. "
                "If that is as it should be, run it again with `--yes`; what was embedded is kept for that"
            )


def cut(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[first : first + size] for first in range(0, len(items), size))
