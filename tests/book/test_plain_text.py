"""How plain text is read: paragraphs, and headings where they are beyond doubt."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.book.documents import Document, read_document
from app.book.plain_text import read_plain_text
from app.errors import DocumentError


def read(tmp_path: Path, text: str) -> Document:
    path = tmp_path / "the_tides-of-Fundy.txt"
    path.write_bytes(text.encode())
    return read_document(path, tmp_path)


def contents(document: Document) -> list[tuple[tuple[str, ...], list[str]]]:
    return [
        (part.heading_path[1:], [document.text[block.start : block.end] for block in part.blocks])
        for part in document.sections
    ]


def test_paragraphs_are_blocks_with_exact_offsets(tmp_path: Path) -> None:
    text = "\ufeff\r\nGrüße 🚀\r\nan alle.\r\n \t\r\n  # no heading\r\r> no quote\n\n\n"
    document = read(tmp_path, text)

    assert document.text == text
    assert contents(document) == [((), ["Grüße 🚀\r\nan alle.", "# no heading", "> no quote"])]
    assert {block.kind for block in document.sections[0].blocks} == {"text"}


def test_the_title_comes_from_the_name_and_the_address_is_the_file(tmp_path: Path) -> None:
    document = read(tmp_path, "Text.")

    assert (document.title, document.slug) == ("The tides of Fundy", "/the_tides-of-Fundy.txt")


@pytest.mark.parametrize(
    ("lines", "heading"),
    [
        ("CHAPTER IV", "CHAPTER IV"),
        ("CHAPTER IV.", "CHAPTER IV."),
        ("Chapter 4: The tide", "Chapter 4: The tide"),
        ("Chapter Four — The tide", "Chapter Four — The tide"),
        ("CHAPTER I.\nDown the Rabbit-Hole", "CHAPTER I. Down the Rabbit-Hole"),
        ("  CHAPTER THE LAST  ", "CHAPTER THE LAST"),
        ("BOOK ONE: 1805", "BOOK ONE: 1805"),
        ("Letter 2", "Letter 2"),
        ("APPENDIX B: Tables", "APPENDIX B: Tables"),
        ("Epilogue", "Epilogue"),
        ("The tide\n========", "The tide"),
        ("The tide\n--------", "The tide"),
    ],
)
def test_what_is_clearly_a_heading_makes_a_section(tmp_path: Path, lines: str, heading: str) -> None:
    assert contents(read(tmp_path, f"Before.\n\n{lines}\n\nAfter.\n")) == [((), ["Before."]), ((heading,), ["After."])]


@pytest.mark.parametrize(
    "lines",
    [
        "Chapter 4 is about the tide.",
        "Chapter 4 of this book,",
        "Chapter 4: The tide,\nwhich rises\ntwice a day",
        "Chapters",
        "Part of it",
        "THE TIDE",
        "Introduction to tides",
        "Epilogues",
        "See\nChapter 4",
        "One\n---\nTwo",
        "A very long line over a short rule\n---",
        "Chapter 4: " + "T" * 100,
    ],
)
def test_what_only_might_be_a_heading_is_text(tmp_path: Path, lines: str) -> None:
    assert contents(read(tmp_path, f"Before.\n\n{lines}\n\nAfter.\n")) == [((), ["Before.", lines, "After."])]


def test_chapters_are_in_their_part(tmp_path: Path) -> None:
    text = "PART I\n\nCHAPTER 1\n\nOne.\n\nCHAPTER 2\n\nTwo.\n\nPART II\n\nThree."

    assert contents(read(tmp_path, text)) == [
        (("PART I",), []),
        (("PART I", "CHAPTER 1"), ["One."]),
        (("PART I", "CHAPTER 2"), ["Two."]),
        (("PART II",), ["Three."]),
    ]


def test_chapters_are_of_one_level_however_they_are_marked(tmp_path: Path) -> None:
    text = "Tides\n=====\n\n1. Dawn\n=======\n\nCHAPTER II\n\nSub\n---\n\nOne.\n\nChapter 3\n---------\n\nTwo."

    assert contents(read(tmp_path, text)) == [
        (("Tides",), []),
        (("Tides", "1. Dawn"), ["1. Dawn\n======="]),
        (("Tides", "CHAPTER II"), []),
        (("Tides", "CHAPTER II", "Sub"), ["One."]),
        (("Tides", "Chapter 3"), ["Two."]),
    ]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_with_a_mark_is_read(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "tides.txt"
    path.write_bytes("\ufeffGrüße 🚀".encode(encoding))
    document = read_document(path, tmp_path)

    assert (document.text, contents(document)) == ("\ufeffGrüße 🚀", [((), ["Grüße 🚀"])])


def test_a_heading_without_blank_lines_around_it_is_text(tmp_path: Path) -> None:
    contents_page = "CHAPTER 1. Dawn\nCHAPTER 2. Noon\nCHAPTER 3. Dusk"

    assert contents(read(tmp_path, contents_page)) == [((), [contents_page])]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"Gr\xfc\xdfe", "is not UTF-8"),
        (b"a\0b", "contains a NUL"),
        (b"x" * 10_000_000, "has a line of 10,000,000 characters"),
    ],
)
def test_what_is_no_text_is_an_error(content: bytes, problem: str) -> None:
    with pytest.raises(DocumentError, match=f"a.txt {problem}"):
        read_plain_text("a.txt", content)


@given(st.text("aI1 .:\n\r\t=-\ufeff\x0b\u2028CHAPTER"))
def test_every_word_is_in_one_block_or_heading(text: str) -> None:
    page = read_plain_text("a.txt", text.encode())
    covered = [range(part.start, part.end) for part in page.parts]
    outside = set(range(len(text))).difference(*covered)

    assert page.text == text
    assert all(before.stop <= after.start for before, after in pairwise(covered))
    assert not [text[at] for at in outside if not text[at].isspace() and text[at] != "\ufeff"]
