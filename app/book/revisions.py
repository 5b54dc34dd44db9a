"""What must change in an index for it to be as a fresh build of the book would make it."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from app.book.chunking import HASH_DIGITS, Chunk
from app.book.cutting import CutDocument
from app.book.vector_store import Stored, heading_key
from app.errors import DeletionRefusedError, DocumentError

SHOWN = 5
"""Documents that are named in a refusal."""

StoredDocument = Mapping[str, Stored]
"""Id -> what the index says, of the points of one source."""
NOTHING: StoredDocument = {}


class Fresh(NamedTuple):
    """A chunk that the index has not, and its payload."""

    chunk: Chunk
    payload: dict[str, Any]


class Revision(NamedTuple):
    """One document, as it was cut and against what is stored of it."""

    source: str
    chunks: int
    fresh: list[Fresh]
    updated: dict[str, dict[str, Any]]
    """Id -> payload of the points that stay where they are, but not what they say."""
    obsolete: list[str]

    @property
    def changes_nothing(self) -> bool:
        return not (self.fresh or self.updated or self.obsolete)


def by_source(stored: Mapping[str, Stored]) -> dict[str, dict[str, Stored]]:
    documents: dict[str, dict[str, Stored]] = defaultdict(dict)
    for id_, one in stored.items():
        documents[one.source][id_] = one
    return dict(documents)


def is_unchanged(digest: str, stored: StoredDocument) -> bool:
    """Every chunk of the document is there, and nothing else is of it."""
    return bool(stored) and all(
        one.document == digest and one.document_chunks == len(stored) for one in stored.values()
    )


def revise(source: str, cut: CutDocument, stored: StoredDocument) -> Revision:
    """Raises DocumentError for text that cannot be stored."""
    fresh: list[Fresh] = []
    updated: dict[str, dict[str, Any]] = {}
    wanted = set()
    for chunk in cut.chunks:
        payload = payload_of(chunk, cut)
        before = stored.get(chunk.id)
        wanted.add(chunk.id)
        if before is None:
            fresh.append(Fresh(chunk, payload))
        elif before != Stored(source, cut.digest, len(cut.chunks), payload["digest"]):
            updated[chunk.id] = payload
    return Revision(source, len(cut.chunks), fresh, updated, [id_ for id_ in stored if id_ not in wanted])


def payload_of(chunk: Chunk, cut: CutDocument) -> dict[str, Any]:
    payload: dict[str, Any] = {
        "source": chunk.source,
        "title": chunk.title,
        "heading_path": list(chunk.heading_path),
        "headings": [heading_key(heading) for heading in chunk.heading_path],
        "anchor": chunk.anchor,
        "url": f"{chunk.slug}#{chunk.anchor}" if chunk.anchor else chunk.slug,
        "position": chunk.position,
        "start": chunk.start,
        "end": chunk.end,
        "text": chunk.text,
        "content_hash": chunk.content_hash,
        "section_id": f"{chunk.source}#{chunk.section}",
        "section_chunks": chunk.section_chunks,
        "gap": chunk.gap,
    }
    try:
        content = msgspec.json.encode(payload, order="sorted")
    except UnicodeEncodeError as error:
        raise DocumentError(f"{chunk.source} has a character that is no Unicode text.") from error
    digest = hashlib.sha256(content).hexdigest()[:HASH_DIGITS]
    return payload | {"document": cut.digest, "document_chunks": len(cut.chunks), "digest": digest}


def losses(
    stored: Mapping[str, StoredDocument], wanted: Mapping[str, int], digests: Mapping[str, str]
) -> dict[str, int]:
    """Source -> how many chunks fewer it will have, for those that shrink or go.

    `wanted`: source -> its chunks from now on. `digests`: of the documents on disk; one that was moved is no loss.
    """
    moved = Counter(digest for source, digest in digests.items() if source not in stored)
    lost = {}
    for source, points in stored.items():
        fewer = len(points) - wanted.get(source, 0)
        digest = next(iter(points.values())).document
        if source not in digests and moved[digest]:
            moved[digest] -= 1
        elif fewer > 0:
            lost[source] = fewer
    return lost


def check_losses(lost: Mapping[str, int], total: int, *, may_lose: int = 0) -> None:
    """Raises DeletionRefusedError when more than half goes, unless it is of at most `may_lose` documents."""
    if is_most(sum(lost.values()), total) and len(lost) > may_lose:
        raise DeletionRefusedError(
            f"{sum(lost.values())} of the {total} chunks of the index would be deleted: {_named(lost)}. "
            "If that is as it should be, run it again with `--yes`"
        )


def is_most(part: int, total: int) -> bool:
    return part * 2 > total


def _named(lost: Mapping[str, int]) -> str:
    largest = sorted(lost, key=lambda source: (-lost[source], source))
    named = _listed(f"{lost[source]} of {source}" for source in largest[:SHOWN])
    return named + (f" and those of {len(largest) - SHOWN} more documents" if len(largest) > SHOWN else "")


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words)
