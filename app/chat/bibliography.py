"""The passages that an answer cites, each under its number, and what of them supports it."""

from collections.abc import Callable, Iterable, Iterator

import msgspec
from msgspec.structs import asdict

from app.book.retrieval import Passage
from app.chat.events import Citation, CitationFound, Quote
from app.chat.rulings import Proof


class Bibliography:
    def __init__(self, passage_of: Callable[[int], Passage]) -> None:
        self._passage_of = passage_of
        self._citations: dict[int, Citation] = {}

    @property
    def citations(self) -> list[Citation]:
        return list(self._citations.values())

    @property
    def passages(self) -> list[Passage]:
        return [self._passage_of(n) for n in self._citations]

    def add(self, proofs: Iterable[Proof]) -> Iterator[CitationFound]:
        """What is new to a client."""
        for proof in proofs:
            before = self._citations.get(proof.n)
            after = self._first(proof) if before is None else self._further(before, proof)
            if after != before:
                self._citations[proof.n] = after
                yield CitationFound(**asdict(after))

    def _first(self, proof: Proof) -> Citation:
        passage = self._passage_of(proof.n)
        quote = _quote(passage, proof)
        return Citation(
            n=proof.n,
            chunk_id=passage.chunk_id,
            source=passage.source,
            title=passage.title,
            heading_path=passage.heading_path,
            url=passage.url,
            quote=quote.quote,
            start=quote.start,
            end=quote.end,
            support=proof.support,
            verified=proof.is_verified,
            attributed_by=proof.by,
        )

    def _further(self, citation: Citation, proof: Proof) -> Citation:
        if not (citation.verified and proof.is_verified):
            return self._first(proof) if proof.is_verified else citation
        quote = _quote(self._passage_of(proof.n), proof)
        known = [(citation.start, citation.end), *((one.start, one.end) for one in citation.further)]
        if any(start <= quote.start and quote.end <= end for start, end in known):
            return citation
        return msgspec.structs.replace(citation, further=[*citation.further, quote])


def _quote(passage: Passage, proof: Proof) -> Quote:
    text = passage.text[proof.start : proof.end]
    return Quote(text, passage.start + proof.start, passage.start + proof.end, proof.support)
