"""A book's embedded index in a data folder, and whether it is still the book."""

import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from app.book.documents import find_sources
from app.book.edge_store import EdgeWriter, read_state
from app.book.indexing import Indexer, IndexOptions, IndexReport
from app.book.vector_store import IndexIdentity
from app.settings import Settings, environment, load_settings

SAMPLE_BOOK = Path(__file__).parents[1] / "sample_book"
DEFAULT_DATA_DIR = Path(".book-agent")
DEV_DEFAULTS = {"MODEL_PROVIDER": "offline", "RATE_LIMIT_PER_MINUTE": "0"}


def dev_settings() -> Settings:
    """Those of `dev`: nothing is required, and what the environment leaves open is for one machine."""
    given = {name: value for name, value in environment(Path.cwd()).items() if value}
    return load_settings(DEV_DEFAULTS | given, required=())


class IndexRecord(msgspec.Struct, frozen=True):
    """What an index was made of."""

    index_version: str
    digest: str
    """Of the names and contents of the source files."""
    include: Sequence[str]
    chunk_size: int
    chunk_overlap: int


class EmbeddedBook:
    def __init__(self, data_dir: Path, source: Path) -> None:
        self._source = source.resolve()
        name = re.sub(r"[^a-z0-9]+", "-", self._source.name.lower()).strip("-")
        place = hashlib.sha256(str(self._source).encode()).hexdigest()[:8]
        self.root = data_dir.resolve() / "books" / f"{name}-{place}"
        self._record_file = self.root / "record.json"

    def options(self) -> IndexOptions:
        """Those of the last run, so that a book that was indexed by hand stays as it was made."""
        record = self._record()
        if record is None:
            return IndexOptions(source=self._source)
        return IndexOptions(
            source=self._source,
            include=record.include,
            chunk_size=record.chunk_size,
            chunk_overlap=record.chunk_overlap,
        )

    def is_current(self, identity: IndexIdentity) -> bool:
        record, state = self._record(), read_state(self.root)
        return (
            record is not None
            and state is not None
            and state.version == record.index_version
            and state.identity == identity
            and record.digest == digest_of(self._source, record.include)
        )

    async def index(self, indexer: Indexer, options: IndexOptions, identity: IndexIdentity) -> IndexReport:
        digest = digest_of(self._source, options.include)
        report = await indexer.run(EdgeWriter(self.root, identity))
        record = IndexRecord(
            report.index_version or "", digest, list(options.include), options.chunk_size, options.chunk_overlap
        )
        self._record_file.write_bytes(msgspec.json.encode(record))
        return report

    def _record(self) -> IndexRecord | None:
        try:
            return msgspec.json.decode(self._record_file.read_bytes(), type=IndexRecord)
        except (FileNotFoundError, msgspec.DecodeError):
            return None


def digest_of(source: Path, include: Sequence[str]) -> str:
    digest = hashlib.sha256()
    for path in find_sources(source, include):
        digest.update(os.fsencode(path.relative_to(source)) + b"\0")
        try:
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        except OSError:
            digest.update(b"unreadable")
    return digest.hexdigest()
