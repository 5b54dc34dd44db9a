"""What searches found a while ago, for when the book cannot be searched."""

import time
from collections.abc import Callable
from typing import NamedTuple

from cachetools import TTLCache
from msgspec.structs import replace

from app.book.passages import Found
from app.book.vector_store import Filters

KEPT = 512
"""Searches; about 20 KB each."""


class SearchKey(NamedTuple):
    """All that a search depends on, but the index."""

    query: str
    limit: int
    filters: Filters
    whole_sections: bool


class EarlierSearches:
    def __init__(self, kept_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: TTLCache[SearchKey, tuple[float, Found]] = TTLCache(KEPT, kept_s, clock)

    def keep(self, asked: SearchKey, found: Found) -> None:
        self._kept[asked] = self._clock(), found

    def find(self, asked: SearchKey) -> Found | None:
        """Marked with its age."""
        kept = self._kept.get(asked)
        if kept is None:
            return None
        made_at, found = kept
        return replace(found, cached_s=int(self._clock() - made_at))
