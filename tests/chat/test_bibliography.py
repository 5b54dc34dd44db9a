"""The passages that an answer cites, and what of them it rests on."""

import pytest
from msgspec.structs import replace

from app.chat.bibliography import Bibliography
from app.chat.events import CitationFound, Quote
from app.chat.rulings import Proof
from tests.fakes.sources import passage

SPRING = replace(passage("Spring tides come at full moon.", "Tides > Spring", url="/tides#spring"), start=100, end=131)
NEAP = passage("Neap tides come later.", "Tides > Neap")


@pytest.fixture
def bibliography() -> Bibliography:
    return Bibliography({1: SPRING, 2: NEAP}.__getitem__)


def test_a_citation_is_the_passage_and_the_quote_in_its_source(bibliography):
    (found,) = bibliography.add([Proof(1, 7, 12, 0.8, "code")])
    told = (found.n, found.chunk_id, found.source, found.title, found.heading_path, found.url)
    assert told == (1, SPRING.chunk_id, "tides.md", "Tides", ["Tides", "Spring"], "/tides#spring")
    assert (found.quote, found.start, found.end, found.support) == ("tides", 107, 112, 0.8)
    assert (found.verified, found.attributed_by, found.further) == (True, "code", [])


def test_the_same_quote_is_told_once(bibliography):
    assert len(list(bibliography.add([Proof(1, 0, 12, 0.8, "model")]))) == 1
    assert list(bibliography.add([Proof(1, 0, 12, 0.9, "model"), Proof(1, 7, 12, 0.9, "code")])) == []


def test_a_further_quote_is_told_with_the_first(bibliography):
    first, second = bibliography.add([Proof(1, 7, 12, 0.8, "model"), Proof(1, 0, 6, 0.9, "code")])
    assert isinstance(second, CitationFound)
    assert (second.quote, second.support, second.attributed_by) == (first.quote, 0.8, "model")
    assert second.further == [Quote("Spring", 100, 106, 0.9)]
    assert [citation.further for citation in bibliography.citations] == [second.further]


def test_what_a_further_quote_has_is_not_told_again(bibliography):
    list(bibliography.add([Proof(1, 7, 12, 0.8, "model"), Proof(1, 0, 6, 0.9, "model")]))
    assert list(bibliography.add([Proof(1, 1, 5, 0.9, "model")])) == []


def test_citations_and_passages_are_in_the_order_in_which_they_came(bibliography):
    list(bibliography.add([Proof(2, 0, 4, 0.8, "model"), Proof(1, 0, 6, 0.8, "model"), Proof(2, 5, 10, 0.8, "model")]))
    assert [citation.n for citation in bibliography.citations] == [2, 1]
    assert bibliography.passages == [NEAP, SPRING]


def test_a_quote_that_supports_takes_the_place_of_one_that_does_not(bibliography):
    unverified = Proof(1, 0, 31, None, "model", is_verified=False)
    assert [found.verified for found in bibliography.add([unverified])] == [False]
    (found,) = bibliography.add([Proof(1, 7, 12, 0.8, "model")])
    assert (found.verified, found.quote, found.further) == (True, "tides", [])


def test_one_that_does_not_support_adds_nothing_to_one_that_does(bibliography):
    list(bibliography.add([Proof(1, 7, 12, 0.8, "model")]))
    assert list(bibliography.add([Proof(1, 0, 31, None, "model", is_verified=False)])) == []
