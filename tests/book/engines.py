"""Both engines behind one face: how a test writes to an index, reads it, and looks at all that is in it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from qdrant_client import AsyncQdrantClient

from app.book.edge_engine import load_shard, qe
from app.book.edge_store import EdgeStore
from app.book.edge_writer import EdgeWriter
from app.book.edge_writer import roll_back as roll_back_edge
from app.book.generations import SHARD, current_generation
from app.book.qdrant_store import QdrantStore, open_client
from app.book.qdrant_writer import QdrantWriter
from app.book.qdrant_writer import roll_back as roll_back_server
from app.book.sparse_copy import copy_tree
from app.book.vector_store import IndexIdentity, IndexState, IndexWriter, VectorStore
from app.settings import Settings
from tests.fakes.loopback import serve
from tests.fakes.qdrant import FakeQdrant

Contents = dict[str, tuple[dict[str, Any], Any]]
"""Id -> payload, and vectors by name."""


class EmbeddedEngine:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.store: VectorStore = EdgeStore(root)

    def writer(self, identity: IndexIdentity, **options: Any) -> IndexWriter:
        return EdgeWriter(self.root, identity, **options)

    async def roll_back(self) -> IndexState:
        return await roll_back_edge(self.root)

    async def kept(self) -> list[str]:
        return [folder.name for folder in self.root.glob("generation-*")]

    async def contents(self) -> Contents:
        """Of a copy: one process can have a generation open once."""
        generation = current_generation(self.root)
        if generation is None:
            return {}
        copy = self.root.with_name(f"{self.root.name}-copy-of-{generation}")
        if not copy.exists():
            copy_tree(self.root / generation / SHARD, copy)
        shard = load_shard(copy)
        found, _ = shard.scroll(qe.ScrollRequest(limit=100_000, with_payload=True, with_vector=True))
        shard.close()
        return {str(one.id): (one.payload, shown(one.vector)) for one in found}


class ServerEngine:
    def __init__(self, qdrant: FakeQdrant, client: AsyncQdrantClient, settings: Settings) -> None:
        self.qdrant = qdrant
        self.client = client
        self.settings = settings
        self.store: VectorStore = QdrantStore(client, settings)

    def writer(self, identity: IndexIdentity, **options: Any) -> IndexWriter:
        return QdrantWriter(self.client, self.settings, identity, **options)

    async def roll_back(self) -> IndexState:
        return await roll_back_server(self.client, self.settings)

    async def kept(self) -> list[str]:
        return [one.name for one in (await self.qdrant.engine.db.get_collections()).collections]

    async def contents(self) -> Contents:
        db, name = self.qdrant.engine.db, self.settings.qdrant_collection
        if await self.qdrant.engine.resolve(name) == name:
            return {}
        found, _ = await db.scroll(name, limit=100_000, with_payload=True, with_vectors=True)
        return {str(one.id): (one.payload, shown(one.vector)) for one in found}


Engine = EmbeddedEngine | ServerEngine
OpenEngine = Callable[[Path], AbstractAsyncContextManager[Engine]]


@asynccontextmanager
async def embedded_engine(folder: Path) -> AsyncIterator[EmbeddedEngine]:
    engine = EmbeddedEngine(folder / "index")
    try:
        yield engine
    finally:
        await engine.store.close()


@asynccontextmanager
async def server_engine(folder: Path) -> AsyncIterator[ServerEngine]:
    qdrant = FakeQdrant()
    async with serve(qdrant.app) as url:
        settings = Settings(qdrant_cluster_endpoint=url)
        client = open_client(settings)
        try:
            yield ServerEngine(qdrant, client, settings)
        finally:
            await client.close()


ENGINES: dict[str, OpenEngine] = {"embedded": embedded_engine, "server": server_engine}


def shown(vectors: Any) -> Any:
    """Comparable: numbers to three digits, sparse vectors as pairs."""
    if isinstance(vectors, dict):
        return {name: shown(vector) for name, vector in vectors.items()}
    if hasattr(vectors, "indices"):
        return sorted(zip(vectors.indices, (round(value, 3) for value in vectors.values), strict=True))
    return [shown(part) if isinstance(part, list) else round(part, 3) for part in vectors]
