"""The YAML block at the start of a book page or a prompt file."""

import re
from collections.abc import Mapping

import yaml

_BLOCK = re.compile(
    r"---[ \t]*(?>\r\n?|\n)(?P<yaml>(?:[^\r\n]*(?>\r\n?|\n))*?)---[ \t]*(?>\r\n?|\n|\Z)",
)
_BAD_YAML = (yaml.YAMLError, ValueError, ArithmeticError, LookupError, AttributeError, TypeError, RecursionError)
"""What PyYAML raises: beside its own errors also whatever its constructors for dates and numbers run into."""


def split_front_matter(text: str) -> tuple[dict[str, object], int]:
    """Return the mapping and the character offset of the body, which is after the byte order mark if there is one.

    A block that is no YAML mapping counts as empty; it still isn't part of the body.
    """
    top = 1 if text.startswith("\ufeff") else 0
    block = _BLOCK.match(text, top)
    if block is None:
        return {}, top
    return _mapping(block["yaml"]), block.end()


def text_field(front_matter: Mapping[str, object], name: str) -> str:
    """Return a string or number as text on one line; "" for anything else, also for a bare yes or no."""
    value = front_matter.get(name)
    return " ".join(str(value).split()) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def _mapping(source: str) -> dict[str, object]:
    try:
        parsed: object = yaml.safe_load(source)
    except _BAD_YAML:
        return {}
    return {str(key): value for key, value in parsed.items()} if isinstance(parsed, dict) else {}
