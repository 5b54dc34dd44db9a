"""What was found of a sentence of the model's: may it be told, and what proves it."""

from collections.abc import Sequence
from typing import NamedTuple

from app.chat.events import Attribution, WithheldReason


class Proof(NamedTuple):
    """A piece of a passage that supports a sentence."""

    n: int
    """The passage's number."""
    start: int
    end: int
    """Offsets in its text."""
    support: float | None
    """0 to 1; None where it was not measured."""
    by: Attribution
    is_verified: bool = True


class Ruling(NamedTuple):
    reason: WithheldReason | None = None
    """Why the sentence is not supported; None if it is, or needs no support."""
    proofs: Sequence[Proof] = ()
    is_claim: bool = True
    """Else it says nothing that could be true or false of the book."""
    is_label: bool = False
    """But for its numbers it says nothing, so that nothing hangs on its being told."""
    disagrees: bool = False
    """The passages that the model cited don't support it, others do."""
