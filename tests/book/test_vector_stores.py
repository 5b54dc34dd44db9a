"""What both engines do alike: Qdrant's engine in this process, and a Qdrant server over HTTP."""

import re
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import NamedTuple

import pytest

from app.book.bm25 import SparseVector
from app.book.edge_store import EdgeStore, EdgeWriter
from app.book.qdrant_store import QdrantStore, QdrantWriter, open_client
from app.book.vector_store import Filters, Hit, IndexIdentity, IndexWriter, VectorStore, check_identity
from app.errors import CollectionMissingError, IndexMismatchError
from app.resources import check_store
from app.settings import Settings
from tests.book.points import EVERYWHERE, IDENTITY, point, write
from tests.fakes.loopback import serve
from tests.fakes.qdrant import FakeQdrant

FIRST_AXIS = [1.0, 0.0]
EVERY_POINT = SparseVector([EVERYWHERE], [1.0])
STOP_WORDS_ONLY = SparseVector([], [])
POINTS = [
    point(0, "intro.md", ["Tides"]),
    point(1, "intro.md", ["Tides", "Spring tides", "At new moon"]),
    point(2, "guide/gauges.md", ["Gauges", "Spring tides"]),
    point(3, "guide/gauges.md", ["Gauges"]),
]


class Engine(NamedTuple):
    store: VectorStore
    writer: Callable[[IndexIdentity], IndexWriter]


@pytest.fixture(params=["embedded", "server"])
async def engine(request, tmp_path) -> AsyncIterator[Engine]:
    """With nothing written yet."""
    if request.param == "embedded":
        store = EdgeStore(tmp_path)
        yield Engine(store, partial(EdgeWriter, tmp_path))
        await store.close()
        return
    async with serve(FakeQdrant().app) as url:
        settings = Settings(qdrant_cluster_endpoint=url)
        client = open_client(settings)
        yield Engine(QdrantStore(client, settings), partial(QdrantWriter, client, settings))
        await client.close()


@pytest.fixture
async def store(engine) -> VectorStore:
    await write(engine.writer(IDENTITY), POINTS)
    return engine.store


def numbers(hits: list[Hit]) -> list[int]:
    return [hit.payload["number"] for hit in hits]


class TestWriting:
    async def test_publishes_what_the_index_is(self, engine):
        published = await write(engine.writer(IDENTITY), POINTS)
        assert (published.identity, published.chunks) == (IDENTITY, 4)
        assert await engine.store.state() == published

    async def test_again_gives_the_index_another_version(self, engine):
        first = await write(engine.writer(IDENTITY), POINTS)
        second = await write(engine.writer(IDENTITY), POINTS)
        assert first.version != second.version
        assert (await engine.store.state()).version == second.version

    async def test_a_point_twice_keeps_one(self, engine):
        published = await write(engine.writer(IDENTITY), [*POINTS, *POINTS])
        again = await write(engine.writer(IDENTITY), POINTS)
        assert published.chunks == again.chunks == 4

    async def test_a_point_again_replaces_its_payload(self, engine):
        await write(engine.writer(IDENTITY), [point(0, "old.md"), point(0, "new.md")])
        [hit] = (await engine.store.search(FIRST_AXIS, STOP_WORDS_ONLY, limit=5)).dense
        assert hit.payload["source"] == "new.md"

    async def test_more_points_than_the_engine_takes_at_once_keeps_all(self, engine):
        assert (await write(engine.writer(IDENTITY), [point(number) for number in range(250)])).chunks == 250


class TestSearching:
    async def test_gives_id_and_payload(self, store):
        [hit] = (await store.search(FIRST_AXIS, STOP_WORDS_ONLY, limit=1)).dense
        assert (hit.id, hit.payload) == (POINTS[0].id, POINTS[0].payload)

    async def test_ranks_the_dense_leg_by_cosine_and_keeps_it(self, store):
        dense = (await store.search(FIRST_AXIS, EVERY_POINT, limit=3)).dense
        assert numbers(dense) == [0, 1, 2]
        assert [hit.score for hit in dense] == pytest.approx([1, 2**-0.5, 5**-0.5], abs=1e-5)

    async def test_ranks_the_sparse_leg_by_the_terms_that_few_points_have(self, store):
        found = (await store.search(FIRST_AXIS, SparseVector([EVERYWHERE, 103], [1.0, 1.0]), limit=4)).terms
        assert numbers(found)[0] == 3
        assert found[0].score > 3 * found[1].score, "with equal weights it would be twice as much"

    async def test_leaves_a_point_without_a_term_of_the_query_out_of_the_sparse_leg(self, store):
        assert numbers((await store.search(FIRST_AXIS, SparseVector([102], [1.0]), limit=4)).terms) == [2]

    async def test_for_stop_words_only_leaves_the_sparse_leg_empty(self, store):
        legs = await store.search(FIRST_AXIS, STOP_WORDS_ONLY, limit=4)
        assert (len(legs.dense), legs.terms) == (4, [])

    @pytest.mark.parametrize(
        ("filters", "expected"),
        [
            (Filters(source="intro.md"), [0, 1]),
            (Filters(source="intro"), []),
            (Filters(section="Gauges"), [2, 3]),
            (Filters(section="Spring tides"), [1, 2]),
            (Filters(section="At new moon"), [1]),
            (Filters(section="Spring"), []),
            (Filters(source="guide/gauges.md", section="Spring tides"), [2]),
            (Filters(source="", section=""), [0, 1, 2, 3]),
        ],
        ids=str,
    )
    async def test_narrows_both_legs_to_a_source_and_any_heading_above(self, store, filters, expected):
        legs = await store.search(FIRST_AXIS, EVERY_POINT, limit=4, filters=filters)
        assert numbers(legs.dense) == expected
        assert sorted(numbers(legs.terms)) == expected

    async def test_without_an_index_is_an_error_and_not_an_empty_answer(self, engine):
        with pytest.raises(CollectionMissingError):
            await engine.store.search(FIRST_AXIS, EVERY_POINT, limit=1)
        with pytest.raises(CollectionMissingError):
            await engine.store.state()


class TestIdentity:
    @pytest.mark.parametrize(
        ("ours", "difference"),
        [
            (IndexIdentity("other@2", 2), "embedding is model@1 in the index and other@2 here"),
            (IndexIdentity("model@1", 384), "dimension is 2 in the index and 384 here"),
            (IndexIdentity("model@1", 2, "Dot"), "distance is Cosine in the index and Dot here"),
        ],
        ids=["model", "dimension", "distance"],
    )
    async def test_of_another_configuration_is_told_with_what_mends_it(self, store, ours, difference):
        with pytest.raises(IndexMismatchError) as mismatch:
            await check_store(store, ours)
        assert difference in mismatch.value.detail
        assert "EMBEDDING_MODEL" in mismatch.value.detail
        assert "`book-agent index`" in mismatch.value.detail

    async def test_that_fits_passes(self, store):
        await check_store(store, IDENTITY)

    def test_names_every_difference_at_once(self):
        with pytest.raises(IndexMismatchError, match=r"embedding is .*; dimension is "):
            check_identity(IDENTITY, IndexIdentity("other@2", 384))

    def test_of_an_older_index_that_does_not_name_its_model_passes(self):
        check_identity(IndexIdentity(None, 2), IDENTITY)


async def test_version_names_the_engine(engine):
    assert re.fullmatch(r"(qdrant-edge|Qdrant) \d+\.\d+\.\d+", await engine.store.version())
