"""What a vector store does for us: the port, and the words it is spoken in."""

from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, Self

import msgspec
import numpy as np

from app.book.arrays import Matrix, Vector
from app.book.bm25 import SparseVector
from app.errors import EmbeddedStoreError, VectorStoreUnavailableError

DENSE, SPARSE, TOKENS = "dense", "bm25", "tokens"
DISTANCE = "Cosine"
NO_TOKENS = "off"
ONE_VECTOR = "to one vector a chunk"
"""What the distance is in an index of an older version; now it is that to the nearest excerpt."""
FILTERED_FIELDS = ("source", "headings", "section_id")


class IndexIdentity(msgspec.Struct, frozen=True):
    """What made an index. Stored with it, and compared before it is read or written.

    None where an index of an older version doesn't say.
    """

    embedding: str | None
    """Fingerprint of the embedding model: its name, the hash of its weights, and how they are used."""
    dimension: int
    distance: str = DISTANCE
    token_vectors: str | None = None
    """Which token vectors the chunks have for the rerank: "off", "full", or "compact" with the hash of its basis."""
    token_dimension: int | None = None
    """0 without token vectors."""
    chunker: str | None = None
    """Version of the chunker and its settings; says nothing about whether the index can be read."""


class IndexState(msgspec.Struct, frozen=True):
    identity: IndexIdentity
    version: str
    """Changes whenever the index does."""
    chunks: int


class Point(NamedTuple):
    id: str
    """A UUID."""
    dense: Matrix
    """Unit vectors (excerpts, dimension); a search goes by the nearest."""
    tokens: Matrix | None
    """Unit vectors (tokens, token dimension); None in an index without token vectors."""
    terms: SparseVector
    payload: dict[str, Any]


class Stored(NamedTuple):
    """What an index says of one of its points."""

    source: str
    document: str
    """Digest of the document that it was cut from."""
    document_chunks: int
    """How many chunks that document made."""
    digest: str
    """Of the rest of the payload."""


def stored_of(payload: Mapping[str, Any]) -> Stored:
    """Empty where a payload of an older version doesn't say."""
    return Stored(
        payload.get("source", ""),
        payload.get("document", ""),
        payload.get("document_chunks", 0),
        payload.get("digest", ""),
    )


class Hit(NamedTuple):
    id: str
    score: float
    payload: dict[str, Any]


class Legs(NamedTuple):
    """The two halves of a hybrid search, each best first."""

    dense: list[Hit]
    terms: list[Hit]


class Filters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Narrows a search to a source file, a heading, or both; a page is only preferred."""

    source: str | None = None
    section: str | None = None
    """A heading of the passage or above it; case doesn't count."""
    page: str | None = None
    """The page being read: its address, the address's path, or its source file."""

    def fields(self) -> dict[str, str]:
        """Payload field -> the value that it must have, or contain."""
        pairs = {"source": self.source, "headings": self.section and heading_key(self.section)}
        return {field: value for field, value in pairs.items() if value}


NO_FILTERS = Filters()


def heading_key(heading: str) -> str:
    """What a heading is compared by."""
    return " ".join(heading.casefold().split())


def is_unavailable(error: Exception) -> bool:
    """The store does not answer. It does where it refuses a key, a collection or a request."""
    return type(error) is VectorStoreUnavailableError or isinstance(error, EmbeddedStoreError)


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

    async def best_matches(self, tokens: Matrix, ids: Sequence[str]) -> dict[str, Vector]:
        """For each point, the cosine of each query token (tokens, dimension) with the point's token nearest to it.

        A point that is gone by now is left out.
        """
        ...

    async def sections(self, section_ids: Collection[str]) -> list[Hit]:
        """All chunks of the sections, in no order, with score 0."""
        ...

    async def close(self) -> None: ...


class IndexWriter(Protocol):
    """Brings one index up to date; one at a time, whoever comes second is told who holds it.

    A writer that ends without `publish` leaves the index that is served as it was, or, where it is changed in place,
    one that the next writer can go on with.
    """

    async def __aenter__(self) -> Self:
        """Raises IndexLockedError, and IndexMismatchError when the index was made by something else."""
        ...

    async def __aexit__(self, *exc: object) -> None: ...

    async def stored(self) -> Mapping[str, Stored]:
        """By id, what is in the index that is being written; not changed by what is written from then on."""
        ...

    async def replaces(self) -> int | None:
        """How many points the index has that will no longer serve; None if that very index is being changed."""
        ...

    async def upsert(self, points: Sequence[Point]) -> None: ...

    async def set_payloads(self, payloads: Mapping[str, dict[str, Any]]) -> None:
        """Replace the payloads of points that are there; their vectors stay."""
        ...

    async def delete(self, ids: Collection[str]) -> None: ...

    async def publish(self) -> IndexState:
        """The version stays where nothing was written."""
        ...


def best_by_point(ids: Mapping[Hashable, str], found: Sequence[Sequence[tuple[Hashable, float]]]) -> dict[str, Vector]:
    """Of each point (by its id) the cosines of a question's tokens, in their order.

    `found`: what each token found, by the keys of `ids`. A point that none found has no token vectors.
    """
    rows = {key: row for row, key in enumerate(ids)}
    best = np.zeros((len(rows), len(found)), np.float32)
    for column, points in enumerate(found):
        best[[rows[key] for key, _ in points], column] = [score for _, score in points]
    there = {key for points in found for key, _ in points}
    return {ids[key]: best[rows[key]] for key in there}


def slices(points: Sequence[Point], most: int, most_floats: int) -> Iterator[Sequence[Point]]:
    """Cut what is written at once to so many points, and so many numbers in their token vectors."""
    first = floats = 0
    for index, point in enumerate(points):
        size = 0 if point.tokens is None else point.tokens.size
        if index > first and (index - first == most or floats + size > most_floats):
            yield points[first:index]
            first, floats = index, 0
        floats += size
    if points:
        yield points[first:]
