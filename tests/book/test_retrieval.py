"""From a question to passages, on real indexes of small books."""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from app.book.edge_store import EdgeStore
from app.book.edge_writer import EdgeWriter
from app.book.embedding import load_embedder
from app.book.indexing import Indexer, IndexOptions
from app.book.retrieval import MOST_TOKENS, Passage, Retriever
from app.book.vector_store import Filters
from app.book.weights import PACKAGED_MODEL
from app.errors import CollectionMissingError, EmbeddingError
from app.resources import identity_of
from tests.book.points import write
from tests.conftest import SMALL_BOOK, SilentProgress

BASE_URL = "https://tides.example"
SPRING = "How often do spring tides come in a month?"
BOAT = "Every boat needs an anchor, a rope and a good pump. "
HARBOUR = "The harbour master opens the lock at high water and shuts it an hour later. "
LIGHT = "A lighthouse warns of rocks with a flashing lamp on its tower. "


class Book:
    """A book of a test's own and its index."""

    def __init__(self, folder: Path, embedder: Any, terms: Any) -> None:
        self.folder = folder / "book"
        self.root = folder / "index"
        self.store = EdgeStore(self.root)
        self._embedder = embedder
        self._terms = terms
        self.folder.mkdir()

    async def index(self, *, chunk_size: int = 256, **pages: str) -> None:
        for name, text in pages.items():
            (self.folder / f"{name}.md").write_text(text)
        options = IndexOptions(source=self.folder, chunk_size=chunk_size, chunk_overlap=chunk_size // 4, yes=True)
        await Indexer(options, self._embedder, self._terms, SilentProgress()).run(
            EdgeWriter(self.root, identity_of(self._embedder))
        )

    def retriever(self, store: Any = None, base_url: str = BASE_URL) -> Retriever:
        return Retriever(self._embedder, self._terms, store or self.store, base_url)


@pytest.fixture
async def book(tmp_path, embedder, terms) -> AsyncIterator[Book]:
    book = Book(tmp_path, embedder, terms)
    yield book
    await book.store.close()


class Interrupted:
    """A store in which something happens before one of its methods is called for the first time."""

    def __init__(self, store: EdgeStore, method: str, happen: Callable[[], Awaitable[None]]) -> None:
        self._store = store
        self._waiting = {method: happen}

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)
        if name not in self._waiting:
            return method

        async def called(*args: Any, **options: Any) -> Any:
            await self._waiting.pop(name)()
            return await method(*args, **options)

        return called


def places(passages: list[Passage]) -> list[str]:
    return [passage.url for passage in passages]


class TestSearch:
    @pytest.mark.parametrize(
        ("question", "section", "url"),
        [
            (SPRING, "Spring tides", "/intro#spring-tides"),
            ("Where are Sun and Moon at right angles?", "Neap tides", "/intro#neap-tides"),
            ("How large is the range in the Bay of Fundy?", "Neap tides", "/intro#neap-tides"),
            ("What causes the tide?", "A Small Book of Tides", "/intro"),
            ("What keeps waves out of the pipe?", "Stilling wells", "/guide/measuring#stilling-wells"),
            ("What does calibrate() do?", "Reading a gauge in code", "/guide/measuring#reading-a-gauge-in-code"),
            ("Is tide a German word?", "Notes", "/guide/notes"),
        ],
        ids=lambda value: value if value.endswith("?") else "",
    )
    async def test_finds_the_section_and_its_place_in_the_published_book(self, retriever, question, section, url):
        found = await retriever.search(question, limit=1)
        assert [(one.heading_path[-1], one.url) for one in found.passages] == [(section, BASE_URL + url)]

    async def test_gives_as_many_as_asked_for_the_same_ones_first(self, retriever):
        everything = (await retriever.search(SPRING, limit=50)).passages
        assert (await retriever.search(SPRING, limit=3)).passages == everything[:3]
        assert (await retriever.search(SPRING, limit=0)).passages == []
        assert len({passage.chunk_id for passage in everything}) == len(everything) > 3

    async def test_shows_how_well_each_passage_fits(self, retriever):
        best, *_, last = (await retriever.search(SPRING, limit=50)).passages
        assert 0.6 < best.scores.cosine <= best.scores.maxsim <= 1
        assert best.scores.bm25 > 0
        assert last.scores.maxsim < best.scores.maxsim

    async def test_tells_what_the_book_answers_from_what_it_does_not(self, retriever):
        questions = (SPRING, "What causes the tide?", "Who won the world cup?", "How do I bake bread?")
        told = [(await retriever.search(question, limit=1)).answerability.score for question in questions]
        assert min(told[:2]) > 0.8
        assert max(told[2:]) < 0.2

    async def test_knows_a_term_that_is_only_in_a_heading(self, retriever):
        found = await retriever.search("spring, twice, new, moon, larger, average, small, book", limit=1)
        assert (found.answerability.coverage, found.answerability.unknown) == (1.0, 0.0)

    async def test_finds_the_same_by_misspelt_words(self, retriever):
        right = await retriever.search("What is a stilling well?", limit=3)
        assert await retriever.search("What is a stiling well?", limit=3) == right

    async def test_with_a_model_that_fails_is_an_error(self, retriever, embedder, monkeypatch):
        def fail(*_: object) -> None:
            raise RuntimeError

        monkeypatch.setattr(embedder._model, "model", SimpleNamespace(run=fail))
        with pytest.raises(EmbeddingError):
            await retriever.search("spring tides that were never asked for", limit=5)


class TestOddQuestions:
    async def test_of_stop_words_only_rank_by_meaning(self, retriever):
        found = await retriever.search("what is the", limit=3)
        assert [passage.scores.bm25 for passage in found.passages] == [None] * 3
        assert all(passage.scores.cosine and passage.scores.maxsim for passage in found.passages)
        assert (found.answerability.coverage, found.answerability.unknown) == (0.0, 1.0)

    @pytest.mark.parametrize(
        "question",
        ["", " \n", "?!", "x" * 4000, "机器人🌊", "\x00", "##s [CLS] [SEP]", "the of " * 600, "潮汐 " * 1000],
        ids=ascii,
    )
    async def test_find_something_all_the_same(self, retriever, question):
        found = await retriever.search(question, limit=3, whole_sections=True)
        assert len(found.passages) == 3
        assert 0 <= found.answerability.score <= 1

    async def test_without_a_word_have_no_word_that_matches(self, retriever):
        found = await retriever.search("?!", limit=3)
        assert found.answerability.weakest_quarter == 0
        assert found.answerability.score < 0.05

    @pytest.mark.parametrize(
        ("question", "tokens"),
        [
            ("Is it a tide?", range(1, 5)),
            ("?!", range(1, 3)),
            ("the tide of the sea, " * 9, [n for n in range(1, 55) if n % 6]),
            ("the tide of the sea, " * 10, [n for n in range(1, 61) if n % 6 in (2, 5)]),
            ("tide " * 48, range(1, 49)),
            ("tide " * 49, [1 + n * 48 // 47 for n in range(48)]),
            ("tide " * 800, [1 + n * 253 // 47 for n in range(48)]),
        ],
        ids=[
            "words",
            "marks only",
            "no marks",
            "no stop words",
            "as many as may be",
            "one too many",
            "of 4000 characters",
        ],
    )
    async def test_are_reranked_by_their_words_or_some_of_them(
        self, retriever, small_store, embedder, monkeypatch, question, tokens
    ):
        seen, best_matches = [], small_store.best_matches

        async def watched(vectors, ids):
            seen.append(vectors)
            return await best_matches(vectors, ids)

        monkeypatch.setattr(small_store, "best_matches", watched)
        await retriever.search(question, limit=1)
        vectors = (await embedder.embed_query(question)).tokens
        assert np.array_equal(seen[0], vectors[list(tokens)])
        assert len(seen[0]) <= MOST_TOKENS


class TestFilters:
    @pytest.mark.parametrize(
        ("filters", "expected"),
        [
            (Filters(source="guide/notes.mdx"), {"/guide/notes"}),
            (Filters(section="Neap tides"), {"/intro#neap-tides"}),
            (Filters(section="NEAP  tides "), {"/intro#neap-tides"}),
            (Filters(section="a small book of tides"), {"/intro", "/intro#neap-tides", "/intro#spring-tides"}),
            (Filters(source="intro.md", section="spring tides"), {"/intro#spring-tides"}),
            (Filters(source="guide/notes.mdx", section="spring tides"), set()),
            (Filters(source="no.md"), set()),
            (Filters(section="Neap"), set()),
        ],
        ids=[
            "a source",
            "a heading",
            "in other letters",
            "a heading above",
            "both",
            "both, but not together",
            "no such source",
            "a part of a heading",
        ],
    )
    async def test_narrow_the_search(self, retriever, filters, expected):
        found = await retriever.search("spring tides", limit=50, filters=filters)
        assert set(places(found.passages)) == {BASE_URL + place for place in expected}

    async def test_that_leave_nothing_are_no_evidence(self, retriever):
        found = await retriever.search(SPRING, limit=5, filters=Filters(source="no.md"), whole_sections=True)
        assert found.passages == []
        assert found.answerability.score < 0.05


class TestPage:
    SAME = "The ferry leaves from the northern pier."

    @pytest.fixture
    async def two_pages(self, book) -> Book:
        """That answer alike, and say different things beside it; and others."""
        shutil.copytree(SMALL_BOOK, book.folder, dirs_exist_ok=True)
        await book.index(
            alpha=f"---\nslug: /alpha\n---\n# Ferries\n\n{self.SAME}\n\n{LIGHT}\n",
            omega=f"---\nslug: /größen/omega\n---\n# Ferries\n\n{self.SAME}\n\n{BOAT}\n",
        )
        return book

    @pytest.mark.parametrize(
        "pages",
        [
            ("/alpha", "/größen/omega"),
            ("alpha.md", "omega.md"),
            (f"{BASE_URL}/alpha", f"{BASE_URL}/größen/omega"),
            (f"{BASE_URL}/alpha/", f"{BASE_URL}/gr%C3%B6%C3%9Fen/omega/"),
            ("/alpha?theme=dark#ferries", "/gr%C3%B6%C3%9Fen/omega?theme=dark#ferries"),
        ],
        ids=["path", "source file", "address", "as browsers give it", "with a query and an anchor"],
    )
    async def test_is_preferred(self, two_pages, pages):
        for page, source in zip(pages, ("alpha.md", "omega.md"), strict=True):
            found = await two_pages.retriever().search(self.SAME, limit=2, filters=Filters(page=page))
            assert found.passages[0].source == source

    @pytest.mark.parametrize(
        "page", ["{base}/{page}", "/docs/v2/{page}", "/{page}"], ids=["address", "path", "path within the book"]
    )
    async def test_is_preferred_in_a_book_that_is_not_at_the_root_of_its_site(self, two_pages, page):
        base = "https://site.example/docs/v2/"
        retriever = two_pages.retriever(base_url=base)
        for name, source in (("alpha", "alpha.md"), ("größen/omega", "omega.md")):
            asked = Filters(page=page.format(base=base.rstrip("/"), page=name))
            found = await retriever.search(self.SAME, limit=2, filters=asked)
            assert (found.passages[0].source, found.passages[0].url) == (source, base + name)

    async def test_leaves_out_nothing(self, retriever):
        everywhere = await retriever.search(SPRING, limit=50)
        preferring = await retriever.search(SPRING, limit=50, filters=Filters(page="/guide/notes"))
        assert sorted(places(preferring.passages)) == sorted(places(everywhere.passages))

    async def test_does_not_keep_a_better_answer_from_the_first_place(self, retriever):
        found = await retriever.search(SPRING, limit=1, filters=Filters(page="/guide/notes"))
        assert places(found.passages) == [f"{BASE_URL}/intro#spring-tides"]

    @pytest.mark.parametrize("page", ["", "/nowhere", "http://[", "https://℀.example/intro", "x" * 4000], ids=ascii)
    async def test_that_is_none_of_the_book_changes_nothing(self, retriever, page):
        asked = await retriever.search(SPRING, limit=50, filters=Filters(page=page))
        assert asked == await retriever.search(SPRING, limit=50)


class TestWholeSections:
    TWO = f"{BOAT * 3}\n\n***\n\n{LIGHT * 3}"
    THREE = f"{BOAT * 3}\n\n{LIGHT * 3}\n\n{HARBOUR * 3}"

    async def test_of_two_chunks_are_given_whole_and_once(self, book):
        await book.index(chunk_size=64, sea=f"# Sea\n\n{self.TWO}\n\n## Harbour\n\n{HARBOUR}")
        apart = (await book.retriever().search("lighthouse", limit=9)).passages
        whole = (await book.retriever().search("lighthouse", limit=9, whole_sections=True)).passages
        assert sorted(places(apart)) == [f"{BASE_URL}/sea"] * 2 + [f"{BASE_URL}/sea#harbour"]
        assert places(whole) == [f"{BASE_URL}/sea", f"{BASE_URL}/sea#harbour"]
        assert (whole[0].text, whole[1].text) == (self.TWO.strip(), HARBOUR.strip())

    async def test_are_the_source_between_their_offsets_under_their_first_chunk_s_id(self, book):
        await book.index(chunk_size=64, sea=f"# Sea\n\nThe sea.\n\n## Boats\n\n{self.TWO}")
        apart = (await book.retriever().search("lighthouse", limit=9)).passages
        whole = (await book.retriever().search("lighthouse", limit=1, whole_sections=True)).passages[0]
        chunks = sorted((one for one in apart if one.url == whole.url), key=lambda one: one.start)
        assert cut_out(book.folder, whole) == whole.text
        assert (whole.chunk_id, whole.start, whole.end) == (chunks[0].chunk_id, chunks[0].start, chunks[-1].end)

    async def test_have_the_scores_of_the_chunk_that_was_found(self, book):
        await book.index(chunk_size=64, sea=f"# Sea\n\n{self.TWO}")
        best = (await book.retriever().search("lighthouse", limit=1)).passages[0]
        whole = (await book.retriever().search("lighthouse", limit=1, whole_sections=True)).passages[0]
        assert "lighthouse" in best.text
        assert whole.scores == best.scores

    async def test_that_overlap_repeat_nothing(self, book):
        text = " ".join(f"Boat {number} has an anchor and a pump." for number in range(9))
        await book.index(chunk_size=64, sea=f"# Sea\n\n{text}")
        apart = (await book.retriever().search("anchor", limit=9)).passages
        whole = (await book.retriever().search("anchor", limit=9, whole_sections=True)).passages
        assert sum(len(one.text) for one in apart) > len(text)
        assert [one.text for one in whole] == [text]

    async def test_never_show_what_is_hidden_in_them(self, book):
        await book.index(chunk_size=64, sea=f"# Sea\n\n{BOAT}\n\n<!-- a secret lighthouse -->\n\n{LIGHT}")
        found = (await book.retriever().search("secret lighthouse", limit=9, whole_sections=True)).passages
        assert sorted(one.text for one in found) == sorted([BOAT.strip(), LIGHT.strip()])

    async def test_of_more_chunks_stay_as_found(self, book):
        await book.index(chunk_size=64, sea=f"# Sea\n\n{self.THREE}")
        found = (await book.retriever().search("lighthouse", limit=9, whole_sections=True)).passages
        assert found == (await book.retriever().search("lighthouse", limit=9)).passages
        assert len(found) == 3

    async def test_are_as_many_as_asked_for(self, book):
        pages = {name: f"# {name}\n\n{name} {self.TWO.replace('boat', name)}" for name in ("ketch", "yawl", "sloop")}
        await book.index(chunk_size=64, **pages)
        found = (await book.retriever().search("lighthouse", limit=2, whole_sections=True)).passages
        assert len(set(places(found))) == 2

    async def test_stay_within_the_filters(self, book):
        await book.index(chunk_size=64, sea=f"# Sea\n\n{self.TWO}", port=f"# Port\n\n{HARBOUR}")
        asked = Filters(source="sea.md")
        found = (await book.retriever().search("lighthouse", limit=9, filters=asked, whole_sections=True)).passages
        assert [(one.source, one.text) for one in found] == [("sea.md", self.TWO.strip())]


class TestRepetition:
    async def test_what_two_pages_say_alike_is_shown_once(self, book):
        await book.index(
            old=f"# Boats\n\n{BOAT}{HARBOUR}", new=f"# Boats\n\n{BOAT}{HARBOUR}Always.", light=f"# Lights\n\n{LIGHT}"
        )
        found = (await book.retriever().search("anchor", limit=9)).passages
        assert len(found) == 2
        assert {one.source for one in found} in ({"old.md", "light.md"}, {"new.md", "light.md"})


class TestWithoutRerank:
    async def test_goes_by_the_fusion_of_both_legs(self, tmp_path, terms):
        with closing(load_embedder(PACKAGED_MODEL, 1, "off")) as embedder:
            book = Book(tmp_path, embedder, terms)
            shutil.copytree(SMALL_BOOK, book.folder, dirs_exist_ok=True)
            await book.index()
            found = await book.retriever().search(SPRING, limit=50)
            await book.store.close()
        assert found.passages[0].heading_path[-1] == "Spring tides"
        fused = [passage.scores.fused for passage in found.passages]
        assert fused == sorted(fused, reverse=True)
        assert {passage.scores.maxsim for passage in found.passages} == {None}
        assert found.answerability.weakest_quarter is None
        assert found.answerability.score > 0.8


class TestChangingIndex:
    """Between the requests of one search."""

    async def test_a_chunk_that_is_gone_before_the_rerank_comes_last(self, book):
        await book.index(boats=f"# Boats\n\n{BOAT}", lights=f"# Lights\n\n{LIGHT}", ports=f"# Ports\n\n{HARBOUR}")

        async def remove() -> None:
            (book.folder / "lights.md").unlink()
            await book.index()

        found = await book.retriever(Interrupted(book.store, "best_matches", remove)).search("lighthouse", limit=9)
        assert found.passages[-1].url == f"{BASE_URL}/lights"
        assert [one.scores.maxsim is None for one in found.passages] == [False, False, True]

    async def test_an_index_that_is_another_before_the_rerank_leaves_what_was_found(self, book):
        await book.index(boats=f"# Boats\n\n{BOAT}", lights=f"# Lights\n\n{LIGHT}")

        async def change() -> None:
            await book.index(boats=f"# Boats\n\nNot yet. {BOAT}", lights=f"# Lights\n\nNot yet. {LIGHT}")

        found = await book.retriever(Interrupted(book.store, "best_matches", change)).search("lighthouse", limit=9)
        assert places(found.passages) == [f"{BASE_URL}/lights", f"{BASE_URL}/boats"]
        assert {one.scores.maxsim for one in found.passages} == {None}
        assert found.answerability.weakest_quarter is None

    async def test_a_section_that_is_another_by_now_is_not_put_in_the_place_of_what_was_found(self, book):
        lights = f"## Lights\n\n{LIGHT * 3}\n\n{BOAT * 3}"
        await book.index(chunk_size=64, sea=f"# Sea\n\n{lights}")

        async def put_before() -> None:
            await book.index(chunk_size=64, sea=f"# Sea\n\n## Harbour\n\n{HARBOUR * 3}\n\n{BOAT * 3}\n\n{lights}")

        retriever = book.retriever(Interrupted(book.store, "sections", put_before))
        passage = (await retriever.search("lighthouse", limit=1, whole_sections=True)).passages[0]
        assert passage.heading_path[-1] == "Lights"
        assert passage.text.startswith(LIGHT.strip())

    async def test_a_section_that_is_gone_by_now_stays_as_found(self, book):
        await book.index(chunk_size=64, sea=f"# Sea\n\n{TestWholeSections.TWO}", port=f"# Port\n\n{HARBOUR}")

        before = await book.retriever().search("lighthouse", limit=1)

        async def remove() -> None:
            (book.folder / "sea.md").unlink()
            await book.index(chunk_size=64)

        retriever = book.retriever(Interrupted(book.store, "sections", remove))
        assert await retriever.search("lighthouse", limit=1, whole_sections=True) == before


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

    @pytest.fixture
    def change(self, small_index, embedder):
        async def change() -> None:
            async with EdgeWriter(small_index, identity_of(embedder)) as writer:
                await writer.delete([next(iter(await writer.stored()))])
                await writer.publish()

        return change

    async def test_of_the_embedded_index_is_never_old(self, retriever, change):
        first = await retriever.index_version()
        await change()
        assert await retriever.index_version() != first

    async def test_of_a_server_is_asked_for_again_only_after_a_while(self, retriever, small_store, change, monkeypatch):
        monkeypatch.setattr(small_store, "state_ttl_s", 30.0)
        now = 1000.0
        monkeypatch.setattr("app.book.retrieval.time.monotonic", lambda: now)
        first = await retriever.index_version()
        await change()
        assert await retriever.index_version() == first
        now += 31
        assert await retriever.index_version() != first


class TestOffsets:
    @pytest.mark.parametrize("whole", [False, True], ids=["chunks", "whole sections"])
    async def test_cut_the_passage_out_of_the_source_file(self, book, whole):
        """Also of a page that has other line ends, a byte order mark and wide characters."""
        shutil.copytree(SMALL_BOOK, book.folder, dirs_exist_ok=True)
        page = f"\ufeff# Größen 🌊\n\nDie Flut kommt.\n\n## Ebbe 🌊\n\n{BOAT * 3}\n\n- erst 🌊\n- dann\n\n{LIGHT * 3}\n"
        (book.folder / "windows.md").write_bytes(page.replace("\n", "\r\n").encode())
        await book.index(chunk_size=64)
        passages = (await book.retriever().search("tide", limit=50, whole_sections=whole)).passages
        assert {passage.source for passage in passages} >= {"windows.md", "intro.md", "guide/measuring.md"}
        assert [cut_out(book.folder, passage) for passage in passages] == [passage.text for passage in passages]


def cut_out(book: Path, passage: Passage) -> str:
    return (book / passage.source).read_bytes().decode()[passage.start : passage.end]
