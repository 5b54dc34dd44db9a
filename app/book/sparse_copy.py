"""Copying the engine's files, which are mostly holes."""

import os
import shutil
from pathlib import Path


def copy_tree(source: Path, target: Path) -> None:
    """The same bytes, and no blocks for the holes."""
    shutil.copytree(source, target, copy_function=_copy_sparsely)


def _copy_sparsely(source: str, target: str) -> None:
    with Path(source).open("rb", buffering=0) as original, Path(target).open("wb", buffering=0) as copy:
        size, end = os.fstat(original.fileno()).st_size, 0
        while end < size:
            try:
                start = os.lseek(original.fileno(), end, os.SEEK_DATA)
            except OSError:  # nothing but a hole is left
                break
            end = os.lseek(original.fileno(), start, os.SEEK_HOLE)
            original.seek(start)
            copy.seek(start)
            _copy_bytes(original.fileno(), copy.fileno(), end - start)
        copy.truncate(size)


def _copy_bytes(original: int, copy: int, count: int) -> None:
    while count > 0:
        piece = os.read(original, min(count, 1 << 20))
        if not piece:
            return
        os.write(copy, piece)
        count -= len(piece)
