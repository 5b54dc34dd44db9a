"""Points small enough to rank by eye, and writing them."""

import uuid
from collections.abc import Sequence

import numpy as np

from app.book.bm25 import SparseVector
from app.book.vector_store import IndexIdentity, IndexState, IndexWriter, Point

IDENTITY = IndexIdentity("model@1", dimension=2)
EVERYWHERE = 1
"""A term of every point."""


def point(number: int, source: str = "intro.md", heading_path: Sequence[str] = ("Tides",)) -> Point:
    """Point 0 lies on the first axis, and each further one farther from it; its own term is 100 + number."""
    terms = SparseVector([EVERYWHERE, 100 + number], [1.0, 1.0])
    payload = {"source": source, "heading_path": list(heading_path), "number": number}
    return Point(str(uuid.uuid5(uuid.NAMESPACE_OID, str(number))), np.array([1.0, number], np.float32), terms, payload)


async def write(writer: IndexWriter, points: Sequence[Point]) -> IndexState:
    async with writer:
        await writer.upsert(points)
        return await writer.publish()
