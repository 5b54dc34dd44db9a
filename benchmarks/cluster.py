"""What an index comes to on a Qdrant server, part by part: arithmetic on real chunks."""

from collections.abc import Sequence

import msgspec
from building import points_of
from processes import MB

from app.book.cutting import CutDocument
from app.book.embedding import Embedder

MEMORY_MB, DISK_MB = 1000, 4000
"""Of a free cluster of Qdrant Cloud."""
FLOAT, HALF = 4, 2
LINKS, LINK = 32, 4
"""Of a point in the lowest layer of its graph (2 x m), and their bytes; the layers above add little."""
POSTING = 12
"""Bytes of a term in a sparse vector: its point, its weight and the highest weight from there on."""
TWICE = 2
"""While a new index is built, the old one serves; and sparse vectors are kept beside their inverted index."""
OVERHEAD_MB = 250
"""Of the server itself, with the segments' log and the ids: an assumption, on the safe side."""


async def cluster_parts(documents: Sequence[CutDocument], embedder: Embedder, chunks: int) -> dict:
    """MB of so many chunks like those of the documents: of each part, and in memory and on disk in all.

    On disk only are the token vectors; all else is held in memory, too.
    """
    count = dense = tokens = terms = payload = 0
    async for points in points_of(documents, embedder):
        count += len(points)
        dense += sum(point.dense.size for point in points) * FLOAT
        tokens += sum(point.tokens.size for point in points if point.tokens is not None) * HALF
        terms += sum(len(point.terms.indices) for point in points) * POSTING
        payload += sum(len(msgspec.json.encode(point.payload)) for point in points)
    each = {
        "dense vectors (excerpts)": dense,
        "graph": count * LINKS * LINK,
        "sparse vectors": terms * TWICE,
        "payload": payload,
        "token vectors, on disk": tokens,
    }
    parts = {name: round(size / count * chunks / MB, 1) for name, size in each.items()}
    on_disk = sum(parts.values())
    in_memory = on_disk - parts["token vectors, on disk"]
    return {
        "parts": parts,
        "memory": round(TWICE * in_memory + OVERHEAD_MB, 1),
        "disk": round(TWICE * on_disk + OVERHEAD_MB, 1),
    }
