import shutil
from pathlib import Path

import pytest

from app.book.edge_store import EdgeStore, EdgeWriter
from app.book.indexing import Indexer, IndexOptions
from app.book.retrieval import Passage, Retriever, Scores, fuse
from app.book.vector_store import Filters, Hit, Legs
from app.errors import CollectionMissingError, EmbeddingError
from app.resources import identity_of
from tests.book.points import IDENTITY, write
from tests.conftest import SMALL_BOOK, SilentProgress


def hits(scores: str) -> list[Hit]:
    """Of "a.9 b.5": `a` with score 0.9, then `b` with 0.5."""
    return [Hit(each[0], float(each[1:]), {}) for each in scores.split()]


def fused(dense: str, terms: str) -> list[tuple[str, float]]:
    return [(hit.id, scores.fused) for hit, scores in fuse(Legs(hits(dense), hits(terms)))]


class TestFusion:
    """1 / (2 + rank) of each leg, ranks from 0."""

    @pytest.mark.parametrize(
        ("dense", "terms", "expected"),
        [
            ("a.9 b.8 c.7", "", [("a", 1 / 2), ("b", 1 / 3), ("c", 1 / 4)]),
            ("", "a7.0 b5.0", [("a", 1 / 2), ("b", 1 / 3)]),
            ("a.9 b.8", "b7.0", [("b", 1 / 3 + 1 / 2), ("a", 1 / 2)]),
            ("a.9 b.8", "c7.0 b6.0", [("b", 2 / 3), ("a", 1 / 2), ("c", 1 / 2)]),
            ("", "", []),
        ],
        ids=["dense alone", "terms alone", "found by both is before found by one", "ties by id", "nothing"],
    )
    def test_ranks_by_reciprocal_ranks(self, dense, terms, expected):
        ids, scores = zip(*expected, strict=True) if expected else ((), ())
        assert [id_ for id_, _ in fused(dense, terms)] == list(ids)
        assert [score for _, score in fused(dense, terms)] == pytest.approx(list(scores))

    @pytest.mark.parametrize(("dense", "terms"), [("b.9", "a.9"), ("a.9", "b.9")])
    def test_breaks_a_tie_alike_whichever_leg_found_it(self, dense, terms):
        assert [id_ for id_, _ in fused(dense, terms)] == ["a", "b"]

    def test_keeps_each_leg_s_score_and_none_where_it_found_nothing(self):
        scores = {hit.id: scores for hit, scores in fuse(Legs(hits("a.9 b.8"), hits("b7.5 c6.5")))}
        assert scores == {
            "a": Scores(0.9, None, 1 / 2),
            "b": Scores(0.8, 7.5, 1 / 2 + 1 / 3),
            "c": Scores(None, 6.5, 1 / 3),
        }


class TestSearch:
    @pytest.mark.parametrize(
        ("question", "section", "url"),
        [
            ("When do spring tides come?", "Spring tides", "https://tides.example/intro#spring-tides"),
            ("Where are Sun and Moon at right angles?", "Neap tides", "https://tides.example/intro#neap-tides"),
            ("How large is the range in the Bay of Fundy?", "Neap tides", "https://tides.example/intro#neap-tides"),
            ("What causes the tide?", "A Small Book of Tides", "https://tides.example/intro"),
            (
                "What keeps waves out of the pipe?",
                "Stilling wells",
                "https://tides.example/guide/measuring#stilling-wells",
            ),
            (
                "What does TideGauge.calibrate do?",
                "Reading a gauge in code",
                "https://tides.example/guide/measuring#reading-a-gauge-in-code",
            ),
            ("Is tide a German word?", "Notes", "https://tides.example/guide/notes"),
        ],
        ids=lambda value: value if value.endswith("?") else "",
    )
    async def test_finds_the_section_and_its_place_in_the_published_book(self, retriever, question, section, url):
        [best] = await retriever.search(question, limit=1)
        assert (best.heading_path[-1], best.url) == (section, url)

    async def test_gives_as_many_as_asked_for_best_first(self, retriever):
        everything = await retriever.search("When do spring tides come?", limit=50)
        assert await retriever.search("When do spring tides come?", limit=3) == everything[:3]
        assert [passage.scores.fused for passage in everything] == sorted(
            (passage.scores.fused for passage in everything), reverse=True
        )

    async def test_of_stop_words_only_ranks_by_meaning(self, retriever):
        passages = await retriever.search("what is the", limit=3)
        assert [passage.scores.bm25 for passage in passages] == [None] * 3
        assert all(passage.scores.cosine is not None for passage in passages)

    async def test_stays_in_the_source_that_is_asked_for(self, retriever):
        passages = await retriever.search("spring tides", limit=50, filters=Filters(source="guide/measuring.md"))
        assert {passage.source for passage in passages} == {"guide/measuring.md"}

    async def test_of_a_source_that_is_not_there_finds_nothing(self, retriever):
        assert await retriever.search("spring tides", limit=5, filters=Filters(source="no.md")) == []

    async def test_with_a_model_that_fails_is_an_error(self, retriever, embedder, monkeypatch):
        monkeypatch.setattr(embedder._model, "query_embed", lambda _: iter([]))
        with pytest.raises(EmbeddingError):
            await retriever.search("spring tides", limit=5)


class TestEmptyIndex:
    async def test_that_was_never_made_is_an_error(self, embedder, terms, tmp_path):
        retriever = Retriever(embedder, terms, EdgeStore(tmp_path))
        with pytest.raises(CollectionMissingError):
            await retriever.search("spring tides", limit=5)

    async def test_without_a_chunk_is_an_error(self, embedder, terms, tmp_path):
        await write(EdgeWriter(tmp_path, identity_of(embedder)), [])
        store = EdgeStore(tmp_path)
        with pytest.raises(CollectionMissingError):
            await Retriever(embedder, terms, store).search("spring tides", limit=5)
        await store.close()


class TestIndexVersion:
    async def test_is_that_of_the_store(self, retriever, small_store):
        assert await retriever.index_version() == (await small_store.state()).version

    async def test_of_the_embedded_index_is_never_old(self, retriever, small_index):
        first = await retriever.index_version()
        await write(EdgeWriter(small_index, IDENTITY), [])
        assert await retriever.index_version() != first

    async def test_of_a_server_is_asked_for_again_only_after_a_while(
        self, retriever, small_store, small_index, monkeypatch
    ):
        monkeypatch.setattr(small_store, "state_ttl_s", 30.0)
        now = 1000.0
        monkeypatch.setattr("app.book.retrieval.time.monotonic", lambda: now)
        first = await retriever.index_version()
        await write(EdgeWriter(small_index, IDENTITY), [])
        assert await retriever.index_version() == first
        now += 31
        assert await retriever.index_version() != first


class TestOffsets:
    @pytest.fixture
    def book(self, tmp_path) -> Path:
        """The small book, with a page that has other line ends, a byte order mark and wide characters."""
        book = tmp_path / "book"
        shutil.copytree(SMALL_BOOK, book)
        page = "\ufeff# Größen 🌊\n\nDie Flut kommt.\n\n## Ebbe\n\nSie geht.\n\n- erst 🌊\n- dann\n".replace(
            "\n", "\r\n"
        )
        (book / "windows.md").write_bytes(page.encode())
        return book

    async def test_cut_the_passage_out_of_the_source_file(self, book, embedder, terms, tmp_path):
        root = tmp_path / "index"
        report = await Indexer(IndexOptions(source=book), embedder, terms, SilentProgress()).run(
            EdgeWriter(root, identity_of(embedder))
        )
        store = EdgeStore(root)
        passages = await Retriever(embedder, terms, store).search("tide", limit=50)
        await store.close()
        assert len(passages) == report.chunks
        assert {passage.source for passage in passages} >= {"windows.md", "intro.md", "guide/measuring.md"}
        assert [cut_out(book, passage) for passage in passages] == [passage.text for passage in passages]


def cut_out(book: Path, passage: Passage) -> str:
    return (book / passage.source).read_bytes().decode()[passage.start : passage.end]
