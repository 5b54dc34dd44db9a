"""Which of the ranked chunks are shown: none twice, and small sections whole."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from app.book.ranking import Candidate, TermsOf
from app.book.vector_store import Hit

SAME = 0.8
"""Of two chunks that share so much of their terms (Jaccard index) only the better is shown."""
SMALL_SECTION = 2
"""Chunks of a section that is shown whole."""


def distinct(candidates: Sequence[Candidate], terms_of: TermsOf, *, whole: bool) -> Iterator[Hit]:
    """Best first, without near-duplicates; with `whole`, one chunk of each small section."""
    shown: list[frozenset[int]] = []
    sections: set[str] = set()
    for candidate in candidates:
        hit = candidate.hit
        section = hit.payload["section_id"] if whole and is_in_small_section(hit) else None
        own = terms_of(hit)
        if section not in sections and not any(_share(own, other) >= SAME for other in shown):
            shown.append(own)
            if section is not None:
                sections.add(section)
            yield hit


def is_in_small_section(hit: Hit) -> bool:
    """It has other chunks, but few."""
    chunks: int = hit.payload.get("section_chunks", 1)
    return 1 < chunks <= SMALL_SECTION


def joined(chunks: Sequence[Hit]) -> tuple[str, int, int] | None:
    """Text, start and end of a section of which these are the chunks; None if some are missing."""
    if not chunks or len(chunks) != chunks[0].payload["section_chunks"]:
        return None
    return spliced(chunks)


def spliced(chunks: Sequence[Hit]) -> tuple[str, int, int] | None:
    """Text, start and end of what chunks of one section make, one at least; None if one between them is missing."""
    in_order = sorted((chunk.payload for chunk in chunks), key=lambda payload: payload["start"])
    text, end = in_order[0]["text"], in_order[0]["end"]
    for before, payload in pairwise(in_order):
        text += before["gap"] + payload["text"][max(0, end - payload["start"]) :]
        end = payload["end"]
    start = in_order[0]["start"]
    return (text, start, end) if len(text) == end - start else None


def _share(one: frozenset[int], other: frozenset[int]) -> float:
    return len(one & other) / len(one | other) if one or other else 0.0
