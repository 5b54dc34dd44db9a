"""Reading and cutting files in a child process, so that no file can stall or kill the program that indexes."""

import asyncio
import contextlib
import functools
import multiprocessing
import os
import resource
import shutil
import signal
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
from pebble import ProcessExpired, ProcessPool
from tokenizers import Tokenizer

from app.book.chunking import Chunk, check_sizes, chunk_document
from app.book.documents import document_digest, read_document
from app.book.files import source_of
from app.errors import DocumentError

START_TIMEOUT_S = 60.0
"""For the process to start, beside the time that a document gets."""
SLICE_CHARS = 100_000


class CutDocument(msgspec.Struct, frozen=True):
    digest: str
    """Of the files it was read from, see document_digest."""
    chunks: list[Chunk]


class _Work(msgspec.Struct, frozen=True):
    """What the child process is told at its start."""

    root: Path
    tokenizer: Path
    """A file: arguments that fill the pipe would block this process if the child dies before it reads them."""
    chunk_size: int
    chunk_overlap: int
    memory_bytes: int


class Cutter:
    """Cuts one document after another; its process starts with the first."""

    def __init__(
        self,
        root: Path,
        tokenizer_json: str,
        chunk_size: int,
        chunk_overlap: int,
        *,
        timeout_s: float = 60.0,
        memory_bytes: int = 2_000_000_000,
    ) -> None:
        """Raises ValueError for sizes that make no sense."""
        check_sizes(chunk_size, chunk_overlap)
        self._root = root
        self._tokenizer_json = tokenizer_json
        self._sizes = chunk_size, chunk_overlap, memory_bytes
        self._files = ExitStack()
        self._timeout_s = timeout_s
        self._pool: ProcessPool | None = None
        self._turn = asyncio.Lock()

    async def cut(self, path: Path) -> CutDocument:
        """Raises DocumentError for a file that cannot be read, or not within the time and memory there is."""
        source = source_of(path, self._root)
        async with self._turn:
            future = self._running_pool().schedule(_cut, args=(path,), timeout=self._timeout_s)
            try:
                async with asyncio.timeout(self._timeout_s + START_TIMEOUT_S):
                    return await asyncio.wrap_future(future)
            except TimeoutError as error:
                raise DocumentError(f"{source} takes longer than {self._timeout_s:g} seconds to read.") from error
            except ProcessExpired as error:
                raise DocumentError(f"{source} ended the process that read it (exit code {error.exitcode}).") from error

    async def close(self) -> None:
        """End the process, whatever it is doing."""
        if self._pool is not None:
            pool, self._pool = self._pool, None
            await asyncio.shield(asyncio.to_thread(_end, pool))
        self._files.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _running_pool(self) -> ProcessPool:
        if self._pool is None:
            folder = Path(self._files.enter_context(tempfile.TemporaryDirectory(prefix="book-agent-cutter-")))
            (folder / "tokenizer.json").write_text(self._tokenizer_json, encoding="utf-8")
            self._pool = ProcessPool(
                max_workers=1,
                initializer=_begin,
                initargs=(_Work(self._root, folder / "tokenizer.json", *self._sizes),),
                context=multiprocessing.get_context("spawn"),
            )
        return self._pool


def _end(pool: ProcessPool) -> None:
    pool.stop()  # type: ignore[no-untyped-call]
    pool.join()


# In the child process

_begun: list[_Work] = []


def _begin(work: _Work) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends Ctrl-C to both; the parent ends this one
    threading.Thread(target=_end_with_parent, args=(work.tokenizer.parent,), daemon=True).start()
    _begun[:] = [work]
    with contextlib.suppress(ValueError, OSError):  # macOS has the limit, but not for every value
        resource.setrlimit(resource.RLIMIT_AS, (work.memory_bytes, work.memory_bytes))


def _end_with_parent(folder: Path) -> None:
    """Also after a kill -9, in the middle of a document; the parent's folder goes too."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(1)


def _cut(path: Path) -> CutDocument:
    work = _begun[0]
    source = source_of(path, work.root)
    try:
        digest = document_digest(path, work.root)  # first: a change in between then shows the next time
        chunks = chunk_document(
            read_document(path, work.root),
            count_tokens=_tokens,
            chunk_size=work.chunk_size,
            chunk_overlap=work.chunk_overlap,
        )
    except DocumentError:
        raise
    except MemoryError as error:
        raise DocumentError(f"{source} needs more than {work.memory_bytes / 10**9:g} GB of memory.") from error
    except Exception as error:  # one file that a parser trips over must not end the indexing of all others
        raise DocumentError(f"{source} cannot be read: {type(error).__name__} {error}".strip()) from error
    return CutDocument(digest, chunks)


def _tokens(text: str) -> int:
    """Long texts in slices that end with a word: a tokenizer takes a hundred times the memory of its text."""
    added = len(_tokenizer().encode("").ids) if len(text) > SLICE_CHARS else 0
    tokens, start = 0, 0
    while len(text) - start > SLICE_CHARS:
        space = text.rfind(" ", start + 1, start + SLICE_CHARS)
        stop = space if space > 0 else start + SLICE_CHARS
        tokens += len(_tokenizer().encode(text[start:stop]).ids) - added
        start = stop
    return tokens + len(_tokenizer().encode(text[start:]).ids)


@functools.cache
def _tokenizer() -> Tokenizer:
    """One that neither cuts nor pads."""
    tokenizer = Tokenizer.from_file(str(_begun[0].tokenizer))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
