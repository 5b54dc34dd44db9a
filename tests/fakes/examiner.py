"""An examiner that rules by what a sentence says, so that an answer's composition is tested apart from the judging."""

from collections.abc import Iterable, Sequence

from app.chat.rulings import Proof, Ruling
from app.grounding.links import Links
from app.grounding.sentences import Segment


class ScriptedExaminer:
    """By words: "wrong" and "false" are not supported, "sure" says nothing, "recalled" is of the conversation.

    Others are supported by what they cite; by passage 1 if they cite nothing, and by passage 3 if they say "elsewhere".
    """

    def __init__(self, base_url: str = "") -> None:
        self.links = Links(base_url, list)
        self.examined: list[tuple[str, list[int]]] = []
        """Each body, with what was cited before it in its paragraph."""
        self.under: list[tuple[str, list[str]]] = []
        """Each body, with the labels above it."""

    async def examine(self, segment: Segment, cited_before: Iterable[int], above: Sequence[str] = ()) -> Ruling:
        self.examined.append((segment.body, list(cited_before)))
        self.under.append((segment.body, list(above)))
        said = segment.body.lower()
        if "wrong" in said or "false" in said:
            return Ruling("unsupported" if "wrong" in said else "fact")
        if "recalled" in said:
            return Ruling()
        if "sure" in said or segment.kind in {"heading", "intro", "table_head"}:
            return Ruling(is_claim=False)
        if "elsewhere" in said:
            return Ruling(proofs=[Proof(3, 0, 4, 0.5, "code")], disagrees=bool(segment.cited))
        if segment.cited:
            return Ruling(proofs=[Proof(n, 0, 4, 0.9, "model") for n in segment.cited])
        return Ruling(proofs=[Proof(1, 0, 4, 0.7, "code")])


class Believing(ScriptedExaminer):
    """Of the mode that measures nothing."""

    async def examine(self, segment: Segment, cited_before: Iterable[int], above: Sequence[str] = ()) -> Ruling:
        return Ruling(proofs=[Proof(n, 0, 4, None, "model") for n in segment.cited])
