"""A cutter in this process: the same chunks without the second that a process takes to start."""

from pathlib import Path
from typing import Self

from tokenizers import Tokenizer

from app.book.chunking import chunk_document
from app.book.cutting import CutDocument
from app.book.documents import document_digest, read_document


class CutterInProcess:
    def __init__(self, root: Path, tokenizer_json: str, chunk_size: int, chunk_overlap: int) -> None:
        self._root = root
        self._sizes = {"chunk_size": chunk_size, "chunk_overlap": chunk_overlap}
        self._tokenizer = Tokenizer.from_str(tokenizer_json)
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    async def cut(self, path: Path) -> CutDocument:
        digest = document_digest(path, self._root)
        return CutDocument(
            digest, chunk_document(read_document(path, self._root), count_tokens=self._count, **self._sizes)
        )

    def _count(self, text: str) -> int:
        return len(self._tokenizer.encode(text).ids)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None: ...
