import math
import os
import tracemalloc
import uuid
from pathlib import Path
from typing import Any, Self

import msgspec
import pytest

from app.book.edge_writer import EdgeWriter
from app.book.generations import current_generation
from app.book.identity import identity_of
from app.book.indexing import Indexer, IndexOptions, IndexReport, Skipped
from app.book.qdrant_store import open_client
from app.book.qdrant_writer import QdrantWriter
from app.book.vector_store import IndexState, IndexWriter, Point
from app.book.windows import FIRST_WINDOW
from app.errors import ConfigurationError, DeletionRefusedError, EmbeddingError, VectorStoreUnavailableError
from app.settings import Settings
from tests.book.engines import EmbeddedEngine
from tests.conftest import SMALL_BOOK, SilentProgress
from tests.fakes.cutter import CutterInProcess
from tests.fakes.embedder import HashEmbedder
from tests.fakes.loopback import serve
from tests.fakes.qdrant import FakeQdrant, Fault

PAYLOAD_FIELDS = {
    "source",
    "title",
    "heading_path",
    "headings",
    "anchor",
    "url",
    "position",
    "start",
    "end",
    "text",
    "content_hash",
    "section_id",
    "section_chunks",
    "gap",
    "document",
    "document_chunks",
    "digest",
}
NOT_UTF_8 = b"# Tides\n\n\xff\xfe\n"


class RecordedProgress:
    def __init__(self) -> None:
        self.documents = 0
        self.chunks: dict[str, int] = {}
        self.embedded: list[tuple[str, int, int]] = []
        self.skipped: list[Skipped] = []

    def begin(self, documents: int) -> None:
        self.documents = documents

    def embed(self, source: str, done: int, chunks: int) -> None:
        self.embedded.append((source, done, chunks))

    def advance(self, source: str, chunks: int) -> None:
        self.chunks[source] = chunks

    def skip(self, skipped: Skipped) -> None:
        self.skipped.append(skipped)

    def miss(self, skipped: Skipped) -> None:
        self.skipped.append(skipped)


class RecordingWriter(EdgeWriter):
    """Notes what it is asked to do."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.batches: list[int] = []
        self.done: list[str] = []

    async def upsert(self, points: list[Point]) -> None:
        self.batches.append(len(points))
        self.done.append("upsert")
        await super().upsert(points)

    async def set_payloads(self, payloads: dict[str, Any]) -> None:
        self.done += ["set_payloads"] * bool(payloads)
        await super().set_payloads(payloads)

    async def delete(self, ids: list[str]) -> None:
        self.done.append("delete")
        await super().delete(ids)


@pytest.fixture(autouse=True)
def cut_in_process(monkeypatch):
    monkeypatch.setattr("app.book.indexing.Cutter", CutterInProcess)


@pytest.fixture
def embedder() -> HashEmbedder:
    return HashEmbedder()


@pytest.fixture
def fail_to_embed(embedder, monkeypatch):
    """From now on passages with these words cannot be embedded."""
    embed = embedder.embed

    def fail(words: str) -> None:
        async def failing(passages):
            if any(words in excerpt for passage in passages for excerpt in passage):
                raise EmbeddingError("the embedding model failed")
            return await embed(passages)

        monkeypatch.setattr(embedder, "embed", failing)

    return fail


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

    async def run(
        source: Path = book, writer: IndexWriter | None = None, *, rebuild: bool = False, **options: object
    ) -> IndexReport:
        indexer = Indexer(IndexOptions(source=source, **options), embedder, terms, progress)
        return await indexer.run(writer or EdgeWriter(root, identity_of(embedder), rebuild=rebuild))

    return run


@pytest.fixture
def indexed(root):
    """Id -> payload of every point, in the order of the book."""

    async def read() -> dict[str, dict[str, Any]]:
        points = {id_: payload for id_, (payload, _) in (await EmbeddedEngine(root).contents()).items()}
        return dict(sorted(points.items(), key=lambda item: (item[1]["source"], item[1]["position"])))

    return read


def long_page(chunks: int) -> str:
    return "\n\n".join(f"## Part {number}\n\nThe tide rises {number} times." for number in range(chunks))


class TestPayload:
    async def test_has_exactly_these_fields(self, index, indexed):
        await index(SMALL_BOOK)
        assert {frozenset(payload) for payload in (await indexed()).values()} == {frozenset(PAYLOAD_FIELDS)}

    async def test_says_what_a_chunk_is_and_where(self, index, indexed):
        await index(SMALL_BOOK)
        [wells] = [payload for payload in (await indexed()).values() if payload["anchor"] == "stilling-wells"]
        text = (SMALL_BOOK / "guide/measuring.md").read_text()
        assert wells["text"].endswith("Its float follows the mean level.")
        assert text[wells["start"] : wells["end"]] == wells["text"]
        del wells["text"], wells["start"], wells["end"]
        assert len(wells.pop("content_hash")) == len(wells.pop("digest")) == 16
        assert len(wells.pop("document")) == 64
        assert wells == {
            "source": "guide/measuring.md",
            "title": "Measuring tides",
            "heading_path": ["Measuring tides", "Stilling wells"],
            "headings": ["measuring tides", "stilling wells"],
            "anchor": "stilling-wells",
            "url": "/guide/measuring#stilling-wells",
            "position": 1,
            "section_id": "guide/measuring.md#1",
            "section_chunks": 1,
            "gap": "",
            "document_chunks": 3,
        }

    async def test_of_the_top_of_a_page_has_no_anchor_in_its_url(self, index, indexed):
        await index(SMALL_BOOK)
        urls = {payload["url"] for payload in (await indexed()).values() if not payload["anchor"]}
        assert urls == {"/intro", "/guide/measuring", "/guide/notes"}


class TestIds:
    async def test_are_uuids_and_the_same_in_every_run(self, index, indexed):
        await index(SMALL_BOOK)
        first = list(await indexed())
        await index(SMALL_BOOK, rebuild=True)
        assert list(await indexed()) == first
        assert {uuid.UUID(id_).version for id_ in first} == {5}


class TestReport:
    async def test_counts_documents_and_chunks_and_names_the_index(self, index, root):
        report = await index()
        assert (report.documents, report.chunks, report.failed) == (3, 3, [])
        assert (report.unchanged, report.changed, report.removed) == (0, 3, 0)
        assert (report.kept, report.updated, report.embedded, report.deleted) == (0, 0, 3, 0)
        assert report.index_version == current_generation(root)

    async def test_counts_what_was_kept_moved_embedded_and_deleted(self, index, book):
        await index()
        (book / "a.md").write_text("\n# Chapter a\n\nThe tide of chapter a rises.\n\n## More\n\nIt falls.\n")
        (book / "b.md").unlink()
        report = await index()
        assert (report.documents, report.unchanged, report.changed, report.removed) == (2, 1, 1, 1)
        assert (report.chunks, report.kept, report.updated, report.embedded, report.deleted) == (3, 1, 1, 1, 1)

    async def test_progress_hears_of_every_document(self, index, progress, book):
        await index()
        assert (progress.documents, progress.chunks) == (3, {"a.md": 1, "b.md": 1, "c.md": 1})

    async def test_progress_hears_of_an_unchanged_document_too(self, index, progress):
        await index()
        progress.chunks.clear()
        await index()
        assert (progress.chunks, progress.embedded[3:]) == ({"a.md": 1, "b.md": 1, "c.md": 1}, [])

    async def test_progress_hears_of_a_long_document_while_it_is_embedded(self, index, progress, book):
        (book / "long.md").write_text(long_page(120))
        await index()
        heard = [(done, chunks) for source, done, chunks in progress.embedded if source == "long.md"]
        assert heard == [(FIRST_WINDOW - 3, 120), (3 * FIRST_WINDOW - 3, 120), (120, 120)]

    @pytest.mark.parametrize(("batch_size", "batches"), [(1, [1, 1, 1]), (2, [2, 1]), (64, [3])])
    async def test_points_are_written_in_batches_over_documents(self, index, root, embedder, batch_size, batches):
        writer = RecordingWriter(root, identity_of(embedder))
        await index(writer=writer, batch_size=batch_size)
        assert writer.batches == batches

    async def test_a_document_without_text_is_left_out_and_no_failure(self, index, book, progress):
        (book / "empty.md").touch()
        report = await index()
        assert (report.documents, report.chunks, report.failed) == (3, 3, [])
        assert report.left_out == [Skipped("empty.md", "has no text.")]
        assert progress.chunks["empty.md"] == 0

    async def test_a_file_that_is_included_and_not_there_is_a_failure_each_time(self, index, book, progress):
        (book / "page.md").write_text("Text. {{#include gone.rs}}")
        for _ in range(2):
            report = await index()
            assert (report.documents, report.failed) == (
                4,
                [Skipped("gone.rs", "is included by page.md, and cannot be read.")],
            )
        assert progress.skipped[-1].source == "gone.rs"

    async def test_a_draft_is_left_out(self, index, book):
        (book / "draft.md").write_text("---\ndraft: true\n---\nText.")
        report = await index()
        assert (report.documents, report.failed) == (3, [])
        assert [(one.source, one.reason) for one in report.left_out] == [("draft.md", "is a draft.")]

    async def test_a_page_that_is_not_for_readers_is_left_out_and_no_failure(self, index, book, progress):
        (book / "old.html").write_text(
            '<!doctype html><html><head><meta http-equiv="refresh" content="0; url=new.html"></head></html>'
        )
        report = await index()
        assert (report.documents, report.failed) == (3, [])
        assert [skipped.source for skipped in report.left_out] == ["old.html"]
        assert progress.chunks["old.html"] == 0


class TestUnchanged:
    async def test_book_is_not_cut_embedded_or_written_and_keeps_its_version(self, index, root, embedder, monkeypatch):
        first = await index()
        before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
        embedder.passages = 0
        monkeypatch.setattr(CutterInProcess, "cut", None)
        writer = RecordingWriter(root, identity_of(embedder))
        second = await index(writer=writer)
        assert (embedder.passages, writer.done) == (0, [])
        assert second.index_version == first.index_version
        assert second.changes_nothing
        assert (second.unchanged, second.kept) == (3, 3)
        after = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
        assert {path for path in after if after[path] != before.get(path)} <= {root / "writer.lock"}

    async def test_documents_beside_a_changed_one_are_not_embedded(self, index, embedder, book):
        await index()
        embedder.passages = 0
        (book / "b.md").write_text("# Chapter b\n\nThe tide falls.\n")
        assert (await index()).embedded == embedder.passages == 1

    async def test_text_that_only_moves_is_not_embedded(self, index, indexed, embedder, book):
        await index()
        embedder.passages = 0
        content = (book / "b.md").read_text()
        (book / "b.md").write_text("\n\n" + content)
        report = await index()
        assert (report.updated, embedder.passages) == (1, 0)
        [moved] = [payload for payload in (await indexed()).values() if payload["source"] == "b.md"]
        assert ("\n\n" + content)[moved["start"] : moved["end"]] == moved["text"]

    async def test_new_points_are_written_before_old_ones_go(self, index, root, embedder, book):
        await index()
        (book / "a.md").write_text("# Chapter a\n\nOther words.\n")
        (book / "b.md").unlink()
        writer = RecordingWriter(root, identity_of(embedder))
        await index(writer=writer)
        assert writer.done == ["upsert", "delete", "delete"]


class TestMassDeletion:
    async def test_of_more_than_half_is_refused_before_anything_is_written(self, index, indexed, book, root, embedder):
        await index()
        before = await indexed()
        (book / "a.md").unlink()
        (book / "b.md").unlink()
        (book / "new.md").write_text("# New\n\nWords.\n")
        writer = RecordingWriter(root, identity_of(embedder))
        with pytest.raises(DeletionRefusedError) as refused:
            await index(writer=writer)
        assert "2 of the 3 chunks of the index would be deleted: 1 of a.md, 1 of b.md" in refused.value.detail
        assert "`--yes`" in refused.value.detail
        assert (await indexed(), writer.done) == (before, [])

    async def test_goes_with_yes(self, index, indexed, book):
        await index()
        (book / "a.md").unlink()
        (book / "b.md").unlink()
        assert (await index(yes=True)).removed == 2
        assert len(await indexed()) == 1

    async def test_of_half_is_no_mass_deletion(self, index, book):
        (book / "d.md").write_text("# Chapter d\n\nText.\n")
        await index()
        (book / "a.md").unlink()
        (book / "b.md").unlink()
        assert (await index()).removed == 2

    async def test_by_shortening_and_by_spoiling_counts_too(self, index, book):
        (book / "a.md").write_text(long_page(20))
        await index()
        (book / "a.md").write_text(long_page(5))
        with pytest.raises(DeletionRefusedError, match=r"15 of the 22 chunks .* 15 of a\.md"):
            await index()
        (book / "a.md").write_bytes(NOT_UTF_8)
        with pytest.raises(DeletionRefusedError, match=r"20 of the 22 chunks .* 20 of a\.md"):
            await index()

    async def test_of_one_document_may_be_allowed(self, index, book):
        (book / "a.md").write_text(long_page(20))
        await index()
        (book / "a.md").unlink()
        assert (await index(may_lose=1)).removed == 1

    async def test_is_not_a_rewritten_or_renamed_book(self, index, book):
        await index()
        for name in ("a", "b", "c"):
            (book / f"{name}.md").write_text(f"# New words in {name}\n\nAll is said in another way.\n")
        assert (await index()).deleted == 3
        (book / "part").mkdir()
        for name in ("a", "b", "c"):
            (book / f"{name}.md").rename(book / "part" / f"{name}.md")
        assert (await index()).removed == 3

    async def test_of_copies_is_one_though_the_same_text_remains(self, index, book):
        for name in ("a", "b", "c"):
            (book / f"{name}.md").write_text("# The same\n\nThe same.\n")
        await index()
        (book / "a.md").unlink()
        (book / "b.md").unlink()
        with pytest.raises(DeletionRefusedError):
            await index()

    async def test_by_a_rebuild_leaves_the_old_index_and_goes_on_with_yes(self, index, indexed, book, embedder):
        await index()
        before = await indexed()
        (book / "a.md").unlink()
        (book / "b.md").unlink()
        with pytest.raises(DeletionRefusedError, match=r"the new index has 1 chunks, and .* replace has 3"):
            await index(rebuild=True)
        assert await indexed() == before
        embedder.passages = 0
        await index(rebuild=True, yes=True)
        assert (len(await indexed()), embedder.passages) == (1, 0)


class TestSkipping:
    async def test_a_file_that_is_not_utf_8_is_named_and_the_others_are_indexed(self, index, indexed, book, progress):
        (book / "b.md").write_bytes(NOT_UTF_8)
        report = await index()
        assert [skipped.source for skipped in report.failed] == ["b.md"]
        assert "is not UTF-8: see byte 9" in report.failed[0].reason
        assert progress.skipped == report.failed
        assert [payload["source"] for payload in (await indexed()).values()] == ["a.md", "c.md"]

    async def test_a_file_whose_name_is_not_utf_8_is_named_with_escapes(self, index, indexed, book):
        Path(os.fsdecode(os.fsencode(book) + b"/\xff.md")).write_text("# A page\n\nWith text.\n")
        report = await index()
        assert [(skipped.source, skipped.reason) for skipped in report.failed] == [
            ("\\udcff.md", "its name is not UTF-8.")
        ]
        assert msgspec.json.encode(report)
        assert [payload["source"] for payload in (await indexed()).values()] == ["a.md", "b.md", "c.md"]

    async def test_a_file_that_cannot_be_read_is_named_too(self, index, monkeypatch):
        open_ = os.open

        def refused(path, *args):
            if Path(path).name == "b.md":
                raise PermissionError(13, "Permission denied")
            return open_(path, *args)

        monkeypatch.setattr("app.book.files.os.open", refused)
        report = await index()
        assert [(skipped.source, skipped.reason) for skipped in report.failed] == [
            ("b.md", "b.md cannot be read: Permission denied.")
        ]
        assert report.documents == 2

    async def test_a_document_that_cannot_be_embedded_is_skipped_alone(self, index, indexed, fail_to_embed):
        fail_to_embed("chapter b")
        report = await index()
        assert report.failed == [Skipped("b.md", "the embedding model failed")]
        assert [payload["source"] for payload in (await indexed()).values()] == ["a.md", "c.md"]

    async def test_a_document_that_cannot_be_embedded_to_its_end_leaves_none_of_its_chunks(
        self, index, indexed, fail_to_embed, book
    ):
        (book / "b.md").write_text(long_page(FIRST_WINDOW + 20))
        fail_to_embed(f"rises {FIRST_WINDOW + 10} times")
        report = await index()
        assert report.failed == [Skipped("b.md", "the embedding model failed")]
        assert [payload["source"] for payload in (await indexed()).values()] == ["a.md", "c.md"]

    async def test_a_file_that_is_spoilt_loses_its_chunks_and_gets_them_back(self, index, indexed, book):
        await index()
        before, content = await indexed(), (book / "b.md").read_bytes()
        (book / "b.md").write_bytes(NOT_UTF_8)
        await index()
        assert len(await indexed()) == 2
        (book / "b.md").write_bytes(content)
        await index()
        assert await indexed() == before


class TestOneFile:
    async def test_is_a_book_too(self, index, indexed, book):
        report = await index(book / "a.md")
        assert (report.documents, report.failed) == (1, [])
        assert [payload["source"] for payload in (await indexed()).values()] == ["a.md"]


class ForgetfulWriter:
    """Keeps nothing, as a server far away."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None: ...

    async def stored(self) -> dict[str, Any]:
        return {}

    async def replaces(self) -> int:
        return 0

    async def upsert(self, points: list[Point]) -> None: ...
    async def set_payloads(self, payloads: dict[str, Any]) -> None: ...
    async def delete(self, ids: list[str]) -> None: ...
    async def publish(self) -> IndexState:
        return IndexState(identity_of(HashEmbedder()), "1", 0)


async def test_memory_does_not_grow_with_the_book(tmp_path, embedder, terms):
    async def peak(documents: int) -> int:
        book = tmp_path / f"book of {documents}"
        book.mkdir()
        for number in range(documents):
            (book / f"{number}.md").write_text(f"# Chapter {number}\n\n{long_page(40)}")
        tracemalloc.start()
        report = await Indexer(IndexOptions(source=book), embedder, terms, SilentProgress()).run(ForgetfulWriter())
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert report.chunks == 40 * documents
        return most

    await peak(2)
    small, large = await peak(15), await peak(150)
    assert large < small + 2_000_000


class TestDryRun:
    async def test_counts_without_embedding_or_writing(self, book, embedder, terms, progress, root, monkeypatch):
        monkeypatch.setattr(HashEmbedder, "embed", None)
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
        with pytest.raises(ConfigurationError, match=r"no file like \*\*/\*\.md or \*\*/\*\.mdx or .* in .*/empty"):
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
        assert progress.skipped == []
