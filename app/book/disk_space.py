"""Room for what the embedded engine maps: on a full disk, writing to a mapped file ends the process (SIGBUS)."""

import shutil
from pathlib import Path

from app.errors import ConfigurationError

MB = 1_000_000
NEW_GENERATION_B = 200 * MB
"""A new index maps 155 MB, most of them holes; that of the sample book has filled 46 when it is done."""
GOING_ON_B = 64 * MB
"""For the next write: the engine's log grows by 32 MB at a time."""


def check_room(folder: Path, needed_b: int) -> None:
    """Raises ConfigurationError."""
    free_b = shutil.disk_usage(folder).free
    if free_b < needed_b:
        raise ConfigurationError(
            f"the disk is too full to write the index: {needed_b / MB:.0f} MB are needed in {folder}, and "
            f"{free_b / MB:.0f} MB are free; make room, or choose another --data-dir"
        )


def disk_usage_of(folder: Path) -> int:
    """Bytes of the blocks that its files fill: holes take none."""
    return sum(file.stat().st_blocks * 512 for file in folder.rglob("*"))
