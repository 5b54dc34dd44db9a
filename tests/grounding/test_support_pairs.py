"""The labelled pairs of a sentence and the section that it cites, against the sample book."""

import re
from functools import cache
from typing import Literal

import msgspec

from app.book.documents import read_document
from app.cli.embedded import SAMPLE_BOOK

SUPPORTED = {"verbatim", "light_edit", "paraphrase", "combined", "list_item"}
UNSUPPORTED = {
    "number_changed",
    "unit_changed",
    "date_or_version_changed",
    "entity_swapped",
    "identifier_swapped",
    "negated",
    "role_swapped",
    "invented",
    "half_supported",
    "outside_knowledge",
    "wrong_passage",
}
NUMERALS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
TOKEN = re.compile(r"\d[\d.,]*\d|\w+")
MARKUP = re.compile(r"[*_`]|^[-\d.]+ ", re.MULTILINE)


class Pair(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sentence: str
    source: str
    heading: str
    label: Literal["supported", "unsupported"]
    kind: str
    origin: str | None = msgspec.field(name="from")


PAIRS = [
    msgspec.json.decode(line, type=Pair)
    for line in (SAMPLE_BOOK / "evaluation" / "support.jsonl").read_text(encoding="utf-8").splitlines()
]


@cache
def sections(source: str) -> dict[str, str]:
    """Each section's text by its own heading, without those below it."""
    document = read_document(SAMPLE_BOOK / source, SAMPLE_BOOK)
    return {section.heading_path[-1]: document.text[section.start : section.end] for section in document.sections}


def text_of(pair: Pair) -> str:
    return sections(pair.source)[pair.heading]


def tokens(text: str) -> set[str]:
    """In lower case, small numerals as digits."""
    words = TOKEN.findall(text.lower())
    return {str(NUMERALS.index(word)) if word in NUMERALS else word for word in words}


def plain(text: str) -> str:
    return " ".join(MARKUP.sub("", text).split())


def changed(pair: Pair) -> set[str]:
    """What the sentence has that the one it was made from has not."""
    return tokens(pair.sentence) - tokens(pair.origin or "")


def of_kind(*kinds: str) -> list[Pair]:
    return [pair for pair in PAIRS if pair.kind in kinds]


def test_there_are_enough_pairs_and_no_sentence_is_there_twice():
    sentences = {pair.sentence for pair in PAIRS}
    assert len(sentences) == len(PAIRS) >= 400


def test_every_kind_is_there_with_its_label():
    expected = {(kind, "supported") for kind in SUPPORTED} | {(kind, "unsupported") for kind in UNSUPPORTED}
    assert {(pair.kind, pair.label) for pair in PAIRS} == expected


def test_every_file_of_the_book_is_cited():
    written = {path.relative_to(SAMPLE_BOOK).as_posix() for path in SAMPLE_BOOK.rglob("*.md*")}
    assert {pair.source for pair in PAIRS} == written


def test_every_cited_section_is_in_the_book():
    assert [pair for pair in PAIRS if pair.heading not in sections(pair.source)] == []


def test_a_changed_sentence_was_made_from_a_supported_one_of_its_section():
    supported = {(pair.sentence, pair.source, pair.heading) for pair in of_kind(*SUPPORTED)}
    made = [pair for pair in PAIRS if pair.origin is not None]
    assert {pair.label for pair in made} == {"unsupported"}
    assert [pair for pair in made if (pair.origin, pair.source, pair.heading) not in supported] == []


def test_a_verbatim_sentence_is_in_its_section():
    assert [pair for pair in of_kind("verbatim") if plain(pair.sentence) not in plain(text_of(pair))] == []


def test_a_changed_number_is_not_in_the_section():
    for pair in of_kind("number_changed"):
        numbers = {token for token in changed(pair) if token[0].isdigit()}
        assert numbers, pair
        assert not numbers & tokens(text_of(pair)), pair


def test_a_changed_identifier_is_not_in_the_section():
    assert [pair for pair in of_kind("identifier_swapped") if changed(pair) <= tokens(text_of(pair))] == []
