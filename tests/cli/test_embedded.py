"""The record beside a book's embedded index: what it was made of, and of the index that a rollback goes back to."""

import pytest

from app.book.identity import identity_of
from app.book.indexing import Indexer, IndexOptions
from app.cli.embedded import EmbeddedBook
from tests.conftest import SMALL_BOOK, SilentProgress


@pytest.fixture
async def book(embedder, terms, tmp_path) -> EmbeddedBook:
    """Indexed with chunks of 256 tokens, and then anew with chunks of 64."""
    book = EmbeddedBook(tmp_path, SMALL_BOOK)
    for size, overlap in ((256, 32), (64, 16)):
        options = IndexOptions(source=SMALL_BOOK, chunk_size=size, chunk_overlap=overlap)
        identity = identity_of(embedder, size, overlap)
        await book.index(Indexer(options, embedder, terms, SilentProgress()), options, identity, rebuild=True)
    return book


async def test_an_index_that_serves_again_counts_as_made_with_its_own_options(book, embedder):
    await book.roll_back()
    assert (book.options().chunk_size, book.options().chunk_overlap) == (256, 32)
    assert book.is_current(identity_of(embedder, 256, 32))


async def test_going_forth_again_brings_back_the_options_of_the_later_one(book, embedder):
    await book.roll_back()
    await book.roll_back()
    assert (book.options().chunk_size, book.options().chunk_overlap) == (64, 16)
    assert book.is_current(identity_of(embedder, 64, 16))


async def test_a_run_that_changes_nothing_leaves_the_way_back(book, embedder, terms):
    options = book.options()
    await book.index(Indexer(options, embedder, terms, SilentProgress()), options, identity_of(embedder, 64, 16))
    await book.roll_back()
    assert book.options().chunk_size == 256
