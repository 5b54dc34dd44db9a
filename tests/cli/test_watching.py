"""`book-agent index --watch` as its users run it: a process of its own, files saved beside it."""

import asyncio
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.book.generations import read_state
from app.settings import Settings
from tests.book.engines import EmbeddedEngine
from tests.fakes.loopback import ThreadServer
from tests.fakes.qdrant import FakeQdrant

BOOK_AGENT = Path(sys.executable).parent / "book-agent"
LINE_S = 60
COLLECTION = Settings().qdrant_collection

pytestmark = pytest.mark.timeout(180)


class Watching:
    """A running `book-agent index --watch`; its lines can be waited for."""

    def __init__(self, folder: Path, *options: str, **environ: str) -> None:
        self.process = subprocess.Popen(
            [BOOK_AGENT, "index", "--watch", *options],
            cwd=folder,
            env=dict(os.environ) | environ,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def line(self, part: str) -> str:
        """The next one that has it."""
        while part not in (line := self._lines.get(timeout=LINE_S)):
            pass
        return line

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=LINE_S)

    def _read(self) -> None:
        for line in self.process.stderr:
            self._lines.put(line)


@pytest.fixture
def book(tmp_path) -> Path:
    book = tmp_path / "book"
    book.mkdir()
    for name in ("a", "b", "c"):
        (book / f"{name}.md").write_text(f"# Chapter {name}\n\nThe tide of chapter {name} rises.\n")
    return book


@pytest.fixture
def watch(tmp_path, book) -> Iterator[Callable[..., Watching]]:
    started: list[Watching] = []

    def start(*options: str, **environ: str) -> Watching:
        started.append(Watching(tmp_path, "--source", str(book), *options, **environ))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.wait()
        one.process.stderr.close()


def payloads(tmp_path: Path) -> list[dict[str, Any]]:
    [root] = [root for root in (tmp_path / "data" / "books").iterdir() if "copy" not in root.name]
    return [payload for payload, _ in asyncio.run(EmbeddedEngine(root).contents()).values()]


def test_a_saved_file_is_in_the_index_and_ctrl_c_is_a_good_end(watch, book, tmp_path):
    watching = watch("--data-dir", "data")
    watching.line("3 documents, 3 chunks, ")
    (book / "b.md").write_text("# Chapter b\n\nThe tide falls.\n")
    line = watching.line("1 chunks embedded")
    [root] = (tmp_path / "data" / "books").iterdir()
    assert f"index {read_state(root).version}" in line
    assert "The tide falls." in {payload["text"].split("\n")[-1] for payload in payloads(tmp_path)}
    (book / "new.md").write_text("# New\n\nAnother page.\n")
    watching.line("4 documents, 4 chunks (1 documents changed, 0 removed")
    (book / "new.md").unlink()
    watching.line("3 documents, 3 chunks (0 documents changed, 1 removed")
    assert watching.stop() == 0


def test_a_spoilt_file_is_named_and_its_mending_is_indexed(watch, book):
    watching = watch("--data-dir", "data")
    watching.line("3 documents")
    (book / "b.md").write_bytes(b"\xff\xfe")
    watching.line("skipped b.md: b.md is not UTF-8")
    watching.line("2 documents, 2 chunks")
    (book / "b.md").write_text("# Chapter b\n\nAll is well.\n")
    watching.line("3 documents, 3 chunks")
    assert watching.stop() == 0


def test_one_file_may_go_without_yes_but_most_of_the_book_may_not(watch, book):
    (book / "a.md").write_text("\n\n".join(f"## Part {number}\n\nText {number}." for number in range(20)))
    watching = watch("--data-dir", "data")
    watching.line("3 documents, 22 chunks")
    (book / "a.md").unlink()
    watching.line("2 documents, 2 chunks (0 documents changed, 1 removed; 0 chunks embedded, 0 moved, 20 deleted)")
    (book / "d.md").write_text("# Chapter d\n\nText.\n")
    watching.line("3 documents, 3 chunks")
    for name in ("b", "c"):
        (book / f"{name}.md").unlink()
    assert "2 of the 3 chunks of the index would be deleted" in watching.line("not indexed: ")
    (book / "b.md").write_text("# Chapter b\n\nIt is back.\n")
    watching.line("2 documents, 2 chunks")
    assert watching.stop() == 0


def test_a_server_that_is_down_is_said_and_tried_again_at_the_next_save(watch, book):
    qdrant = FakeQdrant()
    with ThreadServer(qdrant.app) as server:
        watching = watch(QDRANT_CLUSTER_ENDPOINT=server.url, QDRANT_API_KEY="k", QDRANT_ATTEMPTS="1")
        watching.line("3 documents, 3 chunks")
        server.stop()
        (book / "b.md").write_text("# Chapter b\n\nThe tide falls.\n")
        watching.line("not indexed: The book search is not available.")
        server.start()
        (book / "c.md").write_text("# Chapter c\n\nThe tide falls here too.\n")
        watching.line("2 chunks embedded")
        assert not asyncio.run(qdrant.engine.db.collection_exists(f"{COLLECTION}--lock")), "held between the runs"
        assert watching.stop() == 0


def test_what_keeps_the_first_run_from_starting_ends_it(watch):
    watching = watch("--data-dir", "data", "--chunk-size", "512")
    watching.line("book-agent: the chunk size is 512 tokens")
    assert watching.process.wait(timeout=LINE_S) == 2


def test_an_index_inside_the_book_s_folder_does_not_set_it_off(watch, book):
    watching = watch("--data-dir", str(book / "data"))
    watching.line("3 documents, 3 chunks, ")
    (book / "b.md").write_text("# Chapter b\n\nThe tide falls.\n")
    watching.line("1 chunks embedded")
    (book / "c.md").write_text("# Chapter c\n\nThe tide falls too.\n")
    assert "1 chunks embedded" in watching.line("index generation")
    assert watching.stop() == 0
