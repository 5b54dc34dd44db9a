"""What our configuration would make of an index, and whether it can read one that is there."""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from app.book.chunking import CHUNKER_VERSION, DEFAULT_CHUNK_OVERLAP, DEFAULT_CHUNK_SIZE
from app.book.vector_store import NO_TOKENS, IndexIdentity
from app.errors import IndexMismatchError

SETTINGS = {
    "embedding": "EMBEDDING_MODEL",
    "dimension": "EMBEDDING_MODEL",
    "token_vectors": "RERANK",
    "token_dimension": "RERANK",
    "chunker": "--chunk-size and --chunk-overlap",
}
"""What sets a field of an identity."""


class EmbeddingModel(Protocol):
    """So much of an embedder as an index remembers."""

    @property
    def fingerprint(self) -> str: ...
    @property
    def dimension(self) -> int: ...
    @property
    def token_vectors(self) -> str: ...
    @property
    def token_dimension(self) -> int: ...


def identity_of(
    embedder: EmbeddingModel, chunk_size: int = DEFAULT_CHUNK_SIZE, chunk_overlap: int = DEFAULT_CHUNK_OVERLAP
) -> IndexIdentity:
    return IndexIdentity(
        embedder.fingerprint,
        embedder.dimension,
        token_vectors=embedder.token_vectors,
        token_dimension=embedder.token_dimension,
        chunker=f"version {CHUNKER_VERSION}, {chunk_size} tokens, overlap {chunk_overlap}",
    )


def check_identity(stored: IndexIdentity, ours: IndexIdentity, *, strictly: bool = False) -> None:
    """Raises IndexMismatchError, saying what differs and what mends it."""
    differing = differences(stored, ours, strictly=strictly)
    if differing:
        settings = " and ".join(dict.fromkeys(SETTINGS[field] for field in differing if field in SETTINGS))
        if "embedding" in differing and _model(stored) == _model(ours):
            settings = ""  # another file of the model, or used in another way: no setting mends that
        back = f"Set {settings} back to what made the index, or run" if settings else "Run"
        raise IndexMismatchError(
            f"the index cannot be used with this configuration: {'; '.join(differing.values())}. "
            f"{back} `book-agent index --rebuild`"
        )


def differences(stored: IndexIdentity, ours: IndexIdentity, *, strictly: bool = False) -> dict[str, str]:
    """A part of a sentence for each field that both say, and differently.

    `strictly`: an index that doesn't say differs.
    """
    found = {}
    for field in IndexIdentity.__struct_fields__:
        theirs, our = getattr(stored, field), getattr(ours, field)
        if our is not None and theirs != our and (strictly or theirs is not None):
            shown = "not recorded" if theirs is None else theirs
            found[field] = f"{field.replace('_', ' ')} is {shown} in the index and {our} here"
    return found


def check_readable(stored: IndexIdentity, ours: IndexIdentity) -> None:
    """Raises IndexMismatchError. How the text was cut is no matter, nor are token vectors where we want none."""
    ignored: Mapping[str, None] = {"chunker": None}
    if ours.token_vectors == NO_TOKENS:
        ignored = {"chunker": None, "token_vectors": None, "token_dimension": None}
    check_identity(stored, msgspec.structs.replace(ours, **ignored))


def outdated(stored: IndexIdentity, ours: IndexIdentity) -> str:
    """A sentence about an index that can be read, but was cut by another version of the chunker; else empty."""
    if ours.chunker is None or _version(stored) == _version(ours):
        return ""
    was = _version(stored) or "an unknown version"
    return f"its text was cut by {was} of the chunker, this is {_version(ours)}: run `book-agent index --rebuild`"


def _version(identity: IndexIdentity) -> str:
    return (identity.chunker or "").split(",")[0]


def _model(identity: IndexIdentity) -> str:
    return (identity.embedding or "").partition("@")[0]
