"""Points small enough to rank by eye, and writing them."""

import uuid
from collections.abc import Sequence

import numpy as np

from app.book.bm25 import SparseVector
from app.book.vector_store import IndexIdentity, IndexState, IndexWriter, Point, heading_key

IDENTITY = IndexIdentity("model@1", 2, token_vectors="test-2@1", token_dimension=2, chunker="version 1, 256 tokens")
EVERYWHERE = 1
"""A term of every point."""


def point(number: int, source: str = "intro.md", heading_path: Sequence[str] = ("Tides",), section: int = 0) -> Point:
    """Point 0 lies on the first axis, and each further one farther from it; its own term is 100 + number.

    Its token vectors are the first axis (but for odd numbers) and its dense vector.
    """
    terms = SparseVector([EVERYWHERE, 100 + number], [1.0, 1.0])
    payload = {
        "source": source,
        "heading_path": list(heading_path),
        "headings": [heading_key(heading) for heading in heading_path],
        "section_id": f"{source}#{section}",
        "number": number,
        "document": f"digest of {source}",
        "document_chunks": 1,
        "digest": f"digest of {number}",
    }
    dense = np.array([1.0, number], np.float32)
    own = dense / np.linalg.norm(dense)
    tokens = np.array([own] if number % 2 else [[1.0, 0.0], own], np.float32)
    return Point(str(uuid.uuid5(uuid.NAMESPACE_OID, str(number))), dense[None], tokens, terms, payload)


async def write(writer: IndexWriter, points: Sequence[Point]) -> IndexState:
    async with writer:
        if points:
            await writer.upsert(points)
        return await writer.publish()
