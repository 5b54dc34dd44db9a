"""The questions on the sample book that the service's answers are judged by."""

import re
from collections import Counter
from typing import get_args

import pytest

from app.book.documents import find_sources, read_document
from app.chat.answer_evaluation import Case, Style, plain, read_cases
from app.cli.embedded import SAMPLE_BOOK

CASES = SAMPLE_BOOK / "evaluation" / "answers.yaml"
WITHOUT_CITATIONS = ("small-talk", "about-conversation")


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return read_cases(CASES)


@pytest.fixture(scope="module")
def documents():
    return [read_document(path, SAMPLE_BOOK) for path in find_sources(SAMPLE_BOOK).paths]


@pytest.fixture(scope="module")
def sections(documents):
    """`source > heading` -> what is under it, without markup."""
    return {
        f"{document.source} > {section.heading_path[-1]}": plain(document.text[section.start : section.end])
        for document in documents
        for section in document.sections
    }


def test_there_are_many_cases_of_every_style(cases):
    counts = Counter(case.style for case in cases)
    assert counts.total() >= 150
    assert min(counts[style] for style in get_args(Style)) >= 5


def test_every_id_is_unique_and_in_kebab_case(cases):
    assert [id_ for id_, count in Counter(case.id for case in cases).items() if count > 1] == []
    assert [case.id for case in cases if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", case.id)] == []


def test_every_section_and_page_named_is_in_the_book(cases, documents, sections):
    assert {place for case in cases for place in case.expect.cites} - sections.keys() == set()
    assert {case.page for case in cases if case.page} <= {document.source for document in documents}


def test_a_refusal_has_reasons_and_an_answer_what_it_cites(cases):
    for case in cases:
        assert bool(case.expect.reasons) != case.is_answered, case.id
        assert bool(case.expect.cites) == (case.is_answered and case.style not in WITHOUT_CITATIONS), case.id
        assert set(case.expect.must_cite) <= set(case.expect.cites), case.id


def test_a_selection_is_from_the_book_if_it_is_to_be_answered(cases, documents):
    book = plain(" ".join(document.text for document in documents))
    selections = [case for case in cases if case.selected_text]
    assert {case.style for case in selections} == {"selected-text"}
    for case in selections:
        assert (plain(case.selected_text) in book) == case.is_answered, case.id


@pytest.mark.parametrize(
    ("style", "given"),
    [("follow-up", "history"), ("about-conversation", "history"), ("selected-text", "selected_text"), ("page", "page")],
)
def test_what_a_question_refers_to_comes_with_it(cases, style, given):
    assert {bool(getattr(case, given)) for case in cases if case.style == style} == {True}


def test_the_words_of_an_answer_are_in_the_sections_that_it_cites(cases, sections):
    """So an answer that only quotes the book is right."""
    for case in (case for case in cases if case.expect.cites):
        cited = " ".join(sections[place] for place in case.expect.cites)
        assert [word for word in case.expect.contains if plain(word) not in cited] == [], case.id
        assert not case.expect.any_of or any(plain(word) in cited for word in case.expect.any_of), case.id
        assert [word for word in case.expect.lacks if plain(word) in cited] == [], case.id
