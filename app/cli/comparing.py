"""`--compare NAME=VALUE`: what is measured is measured again with other settings."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import msgspec

from app.book.chunking import check_sizes
from app.book.indexing import IndexOptions
from app.settings import load_settings

CUTTING = ("chunk_size", "chunk_overlap")
"""Options of `index` that --compare takes beside the settings."""


def split_pairs(pairs: Sequence[str], option: str) -> list[tuple[str, str]]:
    """Raises BadParameter where one is not NAME=VALUE."""
    parts = [pair.partition("=") for pair in pairs]
    if not all(name and equals for name, equals, _ in parts):
        raise click.BadParameter("must be NAME=VALUE", param_hint=option)
    return [(name, value) for name, _, value in parts]


def changes_of(compare: Sequence[str]) -> Mapping[str, str]:
    pairs = split_pairs(compare, "--compare")
    known = set(load_settings({}, required=(), provider_key=False).__struct_fields__) | set(CUTTING)
    unknown = [name for name, _ in pairs if name.lower() not in known]
    if unknown:
        raise click.BadParameter(f"there is no setting {unknown[0]}", param_hint="--compare")
    return {name.upper(): value for name, value in pairs}


def index_options(book: Path, changes: Mapping[str, str]) -> IndexOptions:
    sizes = {name: changes[name.upper()] for name in CUTTING if name.upper() in changes}
    try:
        options = msgspec.structs.replace(
            IndexOptions(source=book), **msgspec.convert(sizes, dict[str, int], strict=False)
        )
        check_sizes(options.chunk_size, options.chunk_overlap)
    except (msgspec.ValidationError, ValueError) as error:
        raise click.BadParameter(f"{' or '.join(sizes).upper()}: {error}", param_hint="--compare") from error
    return options
