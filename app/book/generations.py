"""The folders of an embedded index: one per generation, and a pointer file that says which one serves.

A generation that was published never changes, so whoever reads it needs no lock.
"""

import asyncio
import contextlib
import fcntl
import os
import shutil
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

import msgspec

from app.book.vector_store import NO_TOKENS, ONE_VECTOR, IndexIdentity, IndexState, Stored
from app.errors import ConfigurationError, IndexLockedError

POINTER, STATE, STORED, BEGINNING, SHARD = "current", "state.json", "stored.json", "beginning.json", "shard"
LOCK = "writer.lock"
ASK_AGAIN_S = 0.2


class Pointer(msgspec.Struct, frozen=True):
    current: str
    previous: str | None = None


def read_pointer(root: Path) -> Pointer | None:
    try:
        content = (root / POINTER).read_bytes()
    except FileNotFoundError:
        return None
    try:
        return msgspec.json.decode(content, type=Pointer)
    except msgspec.DecodeError:  # of a version that kept only the name
        return Pointer(content.decode(errors="replace"))


def current_generation(root: Path) -> str | None:
    pointer = read_pointer(root)
    return pointer.current if pointer else None


def read_state(root: Path) -> IndexState | None:
    """What the current generation is, without opening it."""
    current = current_generation(root)
    return state_of(root / current) if current else None


def state_of(generation: Path) -> IndexState | None:
    try:
        state = msgspec.json.decode((generation / STATE).read_bytes(), type=IndexState)
    except (OSError, msgspec.DecodeError):
        return None
    if state.identity.token_vectors is None:  # of the version that had none, and one dense vector a chunk
        distance = f"{state.identity.distance} {ONE_VECTOR}"
        identity = msgspec.structs.replace(
            state.identity, distance=distance, token_vectors=NO_TOKENS, token_dimension=0
        )
        return msgspec.structs.replace(state, identity=identity)
    return state


def stored_in(generation: Path) -> dict[str, Stored] | None:
    """What a published generation holds; None if it doesn't say."""
    try:
        return msgspec.json.decode((generation / STORED).read_bytes(), type=dict[str, Stored])
    except (OSError, msgspec.DecodeError):
        return None


def new_generation(root: Path) -> Path:
    return root / f"generation-{uuid.uuid4().hex[:12]}"


class Beginning(msgspec.Struct, frozen=True):
    """What a generation will be when it is published."""

    identity: IndexIdentity
    from_nothing: bool
    """Rather than as a copy of the one that serves."""


def begin(generation: Path, beginning: Beginning) -> None:
    """From here on a later writer can go on with it."""
    write_durably(generation / BEGINNING, msgspec.json.encode(beginning))


def begun(root: Path, beginning: Beginning) -> Path | None:
    """An unpublished generation that a writer left behind which began it in the same way."""
    for folder in root.glob("generation-*"):
        if folder.name not in kept(root) and not (folder / STATE).exists():
            try:
                if msgspec.json.decode((folder / BEGINNING).read_bytes(), type=Beginning) == beginning:
                    return folder
            except (OSError, msgspec.DecodeError):
                continue
    return None


def publish(generation: Path, state: IndexState, stored: Mapping[str, Stored]) -> None:
    root = generation.parent
    write_durably(generation / STORED, msgspec.json.encode(stored))
    write_durably(generation / STATE, msgspec.json.encode(state))
    _point(root, Pointer(generation.name, previous=current_generation(root)))
    remove_others(root)


def roll_back(root: Path) -> IndexState | None:
    """Let the previous generation serve, and keep the current one as the previous. None if there is none."""
    pointer = read_pointer(root)
    if pointer is None or pointer.previous is None:
        return None
    state = state_of(root / pointer.previous)
    if state is not None:
        _point(root, Pointer(pointer.previous, previous=pointer.current))
    return state


def kept(root: Path) -> set[str | None]:
    pointer = read_pointer(root)
    return {pointer.current, pointer.previous} if pointer else set()


def remove_others(root: Path, spared: Path | None = None) -> None:
    """A reader that still has one of them open goes on until it closes it."""
    for folder in root.glob("generation-*"):
        if folder.name not in kept(root) and folder != spared:
            shutil.rmtree(folder, ignore_errors=True)


def _point(root: Path, pointer: Pointer) -> None:
    write_durably(root / POINTER, msgspec.json.encode(pointer))


async def hold(root: Path, wait_s: float = 0.0) -> int:
    """A descriptor that holds the writer's lock until it is closed. Raises IndexLockedError."""
    try:
        await asyncio.to_thread(root.mkdir, parents=True, exist_ok=True)
        descriptor = os.open(root / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise ConfigurationError(f"cannot write to {root}: {error.strerror}") from error
    until = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() < until:
                await asyncio.sleep(ASK_AGAIN_S)
                continue
            holder = os.pread(descriptor, 20, 0).decode() or "unknown"
            os.close(descriptor)
            raise IndexLockedError(f"another indexer (process {holder}) is at work in {root}") from error
        with contextlib.suppress(OSError):  # the number only tells others who holds it; a full disk is to be freed
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        return descriptor


def write_durably(path: Path, content: bytes) -> None:
    """All of it or nothing, and still there after a power cut."""
    beside = path.with_suffix(".new")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
