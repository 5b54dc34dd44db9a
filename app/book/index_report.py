"""What an indexing run is asked for, what it says while it works, and what it did."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec

from app.book.chunking import DEFAULT_CHUNK_OVERLAP, DEFAULT_CHUNK_SIZE
from app.book.revisions import Revision
from app.book.sources import DEFAULT_INCLUDE, Skipped


class IndexOptions(msgspec.Struct, frozen=True, kw_only=True):
    source: Path
    """A folder, or one file."""
    include: Sequence[str] = DEFAULT_INCLUDE
    batch_size: int = 64
    """Points per write."""
    chunk_size: int = DEFAULT_CHUNK_SIZE
    """Tokens of the embedding model, the heading path included."""
    chunk_overlap: int = DEFAULT_CHUNK_OVERLAP
    yes: bool = False
    """More than half of the index may be deleted."""
    may_lose: int = 0
    """So many documents may shrink or go without that."""


class IndexReport(msgspec.Struct, frozen=True, kw_only=True):
    documents: int
    chunks: int
    failed: list[Skipped]
    left_out: list[Skipped]
    """Pages that are not for readers, such as redirects and drafts, and files without text."""
    seconds: float
    chunks_per_second: float
    """Of those that were embedded."""
    index_version: str | None
    """None after a dry run."""
    unchanged: int
    """Documents, as `changed` and `removed`."""
    changed: int
    removed: int
    kept: int
    """Chunks, as all that follow."""
    updated: int
    """They say something else of their place; their text, and so their vectors, are as before."""
    embedded: int
    deleted: int

    @property
    def changes_nothing(self) -> bool:
        return not (self.changed or self.removed or self.updated or self.embedded or self.deleted)


class Progress(Protocol):
    def begin(self, documents: int) -> None: ...
    def embed(self, source: str, done: int, chunks: int) -> None:
        """So many chunks of a document are embedded."""
        ...

    def advance(self, source: str, chunks: int) -> None:
        """A document is done."""
        ...

    def skip(self, skipped: Skipped) -> None: ...
    def miss(self, skipped: Skipped) -> None:
        """A file that is only a part of documents is skipped."""
        ...


@dataclass
class Tally:
    """What a run has done so far."""

    wanted: dict[str, int] = field(default_factory=dict)
    """Source -> how many chunks it has from now on, of every document that was read."""
    failed: list[Skipped] = field(default_factory=list)
    left_out: list[Skipped] = field(default_factory=list)
    changed: int = 0
    kept: int = 0
    updated: int = 0
    embedded: int = 0
    deleted: int = 0
    removed: int = 0

    @property
    def chunks(self) -> int:
        return sum(self.wanted.values())

    def unchanged(self, source: str, chunks: int) -> None:
        self.wanted[source] = chunks
        self.kept += chunks

    def revised(self, revision: Revision) -> None:
        self.wanted[revision.source] = revision.chunks
        self.kept += revision.chunks - len(revision.fresh) - len(revision.updated)
        self.updated += len(revision.updated)
        self.embedded += len(revision.fresh)
        self.changed += not revision.changes_nothing

    def report(self, seconds: float, version: str | None) -> IndexReport:
        return IndexReport(
            documents=len(self.wanted),
            chunks=self.chunks,
            failed=self.failed,
            left_out=self.left_out,
            seconds=round(seconds, 3),
            chunks_per_second=round(self.embedded / seconds, 1),
            index_version=version,
            unchanged=len(self.wanted) - self.changed,
            changed=self.changed,
            removed=self.removed,
            kept=self.kept,
            updated=self.updated,
            embedded=self.embedded,
            deleted=self.deleted,
        )
