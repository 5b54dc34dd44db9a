"""Reading the book's files within limits: inside its folder, not too large, text that is text."""

import os
import stat
from pathlib import Path

from app.errors import DocumentError

MAX_FILE_BYTES = 20_000_000
"""Of Markdown, HTML and plain text: five times the Bible."""
MAX_BINARY_BYTES = 100_000_000
"""Of a PDF or EPUB, which is mostly pictures. A larger one is a scan, or not a book."""
MAX_LINE_CHARS = 1_000_000


def folder_of(root: Path) -> Path:
    """The book's folder, also where the book is one file."""
    return root if root.is_dir() else root.parent


def source_of(path: Path, root: Path) -> str:
    """The path relative to the book's folder, with "/". Raises DocumentError if it isn't UTF-8."""
    source = path.relative_to(folder_of(root)).as_posix()
    if shown_name(source) != source:
        raise DocumentError(f"{shown_name(source)}: its name is not UTF-8.")
    return source


def shown_name(source: str) -> str:
    """With escapes where a name is not UTF-8."""
    return source.encode("utf-8", "backslashreplace").decode()


def read_bytes(path: Path, root: Path, limit: int) -> bytes:
    """Raises DocumentError for what is outside the book's folder, no regular file, or larger than `limit` bytes.

    Never waits, not for a pipe either, and never reads more than the limit.
    """
    source = source_of(path, root)
    try:
        if not path.resolve().is_relative_to(folder_of(root).resolve()):
            raise DocumentError(f"{source} leads outside the book's folder.")
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:  # noqa: PTH123 - Path.open can't not wait
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise DocumentError(f"{source} is not a regular file.")
            content = file.read(limit + 1) if status.st_size <= limit else None
    except (OSError, RuntimeError) as error:  # a loop of links is a RuntimeError
        raise DocumentError(f"{source} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    if content is None or len(content) > limit:
        raise DocumentError(f"{source} is larger than {limit // 1_000_000} MB.")
    return content


def decode(content: bytes, source: str, encoding: str = "utf-8") -> str:
    """Raises DocumentError for what is no text in that encoding."""
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise DocumentError(f"{source} is not {error.encoding.upper()}: see byte {error.start}.") from error
    if "\0" in text:
        raise DocumentError(f"{source} contains a NUL character: it is not a text file.")
    return text


def check_lines(text: str, source: str) -> None:
    longest = max(map(len, text.replace("\r", "\n").split("\n")))
    if longest > MAX_LINE_CHARS:
        raise DocumentError(f"{source} has a line of {longest:,} characters: it is not a text for readers.")


def read_text(path: Path, root: Path) -> str:
    """A text file in UTF-8, as it is. Raises DocumentError."""
    source = source_of(path, root)
    text = decode(read_bytes(path, root, MAX_FILE_BYTES), source)
    check_lines(text, source)
    return text
