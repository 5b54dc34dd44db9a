"""What a reader asks, with where they are in the book."""

import msgspec

from app.book.vector_store import NO_FILTERS, Filters


class Asked(msgspec.Struct, frozen=True):
    question: str
    selected_text: str | None = None
    """What the reader has selected on the page."""
    page: str | None = None
    """The page being read: its address, the address's path, or its source file."""
    filters: Filters = NO_FILTERS

    @property
    def narrowing(self) -> Filters:
        """Of every search of the turn."""
        return msgspec.structs.replace(self.filters, page=self.page or self.filters.page)
