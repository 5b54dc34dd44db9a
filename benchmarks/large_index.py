"""An embedded index of as many chunks as a large library has, made of fewer real ones.

Real chunks are embedded. The rest are copies of them: in each copy a third of the words are exchanged for others of the
same length and text, so that terms and payload differ, and noise is added to every vector (a copy's cosine with its
original is about 0.96). Ids, files and sections are a copy's own.
"""

import asyncio
import re
import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import numpy as np
from building import cut_book, points_of
from squad import cut_paragraph, read_paragraphs

from app.book.arrays import Matrix
from app.book.bm25 import TermEncoder
from app.book.chunking import embedding_text
from app.book.edge_writer import EdgeWriter
from app.book.embedding import Embedder
from app.book.generations import read_state
from app.book.identity import identity_of
from app.book.token_vectors import unit_rows
from app.book.vector_store import Point

EXCHANGED = 0.33
NOISE = 0.3
"""Length of the noise beside a unit vector."""
WORD = re.compile(r"[A-Za-z]{3,}")
AT_ONCE = 100


def has_index(folder: Path, embedder: Embedder, chunks: int) -> bool:
    state = read_state(folder)
    return state is not None and state.chunks == chunks and state.identity == identity_of(embedder)


def make_index(folder: Path, embedder: Embedder, chunks: int, books: Sequence[Path], squad: Path | None) -> int:
    """Returns how many of the chunks are real."""
    documents = [document for book in books for document in cut_book(book, embedder)]
    if squad is not None:
        documents += [cut_paragraph(paragraph, embedder) for paragraph in read_paragraphs(squad)]

    async def write() -> int:
        real = [point async for points in points_of(documents, embedder) for point in points][:chunks]
        async with EdgeWriter(folder, identity_of(embedder), rebuild=True) as writer:
            copies = _copies(real, chunks)
            while batch := [point for _, point in zip(range(AT_ONCE), copies, strict=False)]:
                await writer.upsert(batch)
            await writer.publish()
        return len(real)

    return asyncio.run(write())


def _copies(real: Sequence[Point], count: int) -> Iterator[Point]:
    """The real ones first."""
    terms, random, noise = TermEncoder(), Random(0), np.random.default_rng(0)  # noqa: S311 - no secret
    words = defaultdict(list)
    for point in real:
        for word in WORD.findall(point.payload["text"]):
            words[len(word)].append(word)

    def exchanged(word: re.Match[str]) -> str:
        return random.choice(words[len(word[0])]) if random.random() < EXCHANGED else word[0]

    yield from real
    for index in range(len(real), count):
        copy, point = divmod(index, len(real))[0], real[index % len(real)]
        payload = point.payload | {
            "text": WORD.sub(exchanged, point.payload["text"]),
            "source": f"copy-{copy}/{point.payload['source']}",
            "url": f"/copy-{copy}{point.payload['url']}",
            "section_id": f"copy-{copy}/{point.payload['section_id']}",
        }
        yield Point(
            str(uuid.uuid5(uuid.UUID(point.id), str(copy))),
            _noisy(point.dense, noise),
            None if point.tokens is None else _noisy(point.tokens, noise),
            terms.passage(embedding_text(" > ".join(payload["heading_path"]), payload["text"])),
            payload,
        )


def _noisy(vectors: Matrix, random: np.random.Generator) -> Matrix:
    noise = random.standard_normal(vectors.shape, dtype=np.float32) * np.float32(NOISE / vectors.shape[1] ** 0.5)
    return unit_rows(vectors + noise)
