"""Cutting a document into the chunks that are embedded: a literal slice of the text each, and where it comes from."""

import hashlib
import math
import re
import uuid
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from itertools import chain, takewhile, zip_longest
from typing import NamedTuple

import msgspec

from app.book.blocks import Block
from app.book.documents import Document, Section
from app.book.excerpts import excerpts
from app.book.pieces import CountTokens, Measure, Piece, cut_block, halve, sentences

CHUNKER_VERSION = 4
"""Another number for whatever changes the chunks of an unchanged file: an index knows with which it was cut."""
MIN_CHUNK_SIZE = 32
DEFAULT_CHUNK_SIZE, DEFAULT_CHUNK_OVERLAP = 256, 32
"""Tokens of the embedding model, the heading path included."""
CHARS_PER_TOKEN = 16
"""At most: a model may see a single token in a hundred letters without a space, or in a picture written as text."""
HASH_DIGITS = 16
SEPARATOR = " > "
_NAMESPACE = uuid.UUID("b6a1ac55-7f5c-4e0f-9e62-6c6ea6c4c3b1")
_MARKUP = re.compile(
    r"^[ \t>]*(?:`{3,}|~{3,}).*$|^[ \t>]*:{3,}[ \t]*\w*[ \t]*$|&(?:nbsp|ensp|emsp|thinsp|#160);", re.MULTILINE
)


class Chunk(msgspec.Struct, frozen=True):
    id: str
    """A UUID; the same as long as the chunk's text, file and headings are."""
    source: str
    title: str
    heading_path: tuple[str, ...]
    anchor: str
    slug: str
    position: int
    """From 0 within the file."""
    start: int
    end: int
    text: str
    content_hash: str
    """Of heading path and text, 16 hexadecimal digits."""
    prefix: str
    """The heading path as it is embedded: without its beginning where it is too long."""
    section: int
    """Number of its section within the file, from 0; a section with hidden text in it counts as two."""
    section_chunks: int
    """How many chunks the section has."""
    gap: str
    """What the text has between this chunk and the next of its section."""
    excerpts: tuple[str, ...]
    """What the dense vectors and those of the tokens are made of."""

    @property
    def embedding_text(self) -> str:
        return embedding_text(self.prefix, self.text)


def chunk_document(
    document: Document,
    *,
    count_tokens: CountTokens,
    chunk_size: int = DEFAULT_CHUNK_SIZE,
    chunk_overlap: int = DEFAULT_CHUNK_OVERLAP,
) -> list[Chunk]:
    """Cut every section into chunks whose embedding text has at most `chunk_size` tokens, and 16 characters for each.

    count_tokens counts a text as the model sees it, with the tokens the model adds. A code fence or table is whole if
    it fits into a chunk. Consecutive chunks of a section share whole sentences of up to `chunk_overlap` tokens.
    """
    check_sizes(chunk_size, chunk_overlap)
    count = _bounded(count_tokens)
    measure = Measure(document.text, count)
    seen: Counter[tuple[str, ...]] = Counter()
    chunks: list[Chunk] = []
    for number, section in enumerate(chain.from_iterable(map(_visible_parts, document.sections))):
        spans = list(_Packer(section, measure, chunk_size).spans(chunk_overlap))
        for span, following in zip_longest(spans, spans[1:]):
            content = (*section.heading_path, document.text[span.start : span.end])
            gap = document.text[span.end : following.start] if following else ""
            parts = excerpts(content[-1], span.prefix.split(SEPARATOR), count)
            place = _Place(len(chunks), number, len(spans), gap, parts, seen[content])
            chunks.append(_chunk(document, span, place))
            seen[content] += 1
    return chunks


def check_sizes(chunk_size: int, chunk_overlap: int) -> None:
    """Raises ValueError for sizes that make no sense."""
    if chunk_size < MIN_CHUNK_SIZE:
        raise ValueError(f"chunk_size is {chunk_size}, it must be at least {MIN_CHUNK_SIZE}")
    if not 0 <= chunk_overlap < chunk_size / 2:
        raise ValueError(f"chunk_overlap is {chunk_overlap}, it must be less than half of chunk_size ({chunk_size})")


def embedding_text(prefix: str, text: str) -> str:
    return f"{prefix}\n{text}" if prefix else text


def _bounded(count_tokens: CountTokens) -> CountTokens:
    return lambda text: max(count_tokens(text), math.ceil(len(text) / CHARS_PER_TOKEN))


def _visible_parts(section: Section) -> Iterator[Section]:
    """One at least."""
    runs: list[list[Block]] = [[]]
    for block in section.blocks:
        if block.kind != "hidden":
            runs[-1].append(block)
        elif runs[-1]:
            runs.append([])
    visible = [run for run in runs if run] or [[]]
    return (msgspec.structs.replace(section, blocks=tuple(run)) for run in visible)


class _Span(NamedTuple):
    section: Section
    prefix: str
    start: int
    end: int


class _Place(NamedTuple):
    position: int
    section: int
    section_chunks: int
    gap: str
    excerpts: tuple[str, ...]
    occurrence: int
    """How many chunks before have the same headings and text."""


class _Packer:
    """Packs the blocks of one section into spans, as many as fit into each."""

    def __init__(self, section: Section, measure: Measure, chunk_size: int) -> None:
        self._section = section
        self._measure = measure
        self._size = chunk_size
        self._prefix = _prefix(section.heading_path, measure.count, chunk_size // 2)
        self._budget = chunk_size - measure.count(embedding_text(self._prefix, ""))

    def spans(self, overlap: int) -> Iterator[_Span]:
        group: list[Piece] = []
        used = 0
        for piece in self._pieces():
            if group and used + self._step(group, piece) > self._budget:
                yield from self._fitted(group)
                group = self._overlap(group, min(overlap, self._budget - self._step(group, piece)))
                used = sum(sentence.tokens for sentence in group)
            used += self._step(group, piece)
            group.append(piece)
        yield from self._fitted(group)

    def _pieces(self) -> Iterator[Piece]:
        blocks = (block for block in self._section.blocks if block.kind != "skip")
        return chain.from_iterable(cut_block(block, self._measure, self._budget) for block in blocks)

    def _step(self, group: list[Piece], piece: Piece) -> int:
        """Tokens that the piece adds to the group, with those of a skipped block before it."""
        return piece.tokens + (self._measure.tokens(group[-1].end, piece.start) if group else 0)

    def _overlap(self, group: list[Piece], limit: int) -> list[Piece]:
        """Take whole sentences from the end of the group, as far back as there is nothing else and they fit."""
        taken: list[Piece] = []
        for start, end in self._last_sentences(group):
            tokens = self._measure.tokens(start, taken[0].start if taken else end)
            limit -= tokens
            if limit < 0:
                break
            taken.insert(0, Piece("overlap", start, end, tokens))
        return taken

    def _last_sentences(self, group: list[Piece]) -> Iterator[tuple[int, int]]:
        """Last first."""
        for piece in takewhile(lambda piece: piece.kind == "sentences", reversed(group)):
            yield from reversed(sentences(self._measure.text, piece.start, piece.end))

    def _fitted(self, group: list[Piece]) -> Iterator[_Span]:
        """Make a span of the group, or several where the tokens together are more than those of the parts."""
        own = [piece for piece in group if piece.kind != "overlap"]
        if not own or not _has_words(self._measure.text[own[0].start : own[-1].end]):
            return
        start, end = group[0].start, group[-1].end
        if end - start == 1 or self._measure.count(self._embedding_text(start, end)) <= self._size:
            yield _Span(self._section, self._prefix, start, end)
        elif len(own) < len(group):
            yield from self._fitted(own)
        else:
            parts = halve(own, self._measure)
            yield from chain.from_iterable(self._fitted(part) for part in parts)

    def _embedding_text(self, start: int, end: int) -> str:
        return embedding_text(self._prefix, self._measure.text[start:end])


def _prefix(heading_path: tuple[str, ...], count_tokens: CountTokens, limit: int) -> str:
    """Leave out headings from the left until the path has at most `limit` tokens, then words of the last heading."""
    for first in range(len(heading_path)):
        path = SEPARATOR.join(heading_path[first:])
        if count_tokens(path) <= limit:
            return path
    words = heading_path[-1].split()
    first = bisect_left(range(len(words)), True, key=lambda index: count_tokens(" ".join(words[index:])) <= limit)
    return " ".join(words[first:])


def _has_words(text: str) -> bool:
    return any(char.isalnum() for char in _MARKUP.sub("", text))


def _chunk(document: Document, span: _Span, place: _Place) -> Chunk:
    heading_path, text = span.section.heading_path, document.text[span.start : span.end]
    content_hash = hashlib.sha256("\0".join((*heading_path, text)).encode()).hexdigest()[:HASH_DIGITS]
    identity = "\0".join((document.source, *heading_path, content_hash, str(place.occurrence)))
    return Chunk(
        id=str(uuid.uuid5(_NAMESPACE, identity)),
        source=document.source,
        title=document.title,
        heading_path=heading_path,
        anchor=span.section.anchor,
        slug=document.slug,
        position=place.position,
        start=span.start,
        end=span.end,
        text=text,
        content_hash=content_hash,
        prefix=span.prefix,
        section=place.section,
        section_chunks=place.section_chunks,
        gap=place.gap,
        excerpts=place.excerpts,
    )
