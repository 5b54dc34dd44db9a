"""What both engines do alike: Qdrant's engine in this process, and a Qdrant server over HTTP."""

import asyncio
import os
import re
from collections.abc import AsyncIterator

import msgspec
import numpy as np
import pytest
import structlog

from app.book.bm25 import SparseVector
from app.book.identity import check_identity
from app.book.vector_store import Filters, Hit, IndexIdentity, VectorStore, stored_of
from app.errors import CollectionMissingError, ConfigurationError, IndexLockedError, IndexMismatchError
from app.resources import check_store
from tests.book.engines import ENGINES, Engine
from tests.book.points import EVERYWHERE, IDENTITY, point, write

FIRST_AXIS = [1.0, 0.0]
EVERY_POINT = SparseVector([EVERYWHERE], [1.0])
STOP_WORDS_ONLY = SparseVector([], [])
POINTS = [
    point(0, "intro.md", ["Tides"]),
    point(1, "intro.md", ["Tides", "Spring tides", "At new moon"]),
    point(2, "guide/gauges.md", ["Gauges", "Spring tides"]),
    point(3, "guide/gauges.md", ["Gauges"]),
]


@pytest.fixture(params=ENGINES)
async def engine(request, tmp_path) -> AsyncIterator[Engine]:
    """With nothing written yet."""
    async with ENGINES[request.param](tmp_path) as engine:
        yield engine


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


class TestBestMatches:
    TOKENS = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)

    async def test_are_the_cosines_of_each_query_token_with_the_nearest_token_of_a_point(self, store):
        found = await store.best_matches(self.TOKENS, [POINTS[0].id, POINTS[1].id, POINTS[2].id])
        expected = {0: [1, 0], 1: [2**-0.5, 2**-0.5], 2: [1, 2 / 5**0.5]}
        assert set(found) == {POINTS[number].id for number in expected}
        for number, cosines in expected.items():
            assert found[POINTS[number].id] == pytest.approx(np.array(cosines), abs=1e-3)

    async def test_leave_out_a_point_that_is_gone(self, store):
        gone = point(99).id
        assert set(await store.best_matches(self.TOKENS, [gone, POINTS[3].id])) == {POINTS[3].id}

    async def test_of_no_point_or_no_token_are_none(self, store):
        assert await store.best_matches(self.TOKENS, []) == {}
        assert await store.best_matches(self.TOKENS[:0], [POINTS[0].id]) == {}

    async def test_of_many_points_are_all_there(self, engine):
        points = [point(number) for number in range(120)]
        await write(engine.writer(IDENTITY), points)
        found = await engine.store.best_matches(self.TOKENS, [each.id for each in points])
        assert len(found) == 120
        assert all(cosines[0] > 0 for cosines in found.values())


class TestSections:
    async def test_are_all_chunks_of_those_that_are_asked_for(self, engine):
        points = [point(number, section=number // 3) for number in range(9)]
        await write(engine.writer(IDENTITY), points)
        found = await engine.store.sections(["intro.md#0", "intro.md#2"])
        assert sorted(numbers(found)) == [0, 1, 2, 6, 7, 8]
        assert {hit.id: hit.payload for hit in found} == {
            each.id: each.payload for each in points if each.payload["section_id"] != "intro.md#1"
        }

    async def test_of_more_chunks_than_the_engine_gives_at_once_are_whole(self, engine):
        await write(engine.writer(IDENTITY), [point(number) for number in range(1100)])
        assert len(await engine.store.sections({"intro.md#0"})) == 1100

    async def test_that_are_unknown_or_none_have_no_chunks(self, store):
        assert await store.sections(["nowhere.md#0"]) == []
        assert await store.sections([]) == []


class TestIdentity:
    @pytest.mark.parametrize(
        ("changes", "difference", "mends"),
        [
            ({"embedding": "other@2"}, "embedding is model@1 in the index and other@2 here", "EMBEDDING_MODEL"),
            ({"dimension": 384}, "dimension is 2 in the index and 384 here", "EMBEDDING_MODEL"),
            ({"distance": "Dot"}, "distance is Cosine in the index and Dot here", "Run"),
            ({"token_vectors": "full"}, "token vectors is test-2@1 in the index and full here", "RERANK"),
            ({"token_dimension": 384}, "token dimension is 2 in the index and 384 here", "RERANK"),
        ],
        ids=lambda value: str(*value) if isinstance(value, dict) else "",
    )
    async def test_of_another_configuration_is_told_at_the_start_with_what_mends_it(
        self, store, changes, difference, mends
    ):
        with pytest.raises(IndexMismatchError) as mismatch:
            await check_store(store, msgspec.structs.replace(IDENTITY, **changes))
        assert difference in mismatch.value.detail
        assert mends in mismatch.value.detail
        assert "run `book-agent index --rebuild`" in mismatch.value.detail.replace("Run", "run")

    @pytest.mark.parametrize("field", [*IndexIdentity.__struct_fields__])
    async def test_of_another_configuration_is_not_written_to_in_any_field(self, engine, field):
        await write(engine.writer(IDENTITY), POINTS)
        before = await engine.contents(), await engine.store.state()
        ours = msgspec.structs.replace(IDENTITY, **{field: 7 if "dimension" in field else "other"})
        with pytest.raises(IndexMismatchError, match=f"{field.replace('_', ' ')} is .* in the index and .* here"):
            await write(engine.writer(ours), [point(9)])
        assert (await engine.contents(), await engine.store.state()) == before

    async def test_of_another_configuration_may_be_rebuilt(self, engine):
        await write(engine.writer(IDENTITY), POINTS)
        ours = msgspec.structs.replace(IDENTITY, embedding="other@2", chunker="2")
        rebuilt = await write(engine.writer(ours, rebuild=True), POINTS)
        assert (rebuilt.identity, await engine.store.state()) == (ours, rebuilt)

    async def test_that_fits_passes(self, store):
        with structlog.testing.capture_logs() as entries:
            await check_store(store, IDENTITY)
        assert entries == []

    async def test_without_a_rerank_reads_an_index_with_any_token_vectors(self, store):
        ours = msgspec.structs.replace(IDENTITY, token_vectors="off", token_dimension=0)
        await check_store(store, ours)

    async def test_of_another_chunker_is_read_and_logged(self, store):
        with structlog.testing.capture_logs() as entries:
            await check_store(store, msgspec.structs.replace(IDENTITY, chunker="version 2, 256 tokens"))
        [entry] = entries
        assert entry["event"] == "index.outdated"
        assert "version 1 of the chunker, this is version 2: run `book-agent index --rebuild`" in entry["problem"]

    async def test_of_the_same_chunker_with_other_sizes_is_no_matter_to_a_reader(self, store):
        with structlog.testing.capture_logs() as entries:
            await check_store(store, msgspec.structs.replace(IDENTITY, chunker="version 1, 128 tokens"))
        assert entries == []

    def test_names_every_difference_at_once(self):
        with pytest.raises(IndexMismatchError, match=r"embedding is .*; dimension is "):
            check_identity(IDENTITY, IndexIdentity("other@2", 384))

    def test_says_what_mends_it(self):
        with pytest.raises(
            IndexMismatchError, match=r"here\. Set EMBEDDING_MODEL back to what made the index, or run `"
        ):
            check_identity(IDENTITY, msgspec.structs.replace(IDENTITY, embedding="other@1"))
        with pytest.raises(IndexMismatchError, match=r"here\. Run `book-agent index --rebuild`"):
            check_identity(IDENTITY, msgspec.structs.replace(IDENTITY, embedding="model@2", token_vectors="off"))

    def test_of_an_older_index_that_does_not_say_is_read_but_not_written(self):
        older = IndexIdentity(None, 2)
        check_identity(older, IDENTITY)
        with pytest.raises(IndexMismatchError, match="chunker is not recorded in the index and version 1"):
            check_identity(older, IDENTITY, strictly=True)


class TestWritingAgain:
    async def test_with_nothing_to_write_keeps_the_version(self, engine):
        published = await write(engine.writer(IDENTITY), POINTS)
        assert await write(engine.writer(IDENTITY), []) == published

    async def test_knows_what_is_stored(self, engine):
        await write(engine.writer(IDENTITY), POINTS)
        async with engine.writer(IDENTITY) as writer:
            assert await writer.stored() == {one.id: stored_of(one.payload) for one in POINTS}

    async def test_changes_payloads_and_deletes_and_leaves_the_vectors(self, engine):
        await write(engine.writer(IDENTITY), POINTS)
        before = await engine.contents()
        async with engine.writer(IDENTITY) as writer:
            await writer.set_payloads({POINTS[0].id: POINTS[0].payload | {"number": 77}})
            await writer.delete([POINTS[1].id, point(99).id])
            published = await writer.publish()
        after = await engine.contents()
        assert published.chunks == 3
        assert set(after) == set(before) - {POINTS[1].id}
        assert after[POINTS[0].id] == (POINTS[0].payload | {"number": 77}, before[POINTS[0].id][1])
        assert after[POINTS[2].id] == before[POINTS[2].id]

    async def test_that_is_not_published_is_gone_on_with(self, engine):
        await write(engine.writer(IDENTITY), POINTS[:1])
        first = await engine.store.state()
        async with engine.writer(IDENTITY) as writer:
            await writer.upsert(POINTS[1:3])
        async with engine.writer(IDENTITY) as writer:
            assert len(await writer.stored()) == 3
            published = await writer.publish()
        assert published.chunks == 3
        assert published.version != first.version


class TestRebuild:
    async def test_serves_the_old_index_until_it_is_published(self, engine):
        await write(engine.writer(IDENTITY), POINTS[:2])
        async with engine.writer(IDENTITY, rebuild=True) as writer:
            assert (await writer.stored(), await writer.replaces()) == ({}, 2)
            await writer.upsert(POINTS[2:])
            assert set(await engine.contents()) == {one.id for one in POINTS[:2]}
            await writer.publish()
        assert set(await engine.contents()) == {one.id for one in POINTS[2:]}

    async def test_that_was_interrupted_is_gone_on_with_by_the_next_one(self, engine):
        await write(engine.writer(IDENTITY), POINTS[:1])
        async with engine.writer(IDENTITY, rebuild=True) as writer:
            await writer.upsert(POINTS[1:3])
        async with engine.writer(IDENTITY, rebuild=True) as writer:
            assert set(await writer.stored()) == {POINTS[1].id, POINTS[2].id}

    async def test_that_was_interrupted_is_dropped_by_one_with_another_identity(self, engine):
        await write(engine.writer(IDENTITY), POINTS[:1])
        async with engine.writer(IDENTITY, rebuild=True) as writer:
            await writer.upsert(POINTS[1:3])
        other = msgspec.structs.replace(IDENTITY, embedding="other@2")
        async with engine.writer(other, rebuild=True) as writer:
            assert await writer.stored() == {}
            await writer.upsert(POINTS[3:])
            await writer.publish()
        assert set(await engine.contents()) == {POINTS[3].id}

    async def test_that_was_interrupted_is_no_matter_to_a_run_that_updates(self, engine):
        published = await write(engine.writer(IDENTITY), POINTS[:1])
        async with engine.writer(IDENTITY, rebuild=True) as writer:
            await writer.upsert(POINTS[1:3])
        assert await write(engine.writer(IDENTITY), []) == published

    async def test_can_be_rolled_back_and_forth(self, engine):
        first = await write(engine.writer(IDENTITY), POINTS[:1])
        second = await write(engine.writer(IDENTITY, rebuild=True), POINTS[1:])
        assert await engine.store.state() == second
        assert await engine.roll_back() == first == await engine.store.state()
        assert set(await engine.contents()) == {POINTS[0].id}
        assert await engine.roll_back() == second == await engine.store.state()

    async def test_is_all_there_is_to_roll_back(self, engine):
        for _ in range(2):
            with pytest.raises(ConfigurationError, match="no previous index"):
                await engine.roll_back()
            await write(engine.writer(IDENTITY), POINTS[:1])

    async def test_keeps_one_index_to_roll_back_to_and_drops_those_before(self, engine):
        for count in (1, 2, 3, 4):
            published = await write(engine.writer(IDENTITY, rebuild=True), POINTS[:count])
        assert (await engine.roll_back()).chunks == 3
        assert await engine.roll_back() == published
        assert len(await engine.kept()) == 2


async def test_a_second_writer_is_told_who_is_at_work_and_gets_its_turn_afterwards(engine):
    async with engine.writer(IDENTITY) as first:
        with pytest.raises(IndexLockedError, match=rf"process {os.getpid()}\b"):
            await write(engine.writer(IDENTITY), POINTS)
        await first.upsert(POINTS)
        await first.publish()
    assert (await write(engine.writer(IDENTITY), [point(9)])).chunks == 5


async def test_a_second_writer_may_wait_for_the_first(engine):
    begun = asyncio.Event()

    async def first() -> None:
        async with engine.writer(IDENTITY) as writer:
            begun.set()
            await writer.upsert(POINTS[:1])
            await asyncio.sleep(0.3)
            await writer.publish()

    async def second() -> int:
        await begun.wait()
        return (await write(engine.writer(IDENTITY, wait_s=20), POINTS[1:])).chunks

    assert (await asyncio.gather(first(), second()))[1] == 4


async def test_no_query_fails_while_indexes_are_rebuilt_and_each_answer_comes_from_one(engine):
    """Every index has points of one source only."""
    await write(engine.writer(IDENTITY), [point(number, "0.md") for number in range(5)])
    seen, done = [], asyncio.Event()

    async def ask() -> None:
        while not done.is_set():
            legs = await engine.store.search(FIRST_AXIS, EVERY_POINT, limit=10)
            seen.extend({hit.payload["source"] for hit in leg} for leg in legs)
            assert len(legs.dense) == len(legs.terms) == 5
            await engine.store.best_matches(np.array([FIRST_AXIS], np.float32), [hit.id for hit in legs.dense])
            await asyncio.sleep(0)

    asking = [asyncio.create_task(ask()) for _ in range(3)]
    for round_ in range(1, 5):
        await write(engine.writer(IDENTITY, rebuild=True), [point(number, f"{round_}.md") for number in range(5)])
        await engine.roll_back()
        await engine.roll_back()
        await asyncio.sleep(0.02)
    done.set()
    await asyncio.gather(*asking)
    assert all(len(sources) == 1 for sources in seen)
    assert set().union(*seen) >= {"0.md", "4.md"}


async def test_version_names_the_engine(engine):
    assert re.fullmatch(r"(qdrant-edge|Qdrant) \d+\.\d+\.\d+", await engine.store.version())
