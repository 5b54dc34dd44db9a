"""The store on a real Qdrant cluster, where one is given."""

import os
import uuid

import pytest

from app.book.identity import identity_of
from app.book.indexing import Indexer, IndexOptions
from app.book.qdrant_store import QdrantStore, open_client
from app.book.qdrant_writer import QdrantWriter
from app.book.retrieval import Retriever
from app.settings import Secret, Settings
from tests.conftest import SMALL_BOOK, SilentProgress

URL = os.environ.get("LIVE_QDRANT_URL", "")

pytestmark = [pytest.mark.live, pytest.mark.skipif(not URL, reason="LIVE_QDRANT_URL is not set")]


async def test_a_book_is_indexed_and_found(embedder, terms):
    settings = Settings(
        qdrant_cluster_endpoint=URL,
        qdrant_api_key=Secret(os.environ.get("LIVE_QDRANT_API_KEY", "")),
        qdrant_collection=f"book_agent_test_{uuid.uuid4().hex[:8]}",
    )
    client = open_client(settings)
    try:
        identity = identity_of(embedder)
        indexer = Indexer(IndexOptions(source=SMALL_BOOK), embedder, terms, SilentProgress())
        report = await indexer.run(QdrantWriter(client, settings, identity))
        store = QdrantStore(client, settings)
        state = await store.state()
        assert (state.identity, state.version) == (identity, report.index_version)
        best = (await Retriever(embedder, terms, store).search("What is a stilling well?", limit=1)).passages[0]
        assert best.heading_path[-1] == "Stilling wells"
        assert best.scores.cosine > 0.4
    finally:
        await client.delete_collection(settings.qdrant_collection)
        await client.close()
