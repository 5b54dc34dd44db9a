"""A book's embedded index in a data folder, and whether it is still the book."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from app.book.documents import document_digest, find_sources
from app.book.edge_writer import EdgeWriter, roll_back
from app.book.files import shown_name
from app.book.generations import read_state, write_durably
from app.book.indexing import Indexer, IndexOptions, IndexReport
from app.book.vector_store import IndexIdentity, IndexState
from app.errors import ConfigurationError, DocumentError
from app.settings import Settings, environment, load_settings

SAMPLE_BOOK = Path(__file__).parents[1] / "sample_book"
DEFAULT_DATA_DIR = Path(".book-agent")
DEV_DEFAULTS = {"MODEL_PROVIDER": "offline", "RATE_LIMIT_PER_MINUTE": "0"}
NO_CHANGES: Mapping[str, str] = {}
BOOKS, RECORD = "books", "record.json"


def dev_settings(changes: Mapping[str, str] = NO_CHANGES, **options: Any) -> Settings:
    """Those of `dev`: nothing is required, and what the environment leaves open is for one machine.

    `options`: as of `load_settings`.
    """
    given = {name: value for name, value in environment(Path.cwd()).items() if value}
    return load_settings(DEV_DEFAULTS | given | dict(changes), required=(), **options)


class IndexRecord(msgspec.Struct, frozen=True):
    """What an index was made of."""

    index_version: str
    digest: str
    """Of the names and contents of the documents."""
    source: str
    include: Sequence[str]
    chunk_size: int
    chunk_overlap: int
    previous: "IndexRecord | None" = None
    """Of the index that a rollback goes back to."""


class EmbeddedBook:
    def __init__(self, data_dir: Path, source: Path) -> None:
        self._source = source.resolve()
        name = re.sub(r"[^a-z0-9]+", "-", self._source.name.lower()).strip("-")
        place = hashlib.sha256(str(self._source).encode(errors="surrogateescape")).hexdigest()[:8]
        self.root = data_dir.resolve() / BOOKS / f"{name}-{place}"

    def options(self) -> IndexOptions:
        """Those of the last run, so that a book that was indexed by hand stays as it was made."""
        record = _record(self.root)
        if record is None:
            return IndexOptions(source=self._source)
        return IndexOptions(
            source=self._source,
            include=record.include,
            chunk_size=record.chunk_size,
            chunk_overlap=record.chunk_overlap,
        )

    def is_current(self, identity: IndexIdentity) -> bool:
        record, state = _record(self.root), read_state(self.root)
        return (
            record is not None
            and state is not None
            and state.version == record.index_version
            and state.identity == identity
            and record.digest == digest_of(self._source, record.include)
        )

    def fits(self, identity: IndexIdentity) -> bool:
        """The index can be updated, or there is none."""
        state = read_state(self.root)
        return state is None or state.identity == identity

    async def index(
        self,
        indexer: Indexer,
        options: IndexOptions,
        identity: IndexIdentity,
        *,
        rebuild: bool = False,
        wait_s: float = 0.0,
    ) -> IndexReport:
        digest, before = digest_of(self._source, options.include), _record(self.root)
        report = await indexer.run(EdgeWriter(self.root, identity, rebuild=rebuild, wait_s=wait_s))
        record = IndexRecord(
            report.index_version or "",
            digest,
            shown_name(str(self._source)),
            list(options.include),
            options.chunk_size,
            options.chunk_overlap,
            _previous(before, report.index_version or ""),
        )
        write_durably(self.root / RECORD, msgspec.json.encode(record))
        return report

    async def roll_back(self, wait_s: float = 0.0) -> IndexState:
        """The index before serves again, and counts as that of the book as it is now: `dev` leaves it alone."""
        state = await roll_back(self.root, wait_s)
        record = _record(self.root)
        if record is not None:
            made = record.previous or record
            now = msgspec.structs.replace(
                made,
                index_version=state.version,
                digest=digest_of(self._source, made.include),
                previous=msgspec.structs.replace(record, previous=None),
            )
            write_durably(self.root / RECORD, msgspec.json.encode(now))
        return state


def _previous(before: IndexRecord | None, version: str) -> IndexRecord | None:
    """Of a run that changed nothing the previous index is still the one before."""
    if before is None:
        return None
    return before.previous if before.index_version == version else msgspec.structs.replace(before, previous=None)


def only_book(data_dir: Path) -> EmbeddedBook:
    """Raises ConfigurationError unless the data folder has the index of one book."""
    records = [found for root in sorted((data_dir / BOOKS).glob("*")) if (found := _record(root)) is not None]
    if len(records) != 1:
        there = ", ".join(record.source for record in records) or "none"
        raise ConfigurationError(f"name the book with --source; {data_dir} has the indexes of these: {there}")
    return EmbeddedBook(data_dir, Path(records[0].source))


def digest_of(source: Path, include: Sequence[str]) -> str:
    """Also where there are files that cannot be read."""
    digest = hashlib.sha256()
    try:
        paths = find_sources(source, include).paths
    except DocumentError:
        paths = []
    for path in paths:
        try:
            content = document_digest(path, source)
        except DocumentError as error:
            content = error.detail
        digest.update(msgspec.json.encode((shown_name(str(path.relative_to(source.parent))), content)))
    return digest.hexdigest()


def _record(root: Path) -> IndexRecord | None:
    try:
        return msgspec.json.decode((root / RECORD).read_bytes(), type=IndexRecord)
    except (OSError, msgspec.DecodeError):
        return None
