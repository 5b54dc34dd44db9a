"""What a reader has selected on a page, found in the book's sources."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.book.documents import Document, Section, read_document
from app.book.edge_store import EdgeStore
from app.book.edge_writer import EdgeWriter
from app.book.embedding import QueryVectors
from app.book.identity import identity_of
from app.book.indexing import Indexer, IndexOptions
from app.book.locating import MOST_NEIGHBOURS, Located, Locator
from app.book.retrieval import Retriever
from app.book.visible_text import VisibleText, selected_texts, visible_text
from app.errors import CollectionMissingError, EmbeddingError, VectorStoreUnavailableError
from tests.book.points import write
from tests.book.published import published
from tests.conftest import SMALL_BOOK, SilentProgress
from tests.fakes.cutter import CutterInProcess
from tests.fakes.embedder import HashEmbedder

SAMPLE_BOOK = Path(__file__).parents[2] / "app" / "sample_book"
BASE_URL = "https://tides.example"
WELL = (
    "A stilling well is a vertical pipe with a small opening that filters out waves. Its float follows the mean level."
)
SPRING = "The difference between high and low water is\nthen about 20 % larger than on average."
BOAT = "Every boat needs an anchor, a rope and a good pump. "
LIGHT = "A lighthouse warns of rocks with a flashing lamp on its tower. "
HARBOUR = "The harbour master opens the lock at high water and shuts it an hour later. "


class QueryEmbedder(HashEmbedder):
    async def embed_query(self, text: str) -> QueryVectors:
        return QueryVectors(self.encode([[text]]).dense[0][0], None, [], [])


async def index(folder: Path, root: Path, embedder: Any, terms: Any, chunk_size: int = 256) -> None:
    options = IndexOptions(source=folder, chunk_size=chunk_size, chunk_overlap=chunk_size // 4, yes=True)
    await Indexer(options, embedder, terms, SilentProgress()).run(EdgeWriter(root, identity_of(embedder)))


class Book:
    """A book of a test's own; what its vectors mean is no matter."""

    def __init__(self, folder: Path, terms: Any) -> None:
        self.folder, self._root = folder / "book", folder / "index"
        self.store = EdgeStore(self._root)
        self._embedder, self._terms = QueryEmbedder(), terms
        self.folder.mkdir()

    async def index(self, *, chunk_size: int = 256, **pages: str) -> None:
        for name, text in pages.items():
            (self.folder / f"{name}.md").write_text(text)
        await index(self.folder, self._root, self._embedder, self._terms, chunk_size)

    async def locate(self, selected: str, page: str | None = None, store: Any = None) -> Located | None:
        store = store or self.store
        retriever = Retriever(self._embedder, self._terms, store, BASE_URL)  # type: ignore[arg-type]
        return await Locator(retriever, store).locate(selected, page)

    def source(self, located: Located | None) -> str | None:
        return located and (self.folder / located.source).read_bytes().decode()[located.start : located.end]


@pytest.fixture
async def book(tmp_path, terms, monkeypatch) -> AsyncIterator[Book]:
    monkeypatch.setattr("app.book.indexing.Cutter", CutterInProcess)
    book = Book(tmp_path, terms)
    yield book
    await book.store.close()


@pytest.fixture
def locator(retriever, small_store) -> Locator:
    return Locator(retriever, small_store)


class TestSelection:
    """In the small book, by the real model."""

    @pytest.mark.parametrize(
        ("selected", "source", "text"),
        [
            (WELL, "guide/measuring.md", WELL),
            ("small opening  that\nfilters out", "guide/measuring.md", "small opening that filters out"),
            (SPRING.replace("\n", " "), "intro.md", SPRING),
            ("The class TideGauge returns", "guide/measuring.md", "The class `TideGauge` returns"),
            ("“TideGauge.calibrate()”"[1:-1], "guide/measuring.md", "TideGauge.calibrate()"),
            ("tides.TideGauge(port=“/dev/ttyUSB0”)", "guide/measuring.md", 'tides.TideGauge(port="/dev/ttyUSB0")'),
            ("Bay of Fundy\t11.7 m", "intro.md", "Bay of Fundy | 11.7 m"),
            ("A stilling well is a VERTICAL pipe", "guide/measuring.md", "A stilling well is a vertical pipe"),
            (WELL.replace("vertical", "vertcal"), "guide/measuring.md", WELL),
            ("Zeit", "guide/notes.mdx", "Zeit"),
        ],
        ids=[
            "a paragraph",
            "other white space",
            "over a line's end",
            "over markup",
            "code",
            "curly quotes in code",
            "cells of a table",
            "capitals",
            "a slip",
            "a word",
        ],
    )
    async def test_is_located(self, locator, selected, source, text):
        located = await locator.locate(selected)
        assert located is not None
        assert (located.source, located.text) == (source, text)
        assert (SMALL_BOOK / source).read_bytes().decode()[located.start : located.end] == text

    @pytest.mark.parametrize(
        "selected",
        [
            SPRING.replace("20", "25"),
            SPRING.replace("20", "2"),
            " ".join(reversed(WELL.split())),
            "The lock of the harbour opens at high water and is shut an hour later.",
            f"{WELL} It was built by monks who never saw the sea, and nobody knows why.",
            "xyzzy",
            "gaug",
            "?!",
            "🌊",
            "",
        ],
        ids=[
            "another number",
            "a number less a digit",
            "other order",
            "another book's",
            "more than is there",
            "a word that isn't there",
            "a part of a word",
            "marks",
            "a picture",
            "nothing",
        ],
    )
    async def test_that_is_not_in_the_book_is_not_found(self, locator, selected):
        assert await locator.locate(selected) is None

    @pytest.mark.parametrize(
        "page", ["guide/measuring.md", "/guide/measuring", f"{BASE_URL}/guide/measuring/#top", "/no"]
    )
    async def test_is_found_whatever_page_is_given(self, locator, page):
        assert (await locator.locate(WELL, page)).text == WELL
        assert (await locator.locate(SPRING, page)).text == SPRING
        assert await locator.locate(SPRING.replace("20", "25"), page) is None

    async def test_has_its_chunk_first_as_a_search_gives_it(self, locator, retriever):
        first = (await locator.locate(WELL)).passages[0]
        best = (await retriever.search(WELL, limit=1)).passages[0]
        assert (first.chunk_id, first.url, first.text, first.heading_path) == (
            best.chunk_id,
            f"{BASE_URL}/guide/measuring#stilling-wells",
            best.text,
            best.heading_path,
        )
        assert (first.scores.cosine, first.scores.bm25) == (best.scores.cosine, best.scores.bm25)


class TestPage:
    SAME = "The ferry leaves from the northern pier."

    @pytest.fixture
    async def two_pages(self, book) -> Book:
        await book.index(
            **{f"p{number}": f"# Ports\n\nTopics of port {number}.\n\n{BOAT}{LIGHT}" for number in range(40)},
            alpha=f"---\nslug: /alpha\n---\n# Ferries\n\n{self.SAME}\n\nTopics: {BOAT}\n",
            omega=f"---\nslug: /lines/night-ferry\n---\n# Ferries\n\n{self.SAME}\n\nTopics: {LIGHT}\n",
        )
        return book

    @pytest.mark.parametrize("selected", [SAME, "Topics", SAME.replace("northern", "northen")])
    @pytest.mark.parametrize(
        ("page", "source"),
        [
            ("alpha.md", "alpha.md"),
            ("/alpha", "alpha.md"),
            ("omega.md", "omega.md"),
            (f"{BASE_URL}/lines/night-ferry?theme=dark", "omega.md"),
        ],
    )
    async def test_is_preferred(self, two_pages, selected, page, source):
        located = await two_pages.locate(selected, page)
        assert located is not None
        assert located.source == source

    async def test_is_preferred_also_with_a_slip_there_and_none_elsewhere(self, book):
        await book.index(old=f"# Old\n\n{BOAT}", new=f"# New\n\n{BOAT.replace('anchor', 'ancor')}")
        assert (await book.locate(BOAT, "new.md")).source == "new.md"
        assert (await book.locate(BOAT)).source == "old.md"


class TestLongSelection:
    THREE = f"{BOAT * 3}\n\n{LIGHT * 3}\n\n{HARBOUR * 3}"

    async def test_over_several_chunks_has_them_first_and_in_order(self, book):
        await book.index(chunk_size=64, sea=f"# Sea\n\n{self.THREE}")
        located = await book.locate(f"{LIGHT * 3}\n{HARBOUR}")
        assert book.source(located) == located.text == f"{LIGHT * 3}\n\n{HARBOUR}".replace("  ", " ").strip()
        starts = [passage.start for passage in located.passages]
        covering = [one for one in located.passages if one.end > located.start and one.start < located.end]
        assert located.passages[: len(covering)] == sorted(covering, key=lambda one: one.start)
        assert len(set(starts)) == len(starts) > len(covering)

    async def test_in_the_overlap_of_two_chunks_has_one_of_them(self, book):
        text = " ".join(f"Boat {number} has an anchor and a pump." for number in range(9))
        await book.index(chunk_size=64, sea=f"# Sea\n\n{text}")
        for number in range(9):
            first, *others = (await book.locate(f"Boat {number} has an anchor and a pump.")).passages
            assert f"Boat {number} has" in first.text
            assert first not in others

    async def test_over_a_heading_is_located_by_its_longest_part(self, book):
        await book.index(sea=f"# Sea\n\n{BOAT}\n\n## The `light`\n\n{LIGHT * 2}\n\n## Ports\n\n{HARBOUR}")
        located = await book.locate(
            f"anchor, a rope and a good pump.\nThe light\n{LIGHT * 2}\nPorts\nThe harbour master"
        )
        assert book.source(located) == located.text == (LIGHT * 2).strip()
        assert [one.heading_path[-1] for one in located.passages] == ["Sea", "The light", "Ports"]

    async def test_over_many_short_sections_is_located(self, book):
        sections = "\n\n".join(f"## Port of {name}\n\nThe pier of {name} is old." for name in NAMES)
        await book.index(sea=f"# Sea\n\n{sections}", other=f"# Other\n\n{self.THREE}")
        located = await book.locate("\n".join(f"Port of {name}\nThe pier of {name} is old." for name in NAMES))
        assert len(located.passages) == len(NAMES)

    async def test_with_more_than_a_tenth_that_is_not_there_is_not_found(self, book):
        await book.index(sea=f"# Sea\n\n{BOAT}\n\n## Light\n\n{LIGHT * 2}")
        assert await book.locate(f"{BOAT}\nLight\n{LIGHT * 2}") is not None
        assert await book.locate(f"{BOAT}\nLight\n{LIGHT * 2} It was painted white and red all over.") is None

    async def test_in_a_section_of_many_chunks_has_the_nearest(self, book):
        text = "\n\n".join(f"The pier number {number} is old and has a lamp of its own." for number in range(90))
        (book.folder / "plain.txt").write_text(text)
        await book.index(chunk_size=64)
        located = await book.locate("The pier number 47 is old and has a lamp of its own.")
        assert book.source(located) == located.text == "The pier number 47 is old and has a lamp of its own."
        assert len(located.passages) == 1 + MOST_NEIGHBOURS
        assert all(abs(one.start - located.start) < len(text) / 2 for one in located.passages)


NAMES = ["Ahlbeck", "Binz", "Cuxhaven", "Dagebull", "Emden", "Fehmarn", "Greetsiel", "Husum", "Juist", "Kiel", "List"]


class TestHeading:
    async def test_alone_is_its_whole_section(self, book):
        await book.index(sea=f"# Sea\n\n{BOAT}\n\n## Flashing lamps\n\n{LIGHT}\n\n{HARBOUR}")
        located = await book.locate("Flashing Lamps", "sea.md")
        assert book.source(located) == located.text == f"{LIGHT}\n\n{HARBOUR}".strip()
        assert located.passages[0].heading_path[-1] == "Flashing lamps"

    async def test_before_the_text_is_left_out(self, book):
        await book.index(sea=f"# Sea\n\n{BOAT}\n\n## Flashing lamps\n\n{LIGHT}")
        assert book.source(await book.locate(f"Flashing lamps\n\n{LIGHT}")) == LIGHT.strip()


class Interrupted:
    """A store in which something happens before one of its methods is called."""

    def __init__(self, store: EdgeStore, method: str, happen: Callable[[], Awaitable[None]]) -> None:
        self._store, self._method, self._happen = store, method, happen

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)
        if name != self._method:
            return method

        async def called(*args: Any, **options: Any) -> Any:
            await self._happen()
            return await method(*args, **options)

        return called


class TestFailure:
    @pytest.mark.parametrize("method", ["search", "sections"])
    async def test_of_the_store_is_an_error(self, book, method):
        await book.index(sea=f"# Sea\n\n{BOAT}")

        async def fail() -> None:
            raise VectorStoreUnavailableError

        for selected in (BOAT, LIGHT):
            with pytest.raises(VectorStoreUnavailableError):
                await book.locate(selected, store=Interrupted(book.store, method, fail))

    async def test_of_the_model_is_an_error(self, locator, embedder, monkeypatch):
        def fail(*_: object) -> None:
            raise RuntimeError

        monkeypatch.setattr(embedder._model, "model", SimpleNamespace(run=fail))
        with pytest.raises(EmbeddingError):
            await locator.locate("a selection that was never searched for")

    @pytest.mark.parametrize("page", [None, "intro.md"])
    async def test_an_empty_index_is_an_error(self, embedder, terms, tmp_path, page):
        await write(EdgeWriter(tmp_path, identity_of(embedder)), [])
        store = EdgeStore(tmp_path)
        with pytest.raises(CollectionMissingError):
            await Locator(Retriever(embedder, terms, store), store).locate(WELL, page)
        await store.close()

    async def test_a_section_that_is_gone_by_now_leaves_the_chunk_that_was_found(self, book):
        await book.index(sea=f"# Sea\n\n{BOAT}", port=f"# Port\n\n{HARBOUR}")

        async def remove() -> None:
            (book.folder / "sea.md").unlink(missing_ok=True)
            await book.index()

        located = await book.locate(BOAT, store=Interrupted(book.store, "sections", remove))
        assert [passage.text for passage in located.passages] == [BOAT.strip()]


def documents(root: Path) -> list[Document]:
    return [read_document(path, root) for path in sorted(root.rglob("*.md*"))]


PLACES: list[tuple[Document, Section]] = [
    (document, section) for document in documents(SAMPLE_BOOK) for section in document.sections if section.blocks
]
EMBEDDER = QueryEmbedder()
CURLY = str.maketrans({"-": "\u2011", "'": "\u2019"})


@pytest.fixture(scope="module")
def sample_store(terms, tmp_path_factory) -> Iterator[EdgeStore]:
    root: Path = tmp_path_factory.mktemp("sample") / "index"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.book.indexing.Cutter", CutterInProcess)
        asyncio.run(index(SAMPLE_BOOK, root, QueryEmbedder(), terms))
    store = EdgeStore(root)
    yield store
    asyncio.run(store.close())


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(place=st.sampled_from(PLACES), data=st.data())
async def test_whatever_is_selected_in_a_section_is_located_there(sample_store, terms, place, data):
    document, section = place
    words = published(document.text[section.blocks[0].start : section.blocks[-1].end]).split()
    first = data.draw(st.integers(0, max(0, len(words) - 8)))
    selected = data.draw(st.sampled_from([" ", "\n", " \u00a0\t"])).join(
        words[first : first + data.draw(st.integers(8, 300))]
    )
    selected = data.draw(st.sampled_from([selected, selected.upper(), selected.translate(CURLY)]))[:4000]
    locator = Locator(Retriever(EMBEDDER, terms, sample_store), sample_store)  # type: ignore[arg-type]
    located = await locator.locate(selected, data.draw(st.sampled_from([document.source, document.slug])))
    assert located is not None
    assert located.source == document.source
    assert document.text[located.start : located.end] == located.text
    assert says(slice_of(document, section, located), selected_texts(selected)[0])


def slice_of(document: Document, section: Section, located: Located) -> VisibleText:
    start = section.blocks[0].start
    seen = visible_text(document.source, document.text[start : section.blocks[-1].end], start)
    inside = [index for index, at in enumerate(seen.starts) if located.start <= at < located.end]
    part = slice(inside[0], inside[-1] + 1)
    return VisibleText(seen.text[part], seen.starts[part], seen.ends[part], seen.optional[part])


def says(seen: VisibleText, selected: str) -> bool:
    """Letter by letter, but for what is optional."""
    pattern = "".join(
        f"{re.escape(char)}?" if optional else re.escape(char)
        for char, optional in zip(seen.text, seen.optional, strict=True)
    )
    return re.fullmatch(pattern, selected) is not None
