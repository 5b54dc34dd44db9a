"""`book-agent index` and `init-collection`: what they write, say and return."""

import asyncio
import io
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from litestar import Litestar
from qdrant_client import models
from rich.console import Console

from app.book.generations import read_state
from app.book.identity import identity_of
from app.cli import main
from app.cli.progress import IndexProgress
from app.settings import Settings
from tests.conftest import SMALL_BOOK
from tests.fakes.loopback import HOST, ThreadServer, bind, port_of
from tests.fakes.qdrant import FakeQdrant

BOOK_AGENT = Path(sys.executable).parent / "book-agent"
COLLECTION = Settings().qdrant_collection
PHYSICAL = re.compile(rf"/collections/{COLLECTION}--\d{{8}}T\d{{6}}-[0-9a-f]{{8}}")
NOT_UTF_8 = b"\xff\xfe"

pytestmark = pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")


class Outcome(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def summary(self) -> dict:
        return msgspec.json.decode(self.out)


Command = Callable[..., Outcome]


@pytest.fixture
def book_agent(monkeypatch, capsys) -> Command:
    """Runs the command in this process, without its hold on the logging and signals of all tests."""
    monkeypatch.setattr("app.cli.index.signal.signal", lambda *_: None)
    monkeypatch.setattr("app.cli.index.configure_logs", lambda *_, **__: None)

    def run(*words: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["book-agent", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        return Outcome(ended.value.code, *capsys.readouterr())

    return run


@pytest.fixture
def book(tmp_path) -> Path:
    """A folder with one page."""
    book = tmp_path / "a book"
    book.mkdir()
    (book / "tides.md").write_text("# Tides\n\nThe sea rises and falls.\n")
    return book


@pytest.fixture
def qdrant(monkeypatch) -> Iterator[FakeQdrant]:
    """A server that the environment names."""
    qdrant = FakeQdrant(api_key="right")
    with ThreadServer(qdrant.app) as server:
        monkeypatch.setenv("QDRANT_CLUSTER_ENDPOINT", server.url)
        monkeypatch.setenv("QDRANT_API_KEY", "right")
        yield qdrant


@pytest.fixture
def no_qdrant(monkeypatch) -> Iterator[None]:
    """Some other server, where the environment names one."""
    with ThreadServer(Litestar([], openapi_config=None)) as server:
        monkeypatch.setenv("QDRANT_CLUSTER_ENDPOINT", server.url)
        monkeypatch.setenv("QDRANT_API_KEY", "right")
        yield


def points(qdrant: FakeQdrant) -> int:
    return asyncio.run(qdrant.engine.db.count(COLLECTION)).count


def creations(qdrant: FakeQdrant) -> int:
    return sum(method == "PUT" and PHYSICAL.fullmatch(path) is not None for method, path in qdrant.seen)


class TestEmbeddedIndex:
    def test_is_written_to_the_data_folder(self, book_agent, tmp_path):
        outcome = book_agent("index", "--source", SMALL_BOOK, "--data-dir", "data")
        assert (outcome.code, outcome.out) == (0, "")
        [root] = (tmp_path / "data" / "books").iterdir()
        assert read_state(root).chunks > 5

    def test_twice_has_the_same_chunks_and_embeds_nothing(self, book_agent, tmp_path):
        runs = [book_agent("index", "--source", SMALL_BOOK, "--data-dir", "data", "--json").summary for _ in range(2)]
        [root] = (tmp_path / "data" / "books").iterdir()
        assert runs[0]["chunks"] == runs[1]["chunks"] == read_state(root).chunks
        assert runs[0]["index_version"] == runs[1]["index_version"]
        assert (runs[1]["embedded"], runs[1]["unchanged"]) == (0, 3)

    def test_goes_back_and_needs_no_source_for_it(self, book_agent, book, tmp_path):
        first = book_agent("index", "--source", book, "--data-dir", "data", "--json").summary
        book_agent("index", "--source", book, "--data-dir", "data", "--rebuild")
        [root] = (tmp_path / "data" / "books").iterdir()
        assert read_state(root).version != first["index_version"]
        back = book_agent("index", "--rollback", "--data-dir", "data")
        assert (back.code, back.out) == (0, "")
        assert back.err == f"index {first['index_version']} serves again: 1 chunks\n"
        assert read_state(root).version == first["index_version"]

    def test_goes_back_only_where_it_is_clear_which(self, book_agent, book):
        nothing = book_agent("index", "--rollback", "--data-dir", "data")
        assert (nothing.code, "name the book with --source" in nothing.err) == (2, True)
        for source in (book, SMALL_BOOK):
            book_agent("index", "--source", source, "--data-dir", "data")
        unclear = book_agent("index", "--rollback", "--data-dir", "data")
        assert str(book) in unclear.err
        assert str(SMALL_BOOK) in unclear.err
        none_before = book_agent("index", "--rollback", "--data-dir", "data", "--source", book)
        assert (none_before.code, "no previous index" in none_before.err) == (2, True)

    def test_of_other_chunk_sizes_says_which_differ_and_what_mends_it(self, book_agent, book):
        assert book_agent("index", "--source", book, "--data-dir", "data").code == 0
        refused = book_agent("index", "--source", book, "--data-dir", "data", "--chunk-size", 128)
        assert refused.code == 2
        assert "256 tokens, overlap 32 in the index and version" in refused.err
        assert "Set --chunk-size and --chunk-overlap back to what made the index" in refused.err
        assert "run `book-agent index --rebuild`" in refused.err
        assert book_agent("index", "--source", book, "--data-dir", "data", "--chunk-size", 128, "--rebuild").code == 0

    def test_without_token_vectors_is_told_from_one_with_them(self, book_agent, book, monkeypatch):
        assert book_agent("index", "--source", book, "--data-dir", "data").code == 0
        monkeypatch.setenv("RERANK", "off")
        refused = book_agent("index", "--source", book, "--data-dir", "data")
        assert (refused.code, "token vectors is compact-128@" in refused.err) == (2, True)
        assert "Set RERANK back" in refused.err

    def test_of_one_file_is_made_too(self, book_agent, book):
        outcome = book_agent("index", "--source", book / "tides.md", "--data-dir", "data", "--json")
        assert (outcome.code, outcome.summary["documents"], outcome.summary["chunks"]) == (0, 1, 1)

    def test_loses_more_than_half_only_with_yes(self, book_agent, book):
        for number in range(4):
            (book / f"{number}.md").write_text(f"# Page {number}\n\nText.\n")
        assert book_agent("index", "--source", book, "--data-dir", "data").code == 0
        for number in range(3):
            (book / f"{number}.md").unlink()
        refused = book_agent("index", "--source", book, "--data-dir", "data")
        assert refused.code == 2
        assert "3 of the 5 chunks of the index would be deleted: 1 of 0.md, 1 of 1.md, 1 of 2.md" in refused.err
        allowed = book_agent("index", "--source", book, "--data-dir", "data", "--yes", "--json")
        assert (allowed.code, allowed.summary["deleted"], allowed.summary["removed"]) == (0, 3, 3)


class TestSummary:
    def test_as_json_is_alone_on_standard_output(self, book_agent):
        outcome = book_agent("index", "--source", SMALL_BOOK, "--data-dir", "data", "--json")
        summary = outcome.summary
        assert set(summary) == {
            *("documents", "chunks", "failed", "left_out", "seconds", "chunks_per_second", "index_version"),
            *("unchanged", "changed", "removed", "kept", "updated", "embedded", "deleted"),
        }
        assert (outcome.code, summary["documents"], summary["failed"]) == (0, 3, [])
        assert summary["index_version"].startswith("generation-")

    def test_is_a_sentence_on_standard_error_otherwise(self, book_agent):
        outcome = book_agent("index", "--source", SMALL_BOOK, "--dry-run")
        assert outcome.err.splitlines()[-1].startswith("3 documents, 7 chunks, ")

    def test_of_an_unchanged_book_says_so_and_names_the_index(self, book_agent):
        version = book_agent("index", "--source", SMALL_BOOK, "--data-dir", "data", "--json").summary["index_version"]
        outcome = book_agent("index", "--source", SMALL_BOOK, "--data-dir", "data")
        assert outcome.err.splitlines()[-1] == f"unchanged: 3 documents, 7 chunks; index {version}"

    def test_of_a_changed_book_says_what_changed(self, book_agent, book):
        (book / "more.md").write_text("# More\n\nText.\n")
        book_agent("index", "--source", book, "--data-dir", "data")
        (book / "more.md").write_text("\n# More\n\nText.\n\n## And more\n\nText.\n")
        line = book_agent("index", "--source", book, "--data-dir", "data").err.splitlines()[-1]
        assert line.startswith(
            "2 documents, 3 chunks (1 documents changed, 0 removed; 1 chunks embedded, 1 moved, 0 deleted), "
        )

    def test_of_a_dry_run_has_no_version_and_nothing_is_written(self, book_agent, tmp_path):
        outcome = book_agent("index", "--source", SMALL_BOOK, "--data-dir", "data", "--dry-run", "--json")
        assert (outcome.code, outcome.summary["index_version"], outcome.summary["documents"]) == (0, None, 3)
        assert not (tmp_path / "data").exists()


class TestProgress:
    def test_without_a_terminal_is_a_line_every_ten_documents_and_at_the_end(self, book_agent, book):
        for number in range(20):
            (book / f"{number:02}.md").write_text(f"# Page {number}\n\nText.\n")
        lines = book_agent("index", "--source", book, "--dry-run").err.splitlines()
        assert lines[:-1] == [
            "indexed 10 of 21 documents, 10 chunks",
            "indexed 20 of 21 documents, 20 chunks",
            "indexed 21 of 21 documents, 21 chunks",
        ]

    @pytest.mark.parametrize("width", [60, 70, 120])
    def test_on_a_terminal_has_its_bar_and_count_on_one_line(self, monkeypatch, width):
        screen = io.StringIO()
        console = partial(Console, file=screen, force_terminal=True, color_system=None, width=width)
        monkeypatch.setattr("app.cli.progress.Console", lambda **_: console())
        with IndexProgress() as progress:
            progress.begin(110)
            for number in range(50):
                progress.advance(f"{number}.md", 25)
            progress.embed("part-6-people/a-chapter-with-quite-a-long-name.md", 7, 19)
        [last] = [line for line in screen.getvalue().splitlines() if "50/110" in line][-1:]
        shown = last.rpartition("Indexing")[2]
        assert [part for part in ("━", "50/110", "documents, 1250 chunks") if part not in shown] == []
        assert len("Indexing" + shown) <= width - len("^C")

    def test_counts_what_failed_as_the_summary_does(self, book_agent, book):
        (book / "bad.md").write_bytes(NOT_UTF_8)
        said = book_agent("index", "--source", book, "--data-dir", "data").err
        assert "indexed 1 of 2 documents, 1 chunks, 1 failed" in said
        assert "1 documents, 1 chunks, 1 failed" in said


class TestSkippedFiles:
    def test_are_named_on_one_line_each_and_the_exit_code_is_1(self, book_agent, book):
        name = f"{'a long name ' * 8}.md"
        (book / name).write_bytes(NOT_UTF_8)
        outcome = book_agent("index", "--source", book, "--data-dir", "data")
        assert outcome.code == 1
        [line] = [line for line in outcome.err.splitlines() if line.startswith("skipped")]
        assert name in line
        assert "is not UTF-8" in line
        assert outcome.err.splitlines()[-1].startswith("1 documents, 1 chunks, 1 failed")

    def test_are_in_the_summary(self, book_agent, book):
        (book / "bad.md").write_bytes(NOT_UTF_8)
        outcome = book_agent("index", "--source", book, "--dry-run", "--json")
        assert outcome.code == 1
        [failed] = outcome.summary["failed"]
        assert failed["source"] == "bad.md"
        assert "is not UTF-8" in failed["reason"]


class TestOptions:
    def test_include_chooses_files_and_may_be_repeated(self, book_agent):
        def documents(*include: str) -> int:
            return book_agent("index", "--source", SMALL_BOOK, "--dry-run", "--json", *include).summary["documents"]

        assert documents("--include", "guide/*.md") == 1
        assert documents("--include", "guide/*.md", "--include", "intro.*") == 2

    def test_chunk_size_reaches_the_chunking(self, book_agent):
        def chunks(*options: object) -> int:
            return book_agent("index", "--source", SMALL_BOOK, "--dry-run", "--json", *options).summary["chunks"]

        assert chunks("--chunk-size", 40, "--chunk-overlap", 0) > chunks()

    def test_chunk_size_above_what_the_model_reads_is_refused(self, book_agent):
        outcome = book_agent("index", "--source", SMALL_BOOK, "--dry-run", "--chunk-size", 512)
        assert outcome.code == 2
        assert "the chunk size is 512 tokens, but all-MiniLM-L6-v2-int8 reads only 256" in outcome.err

    @pytest.mark.parametrize(
        ("options", "named"),
        [
            (["--chunk-size", 64, "--chunk-overlap", 32], "--chunk-overlap"),
            (["--chunk-size", 31], "--chunk-size"),
            (["--batch-size", 0], "--batch-size"),
            (["--source", "nowhere"], "--source"),
            (["--rollback"], "--rollback"),
            (["--wait", -1], "--wait"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_a_wrong_option_is_named(self, book_agent, options, named):
        outcome = book_agent("index", "--source", SMALL_BOOK, "--dry-run", *options)
        assert outcome.code == 2
        assert named in outcome.err

    def test_source_is_required_but_to_go_back(self, book_agent):
        outcome = book_agent("index", "--data-dir", "data")
        assert outcome.code == 2
        assert "Missing option '--source'" in outcome.err

    def test_a_folder_without_pages_is_refused(self, book_agent, tmp_path):
        outcome = book_agent("index", "--source", tmp_path, "--data-dir", "data")
        assert outcome.code == 2
        assert outcome.err.startswith("book-agent: there is no file like **/*.md or **/*.mdx or ")


class TestServer:
    def test_gets_the_index_and_the_same_again(self, book_agent, qdrant):
        outcomes = [book_agent("index", "--source", SMALL_BOOK, "--json") for _ in range(2)]
        assert [outcome.code for outcome in outcomes] == [0, 0]
        assert points(qdrant) == outcomes[0].summary["chunks"] == outcomes[1].summary["chunks"] == 7
        assert outcomes[0].summary["index_version"] == outcomes[1].summary["index_version"]
        assert outcomes[1].summary["embedded"] == 0
        assert creations(qdrant) == 1

    def test_gets_a_new_index_beside_the_old_and_goes_back(self, book_agent, book, qdrant):
        first = book_agent("index", "--source", book, "--json").summary["index_version"]
        second = book_agent("index", "--source", book, "--rebuild", "--json").summary["index_version"]
        assert (first != second, creations(qdrant)) == (True, 2)
        back = book_agent("index", "--rollback")
        assert (back.code, back.err) == (0, f"index {first} serves again: 1 chunks\n")

    def test_where_another_indexes_is_told_who_at_once_or_waited_for(self, book_agent, book, qdrant):
        held = {"token": "x", "user": "ann", "host": "farm", "machine": "m", "pid": 7, "since": 1.0}

        def hold(seconds: float) -> None:
            asyncio.run(
                qdrant.engine.db.create_collection(
                    f"{COLLECTION}--lock",
                    models.VectorParams(size=1, distance=models.Distance.DOT),
                    metadata=held | {"until": time.time() + seconds},
                )
            )

        hold(60)
        outcome = book_agent("index", "--source", book)
        assert outcome.code == 2
        assert "ann@farm, process 7 is indexing into textbook_content since" in outcome.err
        asyncio.run(qdrant.engine.db.delete_collection(f"{COLLECTION}--lock"))
        hold(2)
        assert book_agent("index", "--source", book, "--wait", 20).code == 0

    def test_gets_a_collection_and_keeps_it(self, book_agent, qdrant):
        first, second = book_agent("init-collection"), book_agent("init-collection")
        assert (first.code, first.out) == (0, "collection textbook_content was made\n")
        assert (second.code, second.out) == (0, "collection textbook_content is there and fits\n")
        assert creations(qdrant) == 1
        assert book_agent("index", "--source", SMALL_BOOK).code == 0
        assert creations(qdrant) == 1

    @pytest.mark.parametrize("command", [("init-collection",), ("index", "--source", SMALL_BOOK)], ids=lambda c: c[0])
    def test_that_refuses_the_key_is_told_as_such(self, book_agent, qdrant, monkeypatch, command):
        monkeypatch.setenv("QDRANT_API_KEY", "wrong-key")
        outcome = book_agent(*command)
        assert (outcome.code, outcome.out) == (2, "")
        assert "book-agent: Qdrant refused the API key. Check QDRANT_API_KEY." in outcome.err
        assert "wrong-key" not in outcome.err

    def test_with_an_index_of_another_model_is_not_written_to(self, book_agent, qdrant, monkeypatch):
        with monkeypatch.context() as older:
            older.setattr(
                "app.cli.index_targets.identity_of",
                lambda *of: msgspec.structs.replace(identity_of(*of), embedding="older@1"),
            )
            assert book_agent("init-collection").code == 0
        outcome = book_agent("index", "--source", SMALL_BOOK)
        assert outcome.code == 2
        assert (
            "embedding is older@1 in the index and all-MiniLM-L6-v2-int8@8199be6f699a+int8-products here" in outcome.err
        )
        assert points(qdrant) == 0

    @pytest.mark.usefixtures("no_qdrant")
    def test_that_is_no_qdrant_is_told_as_such(self, book_agent, book):
        outcome = book_agent("index", "--source", book)
        assert outcome.code == 2
        assert "does not answer as a Qdrant server does. Check QDRANT_CLUSTER_ENDPOINT" in outcome.err
        assert "book-agent index" not in outcome.err

    def test_that_is_down_is_an_error_and_not_a_skipped_document(self, book_agent, monkeypatch):
        with bind() as nobody:
            monkeypatch.setenv("QDRANT_CLUSTER_ENDPOINT", f"http://{HOST}:{port_of(nobody)}")
            monkeypatch.setenv("QDRANT_API_KEY", "right")
            monkeypatch.setenv("QDRANT_ATTEMPTS", "1")
            outcome = book_agent("index", "--source", SMALL_BOOK)
        assert outcome.code == 2
        assert "book-agent: The book search is not available." in outcome.err


class TestSettings:
    @pytest.mark.parametrize("command", [("init-collection",), ("index", "--source", SMALL_BOOK)], ids=lambda c: c[0])
    def test_that_are_missing_are_listed_at_once(self, book_agent, command):
        outcome = book_agent(*command)
        assert outcome.code == 2
        assert outcome.err == "book-agent: QDRANT_CLUSTER_ENDPOINT: is missing\nQDRANT_API_KEY: is missing\n"

    @pytest.mark.parametrize("option", ["--dry-run", "--data-dir=data"])
    def test_of_a_server_are_not_needed_without_one(self, book_agent, book, option):
        assert book_agent("index", "--source", book, option).code == 0


class TestProcess:
    """The installed command, in a process of its own."""

    def test_indexes_and_exits_with_1_when_a_file_is_skipped(self, book, tmp_path):
        (book / "bad.md").write_bytes(NOT_UTF_8)
        ended = run_process("index", "--source", str(book), "--data-dir", "data", "--json", cwd=tmp_path)
        assert ended.returncode == 1
        assert msgspec.json.decode(ended.stdout)["chunks"] == 1
        assert "skipped bad.md" in ended.stderr

    def test_exits_with_2_and_a_sentence_instead_of_a_traceback(self, tmp_path):
        ended = run_process("index", "--source", str(SMALL_BOOK), cwd=tmp_path)
        assert (ended.returncode, ended.stdout) == (2, "")
        assert ended.stderr == "book-agent: QDRANT_CLUSTER_ENDPOINT: is missing\nQDRANT_API_KEY: is missing\n"


def run_process(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([BOOK_AGENT, *words], cwd=cwd, capture_output=True, text=True, check=False)
