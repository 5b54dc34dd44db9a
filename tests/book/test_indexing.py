import math
import os
import uuid
from pathlib import Path

import msgspec
import pytest

from app.book.bm25 import SparseVector
from app.book.edge_store import EdgeStore, EdgeWriter, current_generation
from app.book.indexing import Indexer, IndexOptions, IndexReport, Skipped
from app.book.qdrant_store import QdrantWriter, open_client
from app.book.vector_store import Hit, IndexWriter, Point
from app.errors import ConfigurationError, EmbeddingError, VectorStoreUnavailableError
from app.resources import identity_of
from app.settings import Settings
from tests.conftest import SMALL_BOOK
from tests.fakes.loopback import serve
from tests.fakes.qdrant import FakeQdrant, Fault

PAYLOAD_FIELDS = {
    "source",
    "title",
    "heading_path",
    "anchor",
    "url",
    "position",
    "start",
    "end",
    "text",
    "content_hash",
}
NOT_UTF_8 = b"# Tides\n\n\xff\xfe\n"


class RecordedProgress:
    def __init__(self) -> None:
        self.documents = 0
        self.chunks: dict[str, int] = {}
        self.skipped: list[Skipped] = []

    def begin(self, documents: int) -> None:
        self.documents = documents

    def embed(self, source: str, done: int, chunks: int) -> None:
        assert done <= chunks

    def advance(self, source: str, chunks: int) -> None:
        self.chunks[source] = chunks

    def skip(self, skipped: Skipped) -> None:
        self.skipped.append(skipped)


class CountingWriter(EdgeWriter):
    """Notes how many points come at once."""

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        self.batches: list[int] = []

    async def upsert(self, points: list[Point]) -> None:
        self.batches.append(len(points))
        await super().upsert(points)


@pytest.fixture
def book(tmp_path) -> Path:
    """Three files of one chunk each."""
    book = tmp_path / "book"
    book.mkdir()
    for name in ("a", "b", "c"):
        (book / f"{name}.md").write_text(f"# Chapter {name}\n\nThe tide of chapter {name} rises.\n")
    return book


@pytest.fixture
def root(tmp_path) -> Path:
    return tmp_path / "index"


@pytest.fixture
def progress() -> RecordedProgress:
    return RecordedProgress()


@pytest.fixture
def index(book, root, embedder, terms, progress):
    """Runs an indexer over the book, or another folder."""

    async def run(source: Path = book, writer: IndexWriter | None = None, **options: object) -> IndexReport:
        indexer = Indexer(IndexOptions(source=source, **options), embedder, terms, progress)
        return await indexer.run(writer or EdgeWriter(root, identity_of(embedder)))

    return run


@pytest.fixture
def indexed(root, embedder):
    """Every point of the index, in the order of the book."""

    async def read() -> list[Hit]:
        store = EdgeStore(root)
        found = await store.search(embedder.encode(["tide"])[0], SparseVector([], []), limit=1000)
        await store.close()
        return sorted(found.dense, key=lambda hit: (hit.payload["source"], hit.payload["position"]))

    return read


class TestPayload:
    async def test_has_exactly_these_fields(self, index, indexed):
        await index(SMALL_BOOK)
        assert {frozenset(hit.payload) for hit in await indexed()} == {frozenset(PAYLOAD_FIELDS)}

    async def test_says_what_a_chunk_is_and_where(self, index, indexed):
        await index(SMALL_BOOK)
        [wells] = [hit.payload for hit in await indexed() if hit.payload["anchor"] == "stilling-wells"]
        text = (SMALL_BOOK / "guide/measuring.md").read_text()
        assert wells["text"].endswith("Its float follows the mean level.")
        assert text[wells["start"] : wells["end"]] == wells["text"]
        del wells["text"], wells["start"], wells["end"]
        assert len(wells.pop("content_hash")) == 16
        assert wells == {
            "source": "guide/measuring.md",
            "title": "Measuring tides",
            "heading_path": ["Measuring tides", "Stilling wells"],
            "anchor": "stilling-wells",
            "url": "/guide/measuring#stilling-wells",
            "position": 1,
        }

    async def test_of_the_top_of_a_page_has_no_anchor_in_its_url(self, index, indexed):
        await index(SMALL_BOOK)
        urls = {hit.payload["url"] for hit in await indexed() if not hit.payload["anchor"]}
        assert urls == {"/intro", "/guide/measuring", "/guide/notes"}


class TestIds:
    async def test_are_uuids_and_the_same_in_every_run(self, index, indexed):
        await index(SMALL_BOOK)
        first = [hit.id for hit in await indexed()]
        await index(SMALL_BOOK)
        assert [hit.id for hit in await indexed()] == first
        assert {uuid.UUID(id_).version for id_ in first} == {5}

    async def test_change_only_where_the_book_does(self, index, indexed, book):
        await index()
        first = {hit.payload["source"]: hit.id for hit in await indexed()}
        (book / "b.md").write_text("# Chapter b\n\nThe tide falls.\n")
        await index()
        second = {hit.payload["source"]: hit.id for hit in await indexed()}
        assert {source for source in first if first[source] != second[source]} == {"b.md"}


class TestReport:
    async def test_counts_documents_and_chunks_and_names_the_index(self, index, root):
        report = await index()
        assert (report.documents, report.chunks, report.failed) == (3, 3, [])
        assert report.index_version == current_generation(root)
        assert report.chunks_per_second == pytest.approx(report.chunks / report.seconds, rel=0.1)

    async def test_progress_hears_of_every_document(self, index, progress):
        await index()
        assert (progress.documents, progress.chunks) == (3, {"a.md": 1, "b.md": 1, "c.md": 1})

    @pytest.mark.parametrize(("batch_size", "batches"), [(1, [1, 1, 1]), (2, [2, 1]), (64, [3])])
    async def test_points_are_written_in_batches_over_documents(self, index, root, embedder, batch_size, batches):
        writer = CountingWriter(root, identity_of(embedder))
        await index(writer=writer, batch_size=batch_size)
        assert writer.batches == batches

    async def test_a_document_without_text_is_no_failure(self, index, book):
        (book / "empty.md").touch()
        report = await index()
        assert (report.documents, report.chunks, report.failed) == (4, 3, [])


class TestSkipping:
    async def test_a_file_that_is_not_utf_8_is_named_and_the_others_are_indexed(self, index, indexed, book, progress):
        (book / "b.md").write_bytes(NOT_UTF_8)
        report = await index()
        assert [skipped.source for skipped in report.failed] == ["b.md"]
        assert "is not UTF-8: see byte 9" in report.failed[0].reason
        assert progress.skipped == report.failed
        assert [hit.payload["source"] for hit in await indexed()] == ["a.md", "c.md"]

    async def test_a_file_whose_name_is_not_utf_8_is_named_with_escapes(self, index, indexed, book):
        Path(os.fsdecode(os.fsencode(book) + b"/\xff.md")).write_text("# A page\n\nWith text.\n")
        report = await index()
        assert [(skipped.source, skipped.reason) for skipped in report.failed] == [
            ("\\udcff.md", "its name is not UTF-8.")
        ]
        assert msgspec.json.encode(report)
        assert [hit.payload["source"] for hit in await indexed()] == ["a.md", "b.md", "c.md"]

    async def test_a_file_that_cannot_be_read_is_named_too(self, index, monkeypatch):
        read = Path.read_bytes

        def refused(path: Path) -> bytes:
            if path.name == "b.md":
                raise PermissionError(13, "Permission denied")
            return read(path)

        monkeypatch.setattr(Path, "read_bytes", refused)
        report = await index()
        assert [(skipped.source, skipped.reason) for skipped in report.failed] == [
            ("b.md", "b.md cannot be read: Permission denied.")
        ]
        assert report.documents == 2

    async def test_a_document_that_cannot_be_embedded_is_skipped_alone(self, index, indexed, embedder, monkeypatch):
        embed = embedder.embed

        async def failing(texts: list[str]):
            if "chapter b" in texts[0]:
                raise EmbeddingError("the embedding model failed")
            return await embed(texts)

        monkeypatch.setattr(embedder, "embed", failing)
        report = await index()
        assert report.failed == [Skipped("b.md", "the embedding model failed")]
        assert [hit.payload["source"] for hit in await indexed()] == ["a.md", "c.md"]


class TestDryRun:
    async def test_counts_without_embedding_or_writing(self, book, embedder, terms, progress, root, monkeypatch):
        monkeypatch.setattr(embedder, "embed", None)
        report = await Indexer(IndexOptions(source=book), embedder, terms, progress).run(None)
        assert (report.documents, report.chunks, report.index_version) == (3, 3, None)
        assert not root.exists()


class TestRefusals:
    async def test_a_chunk_size_above_what_the_model_reads_is_refused(self, index):
        with pytest.raises(ConfigurationError, match=r"chunk size is 257 tokens.*reads only 256"):
            await index(chunk_size=257)

    async def test_an_empty_folder_is_refused_and_the_old_index_stays(self, index, indexed, tmp_path):
        await index()
        (tmp_path / "empty").mkdir()
        with pytest.raises(ConfigurationError, match=r"no file like \*\*/\*\.md or \*\*/\*\.mdx in .*/empty"):
            await index(tmp_path / "empty")
        assert len(await indexed()) == 3

    async def test_a_folder_without_any_text_is_refused_and_the_old_index_stays(self, index, indexed, book):
        await index()
        for page in book.iterdir():
            page.write_bytes(NOT_UTF_8)
        with pytest.raises(ConfigurationError, match="the index is left as it is"):
            await index()
        assert len(await indexed()) == 3

    async def test_a_store_that_fails_ends_the_run(self, index, embedder, progress):
        qdrant = FakeQdrant()
        qdrant.faults.append(Fault("/points", times=math.inf, status=400))
        async with serve(qdrant.app) as url:
            settings = Settings(qdrant_cluster_endpoint=url)
            client = open_client(settings)
            with pytest.raises(VectorStoreUnavailableError):
                await index(writer=QdrantWriter(client, settings, identity_of(embedder)), batch_size=2)
            await client.close()
        assert list(progress.chunks) == ["a.md"]
        assert progress.skipped == []
