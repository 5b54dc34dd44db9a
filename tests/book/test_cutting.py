"""Cutting in a child process: the same result, and an end to whatever takes too long, too much, or dies."""

import asyncio
import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from app.book.chunking import chunk_document
from app.book.cutting import CutDocument, Cutter
from app.book.documents import document_digest, find_sources, read_document
from app.errors import DocumentError, NotForReadersError
from tests.fakes.waiting import until

ROOT = Path(__file__).parents[2]
CORPORA = Path(__file__).parents[3] / "shared" / "corpora"
TOKENIZER = (ROOT / "app" / "book" / "minilm" / "tokenizer.json").read_text()
PARENT = """
import asyncio, multiprocessing, sys
from pathlib import Path
from app.book.cutting import Cutter

async def main():
    async with Cutter(Path(sys.argv[1]), Path(sys.argv[2]).read_text(), 256, 32) as cutter:
        await cutter.cut(Path(sys.argv[1], "short.md"))
        print(multiprocessing.active_children()[0].pid, flush=True)
        await cutter.cut(Path(sys.argv[1], "endless.html"))

if __name__ == "__main__":
    asyncio.run(main())
"""


@pytest.fixture
def book(tmp_path: Path) -> Path:
    root = tmp_path / "book"
    root.mkdir()
    (root / "short.md").write_text("# Short\n\nText.\n")
    (root / "long.md").write_text("# Long\n\n" + "The tide rises twice a day.\n\n" * 300_000)
    (root / "moved.html").write_text("<meta http-equiv=refresh content='0; url=/other'>")
    return root


@pytest.fixture
async def cutter(book: Path) -> AsyncIterator[Cutter]:
    async with Cutter(book, TOKENIZER, 256, 32) as cutter:
        yield cutter


def workers() -> list[int]:
    return [child.pid or 0 for child in multiprocessing.active_children()]


def runs(pid: int) -> bool:
    """Not so for a process that has ended but that nobody has waited for."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def processor_ticks(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11])


async def test_a_document_is_cut_as_in_this_process(cutter: Cutter, book: Path) -> None:
    tokenizer = Tokenizer.from_str(TOKENIZER)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    path = book / "short.md"
    chunks = chunk_document(read_document(path, book), count_tokens=lambda text: len(tokenizer.encode(text).ids))

    assert await cutter.cut(path) == CutDocument(document_digest(path, book), chunks)


async def test_nothing_starts_before_the_first_document_or_is_left_after_the_last(book: Path) -> None:
    async with Cutter(book, TOKENIZER, 256, 32) as cutter:
        assert workers() == []
        await cutter.cut(book / "short.md")
        assert len(workers()) == 1
    assert workers() == []


async def test_several_documents_may_be_asked_for_at_once(cutter: Cutter, book: Path) -> None:
    results = await asyncio.gather(*(cutter.cut(book / "short.md") for _ in range(5)))

    assert results == [results[0]] * 5
    assert len(workers()) == 1


@pytest.mark.parametrize(
    ("name", "kind", "problem"),
    [
        ("gone.md", DocumentError, "gone.md cannot be read: No such file"),
        ("moved.html", NotForReadersError, "moved.html leads to another page"),
    ],
)
async def test_what_the_reader_raises_arrives(
    cutter: Cutter, book: Path, name: str, kind: type[Exception], problem: str
) -> None:
    with pytest.raises(DocumentError, match=problem) as caught:
        await cutter.cut(book / name)

    assert type(caught.value) is kind


async def test_a_document_that_takes_too_long_is_given_up_and_the_next_one_read(book: Path) -> None:
    async with Cutter(book, TOKENIZER, 256, 32, timeout_s=0.5) as cutter:
        with pytest.raises(DocumentError, match=r"long\.md takes longer than 0\.5 seconds to read"):
            await cutter.cut(book / "long.md")

        assert len((await cutter.cut(book / "short.md")).chunks) == 1


async def test_a_document_that_needs_too_much_memory_is_given_up_and_the_next_one_read(book: Path) -> None:
    (book / "wide.html").write_text("<p>x" * 4_000_000)
    async with Cutter(book, TOKENIZER, 256, 32, memory_bytes=700_000_000) as cutter:
        with pytest.raises(
            DocumentError, match=r"wide\.html (needs more than 0\.7 GB|ended the process|is too large|cannot be)"
        ):
            await cutter.cut(book / "wide.html")

        assert len((await cutter.cut(book / "short.md")).chunks) == 1


async def test_a_document_whose_process_dies_is_given_up_and_the_next_one_read(cutter: Cutter, book: Path) -> None:
    await cutter.cut(book / "short.md")
    cutting = asyncio.create_task(cutter.cut(book / "long.md"))
    (worker,) = workers()
    before = processor_ticks(worker)
    await until(lambda: processor_ticks(worker) > before + 10)
    os.kill(worker, signal.SIGKILL)

    with pytest.raises(DocumentError, match=r"long\.md ended the process that read it \(exit code -9\)"):
        await cutting
    assert len((await cutter.cut(book / "short.md")).chunks) == 1


async def test_a_cut_that_is_cancelled_leaves_no_process(book: Path) -> None:
    async with Cutter(book, TOKENIZER, 256, 32) as cutter:
        cutting = asyncio.create_task(cutter.cut(book / "long.md"))
        await until(lambda: len(workers()) == 1)
        cutting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cutting

        assert len((await cutter.cut(book / "short.md")).chunks) == 1
    assert workers() == []


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
async def test_the_process_ends_with_its_parent_and_leaves_no_file(
    book: Path, tmp_path: Path, sent: signal.Signals
) -> None:
    (book / "endless.html").write_text("<p " + " ".join(f"a{number}" for number in range(800_000)) + ">")
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    arguments = [sys.executable, str(script), str(book), str(ROOT / "app" / "book" / "minilm" / "tokenizer.json")]
    left = tmp_path / "left"
    left.mkdir()
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(left)}
    with subprocess.Popen(  # noqa: ASYNC220 - a process of its own is the point
        arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    ) as parent:
        assert parent.stdout
        worker = int(await asyncio.to_thread(parent.stdout.readline))
        before = processor_ticks(worker)
        await until(lambda: processor_ticks(worker) > before + 20)
        assert list(left.glob("book-agent-cutter-*"))
        parent.send_signal(sent)

    await until(lambda: not runs(worker))
    assert list(left.glob("book-agent-cutter-*")) == []


def test_the_process_loads_no_model() -> None:
    loaded = "import sys, app.book.cutting; print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", loaded], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout

    assert not {"fastembed", "onnxruntime", "qdrant_client", "numpy", "lxml", "pypdfium2"} & set(modules.split())


@pytest.mark.parametrize(("size", "overlap"), [(31, 0), (64, 32)])
def test_sizes_that_make_no_sense_are_refused_at_once(book: Path, size: int, overlap: int) -> None:
    with pytest.raises(ValueError, match=r"chunk_(size|overlap) is"):
        Cutter(book, TOKENIZER, size, overlap)


@pytest.mark.skipif(not CORPORA.is_dir(), reason="needs ../shared/corpora")
async def test_every_tree_of_the_corpora_is_cut() -> None:
    async with Cutter(CORPORA, TOKENIZER, 256, 32) as cutter:
        sources = find_sources(CORPORA)
        for path in sources.paths:
            text = read_document(path, CORPORA).text
            assert all(text[chunk.start : chunk.end] == chunk.text for chunk in (await cutter.cut(path)).chunks)

    assert sources.skipped == []
    assert len(sources.paths) > 200
