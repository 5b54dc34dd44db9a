"""The real judge."""

import pytest

from app.book.bm25 import TermEncoder
from app.book.embedding import Embedder
from app.grounding.support import Judge


@pytest.fixture
def judge(embedder: Embedder, terms: TermEncoder) -> Judge:
    return Judge(embedder, terms)
