"""After any sequence of edits the index is what a fresh build would make of the book, on both engines."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app.book.bm25 import TermEncoder
from app.book.identity import identity_of
from app.book.indexing import Indexer, IndexOptions, IndexReport
from app.errors import ConfigurationError
from tests.book.engines import ENGINES, Engine
from tests.conftest import SilentProgress
from tests.fakes.cutter import CutterInProcess
from tests.fakes.embedder import HashEmbedder

NAMES = ["a.md", "b.md", "part/a.md", "part/c.mdx", "deep/er/d.txt"]
SENTENCES = [
    "The tide rises twice a day.",
    "A float follows the water in its well.",
    "Neap tides are the smaller ones.",
    "The moon pulls harder on the near side.",
]
NOT_UTF_8 = b"# Tides\n\n\xff\xfe\n"

pages = st.lists(
    st.tuples(
        st.sampled_from(["# Tides", "## Springs", "## Neaps", "### Far away"]),
        st.lists(st.sampled_from(SENTENCES), max_size=3).map(" ".join),
    ),
    max_size=4,
).map(lambda parts: "\n\n".join(f"{heading}\n\n{text * 6}" for heading, text in parts))
names = st.sampled_from(NAMES)
edits = st.one_of(
    st.tuples(st.just("write"), names, pages),
    st.tuples(st.just("append"), names, pages),
    st.tuples(st.just("shorten"), names, st.just("")),
    st.tuples(st.just("move"), names, names),
    st.tuples(st.just("copy"), names, names),
    st.tuples(st.just("delete"), names, st.just("")),
    st.tuples(st.just("spoil"), names, st.just("")),
    st.tuples(st.just("shift"), names, st.just("")),
    st.tuples(st.just("retitle"), names, st.sampled_from(["One", "Other"])),
)


def edit(book: Path, kind: str, name: str, other: str) -> None:
    path = book / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "write":
        path.write_text(other)
        return
    if not path.exists():
        return
    content = path.read_bytes()
    target = book / other
    changes: dict[str, Callable[[], object]] = {
        "append": lambda: path.write_bytes(content + b"\n\n" + other.encode()),
        "shorten": lambda: path.write_bytes(content[: len(content) // 2]),
        "move": lambda: (target.parent.mkdir(parents=True, exist_ok=True), path.replace(target)),
        "copy": lambda: (target.parent.mkdir(parents=True, exist_ok=True), target.write_bytes(content)),
        "delete": path.unlink,
        "spoil": lambda: path.write_bytes(NOT_UTF_8),
        "shift": lambda: path.write_bytes(b"\n" + content),
        "retitle": lambda: path.write_bytes(f"---\ntitle: {other}\n---\n".encode() + content),
    }
    changes[kind]()


@pytest.fixture(autouse=True)
def cut_in_process(monkeypatch):
    monkeypatch.setattr("app.book.indexing.Cutter", CutterInProcess)


async def run(engine: Engine, book: Path, **options: object) -> IndexReport | None:
    """None where the book has no text: then the index is left alone."""
    embedder = HashEmbedder()
    indexer = Indexer(IndexOptions(source=book, yes=True, **options), embedder, TERMS, SilentProgress())
    try:
        report = await indexer.run(engine.writer(identity_of(embedder)))
    except ConfigurationError:
        return None
    assert report.embedded == embedder.passages
    return report


TERMS = TermEncoder()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ENGINES)
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(rounds=st.lists(st.lists(edits, min_size=1, max_size=4), min_size=1, max_size=3))
@example(
    rounds=[
        [("write", "a.md", "# Tides\n\nOne.\n\n## Springs\n\nTwo."), ("copy", "a.md", "part/a.md")],
        [("move", "a.md", "b.md"), ("shift", "part/a.md", "")],
        [("spoil", "b.md", ""), ("shorten", "part/a.md", "")],
    ]
)
async def test_the_index_is_that_of_a_fresh_build(kind, rounds):
    with TemporaryDirectory() as name:
        folder = Path(name)
        book = folder / "book"
        book.mkdir()
        (book / "kept.md").write_text("# Kept\n\nIt stays as it is.")
        async with ENGINES[kind](folder / "edited") as edited:
            await run(edited, book)
            for edits_of_round in rounds:
                for one in edits_of_round:
                    edit(book, *one)
                await run(edited, book)
            async with ENGINES[kind](folder / "fresh") as fresh:
                await run(fresh, book)
                assert await edited.contents() == await fresh.contents()
