"""What a vector store does for us: the port, and the words it is spoken in."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from app.book.bm25 import SparseVector
from app.errors import IndexMismatchError

Vector = NDArray[np.float32]

DENSE, SPARSE = "dense", "bm25"
DISTANCE = "Cosine"
FILTERED_FIELDS = ("source", "heading_path")


class IndexIdentity(msgspec.Struct, frozen=True):
    """What made an index. Stored with it, and compared before it is read or written."""

    embedding: str | None
    """Fingerprint of the embedding model; None where an older index doesn't say."""
    dimension: int
    distance: str = DISTANCE


class IndexState(msgspec.Struct, frozen=True):
    identity: IndexIdentity
    version: str
    """Changes whenever the index does."""
    chunks: int


class Point(NamedTuple):
    id: str
    """A UUID."""
    dense: Vector
    terms: SparseVector
    payload: dict[str, Any]


class Hit(NamedTuple):
    id: str
    score: float
    payload: dict[str, Any]


class Legs(NamedTuple):
    """The two halves of a hybrid search, each best first."""

    dense: list[Hit]
    terms: list[Hit]


class Filters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Narrows a search to a source file, a heading, or both."""

    source: str | None = None
    section: str | None = None

    def fields(self) -> dict[str, str]:
        """Payload field -> the value that it must have, or contain."""
        pairs = {"source": self.source, "heading_path": self.section}
        return {field: value for field, value in pairs.items() if value}


NO_FILTERS = Filters()


class VectorStore(Protocol):
    """Every method raises VectorStoreUnavailableError or a subclass when the store cannot be used."""

    state_ttl_s: float
    """How long a state may be believed: asking costs a request, or nothing."""

    async def state(self) -> IndexState:
        """Raises CollectionMissingError when nothing is indexed."""
        ...

    async def version(self) -> str:
        """The engine and its version."""
        ...

    async def search(
        self, dense: Sequence[float], terms: SparseVector, *, limit: int, filters: Filters = NO_FILTERS
    ) -> Legs: ...

    async def close(self) -> None: ...


class IndexWriter(Protocol):
    """Writes one index; what is written can be searched at the latest after `publish`."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *exc: object) -> None: ...

    async def upsert(self, points: Sequence[Point]) -> None: ...

    async def publish(self) -> IndexState: ...


def check_identity(stored: IndexIdentity, ours: IndexIdentity) -> None:
    """Raises IndexMismatchError, saying what differs and what mends it."""
    differing = [
        f"{field} is {getattr(stored, field)} in the index and {getattr(ours, field)} here"
        for field in IndexIdentity.__struct_fields__
        if getattr(stored, field) not in {getattr(ours, field), None}
    ]
    if differing:
        raise IndexMismatchError(
            f"the index cannot be used with this configuration: {'; '.join(differing)}. "
            "Set EMBEDDING_MODEL to the model of the index, or set QDRANT_COLLECTION to a new name "
            "and run `book-agent index`"
        )
