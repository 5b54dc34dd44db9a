"""The YAML block at the start of a book page or a prompt file."""

import re
from collections.abc import Mapping

import yaml

_BLOCK = re.compile(
    r"---[ \t]*(?>\r\n?|\n)(?P<yaml>(?:[^\r\n]*(?>\r\n?|\n))*?)---[ \t]*(?>\r\n?|\n|\Z)",
)
_BAD_YAML = (yaml.YAMLError, ValueError, ArithmeticError, LookupError, AttributeError, TypeError, RecursionError)
"""What PyYAML raises: beside its own errors also whatever its constructors for dates and numbers run into."""
LINES_ABOVE = 2
"""From a line's number in the block, which counts from 0, to that in the file, which counts from 1."""


class FrontMatterError(ValueError):
    """The block is missing, or is no YAML mapping; it says what is wrong, with the line of the file."""


def split_front_matter(text: str) -> tuple[dict[str, object], int]:
    """Return the mapping and the character offset of the body, which is after the byte order mark if there is one.

    A block that is no YAML mapping counts as empty; it still isn't part of the body.
    """
    top = 1 if text.startswith("\ufeff") else 0
    block = _BLOCK.match(text, top)
    if block is None:
        return {}, top
    try:
        return _mapping(block["yaml"]), block.end()
    except FrontMatterError:
        return {}, block.end()


def read_front_matter(text: str) -> tuple[dict[str, object], int]:
    """The same, of a text that must have a block. Raises FrontMatterError."""
    block = _BLOCK.match(text, 1 if text.startswith("\ufeff") else 0)
    if block is None:
        raise FrontMatterError("is missing: the file must begin with a block of YAML between two lines ---")
    return _mapping(block["yaml"]), block.end()


def text_field(front_matter: Mapping[str, object], name: str) -> str:
    """Return a string or number as text on one line; "" for anything else, also for a bare yes or no."""
    value = front_matter.get(name)
    return " ".join(str(value).split()) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def _mapping(source: str) -> dict[str, object]:
    try:
        parsed: object = yaml.safe_load(source)
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + LINES_ABOVE}: " if error.problem_mark else ""
        raise FrontMatterError(f"{line}{error.problem}") from error
    except _BAD_YAML as error:
        raise FrontMatterError(f"is no YAML: {str(error).partition(chr(10))[0]}") from error
    if not isinstance(parsed, dict):
        raise FrontMatterError("has no fields, one `name: value` a line")
    return {str(key): value for key, value in parsed.items()}
