"""How a PDF is read: paragraphs from lines, sections from the outline or the pages, and what is refused."""

import pytest

from app.book.blocks import Block, Heading
from app.book.documents import Document, read_document
from app.book.pages import Page
from app.book.pdf import read_pdf
from app.errors import DocumentError
from tests.book.pdfs import pdf

FULL = "A line of text that is about as long as the lines of a book are,"


def read(*pages: list[str], outline: list[tuple[int, str, int]] | None = None, title: str = "") -> Page:
    return read_pdf("books/tides.pdf", pdf(pages, outline or [], title=title))


def texts(page: Page) -> list[str]:
    return [page.text[part.start : part.end] for part in page.parts if isinstance(part, Block)]


def headings(page: Page) -> list[tuple[int, str, str]]:
    return [(part.level, part.text, part.anchor) for part in page.parts if isinstance(part, Heading)]


def sections(tmp_path, *pages: list[str], outline: list[tuple[int, str, int]]) -> Document:
    path = tmp_path / "tides.pdf"
    path.write_bytes(pdf(pages, outline))
    return read_document(path, tmp_path)


# Text


@pytest.mark.parametrize(
    ("lines", "paragraphs"),
    [
        pytest.param([FULL, "and goes on."], [f"{FULL} and goes on."], id="lines of a paragraph"),
        pytest.param([FULL, "ends.", FULL, "ends."], [f"{FULL} ends.", f"{FULL} ends."], id="two paragraphs"),
        pytest.param([FULL[:-1] + "-", "land ends."], [f"{FULL[:-1]}land ends."], id="hyphen"),
        pytest.param([FULL, "def f(x):", "return x"], [f"{FULL} def f(x):\nreturn x"], id="short lines stay lines"),
        pytest.param([FULL, "- one", "- two"], [f"{FULL}\n- one\n- two"], id="items"),
        pytest.param([FULL, "[a] (b) \\ c"], [f"{FULL} [a] (b) \\ c"], id="brackets"),
    ],
)
def test_lines_become_paragraphs(lines: list[str], paragraphs: list[str]) -> None:
    assert texts(read(lines)) == paragraphs


@pytest.mark.parametrize(
    ("first", "second", "elsewhere", "text"),
    [
        ("The com-", "puter runs.", "", "The computer runs."),
        ("The well-", "known one.", "A well-known one.", "The well-known one."),
        ("The self-", "driving car.", "By self or driving.", "The self-driving car."),
        ("The in-", "put of it.", "In that put input.", "The input of it."),
        ("A state-of-the-", "art system.", "Of the old.", "A state-of-the-art system."),
        ("The foo-", "Bar name.", "", "The foo-Bar name."),
        ("AUTO-", "MATION is it.", "", "AUTOMATION is it."),
        ("The range, 10-", "20 volts.", "", "The range, 10-"),
    ],
)
def test_a_word_keeps_a_hyphen_of_its_own(first: str, second: str, elsewhere: str, text: str) -> None:
    assert "".join(texts(read([first, second, elsewhere]))).startswith(text)


@pytest.mark.parametrize(("elsewhere", "text"), [("Old.", "The selfmade"), ("Self made.", "The self-made")])
def test_a_word_over_the_end_of_a_page_is_whole(elsewhere: str, text: str) -> None:
    assert text in texts(read([elsewhere, "The self-"], ["made man."]))[-1]


def test_a_paragraph_goes_on_over_the_end_of_a_page() -> None:
    page = read([FULL], ["which goes on here.", "Next."])

    assert texts(page) == [f"{FULL} which goes on here.", "Next."]
    assert headings(page) == [(2, "Page 1", "page=1"), (2, "Page 2", "page=2")]


def test_running_heads_and_page_numbers_are_left_out() -> None:
    names = ["one", "two", "three", "four", "five"]
    page = read(*(["The Tides", f"Text {name}.", f"Page {number}"] for number, name in enumerate(names, 1)))

    assert texts(page) == [f"Text {name}." for name in names]


def test_a_running_head_may_change_with_the_chapter() -> None:
    words = ["One.", "Two.", "Three.", "Four.", "Five.", "Six."]
    chapters = ["Dawn", "Dawn", "Noon", "Noon", "Dusk", "Dusk"]
    page = read(*([f"{chapters[at]} {at + 7}", word] for at, word in enumerate(words)))

    assert texts(page) == words


@pytest.mark.parametrize("number", ["Page {} of 5", "{} / 5", "- {} -", "{}", "Seite {} von 5", "[{}]"])
def test_a_page_s_number_is_left_out_however_it_is_written(number: str) -> None:
    names = ["one", "two", "three", "four", "five"]
    page = read(*([f"Text {name}.", number.format(at)] for at, name in enumerate(names, 1)))

    assert texts(page) == [f"Text {name}." for name in names]


def test_a_running_head_with_the_title_is_left_out() -> None:
    pages = [[f"The Tides {at}", f"Text {word}."] for at, word in enumerate(["one", "two", "three", "four"], 1)]

    assert [line for line in texts(read(*pages, title="The tides")) if "Tides" in line] == []


@pytest.mark.parametrize(
    ("line", "foot"),
    [
        pytest.param("Ingredients", "", id="no page numbers"),
        pytest.param("Recipe {}", "", id="counted"),
        pytest.param("Recipe {}", "Page {}", id="counted beside page numbers"),
        pytest.param("{}991", "", id="other numbers"),
        pytest.param("Serve it warm.", "Page {}", id="a sentence"),
    ],
)
def test_what_many_pages_say_is_kept_where_it_may_be_text(line: str, foot: str) -> None:
    words = ["one", "two", "three", "four", "five"]
    page = read(*([line.format(at), f"Text {word}.", foot.format(at)] for at, word in enumerate(words, 1)))

    assert all(line.format(at) in page.text for at in range(1, 6))


def test_years_are_no_page_numbers() -> None:
    words = ["one", "two", "three", "four", "five"]
    page = read(*([f"{1990 + at}", f"Text {word}."] for at, word in enumerate(words)))

    assert all(f"{1990 + at}" in page.text for at in range(5))


def test_headings_that_are_numbered_otherwise_than_the_pages_are_kept() -> None:
    page = read(*(["Text."] if at % 2 else [f"Chapter {at // 2 + 1}", "Text."] for at in range(12)))

    assert "Chapter 3" in page.text


def test_pages_that_are_all_alike_are_kept() -> None:
    assert len(texts(read(*([f"Exercise {number}."] for number in range(5))))) == 5


def test_what_is_on_few_pages_is_kept() -> None:
    page = read(*([f"Head {word}.", "Text."] for word in ("one", "two", "three", "four", "five")))

    assert texts(page)[0].startswith("Head one.")


# Sections


def test_the_outline_makes_the_sections_and_every_page_has_its_address(tmp_path) -> None:
    document = sections(
        tmp_path,
        ["Preface text."],
        ["One", "Text of one.", "Deep", "Text of deep."],
        ["More of deep."],
        ["Text of two."],
        outline=[(0, "One", 1), (1, "Deep", 1), (0, "Two", 3)],
    )

    assert document.slug == "/tides.pdf"
    assert [
        (part.heading_path[1:], part.anchor, [document.text[b.start : b.end] for b in part.blocks])
        for part in document.sections
        if part.blocks
    ] == [
        ((), "page=1", ["Preface text."]),
        (("One",), "page=2", ["Text of one."]),
        (("One", "Deep"), "page=2", ["Text of deep."]),
        (("One", "Deep"), "page=3", ["More of deep."]),
        (("Two",), "page=4", ["Text of two."]),
    ]


def test_a_title_of_the_outline_may_be_on_two_lines(tmp_path) -> None:
    lines = ["The arm stops.", "2 Calibrating the camera and", "the depth sensor", "Hold the board."]
    document = sections(tmp_path, lines, outline=[(0, "Calibrating the camera and the depth sensor", 0)])

    assert [document.text[block.start : block.end] for part in document.sections for block in part.blocks] == [
        "The arm stops.",
        "Hold the board.",
    ]


def test_without_an_outline_every_page_with_text_is_a_section() -> None:
    assert headings(read(["One."], [], ["Three."])) == [(2, "Page 1", "page=1"), (2, "Page 3", "page=3")]


@pytest.mark.parametrize(
    ("given", "title"),
    [
        ("The Tides", "The Tides"),
        ("", "Tides"),
        ("Microsoft Word - tides.doc", "Tides"),
        ("untitled", "Tides"),
        ("(anonymous)", "Tides"),
    ],
)
def test_the_title_is_the_files_own_unless_a_program_made_it_up(given: str, title: str) -> None:
    assert read(["Text."], title=given).title == title


# What cannot be read


def test_a_pdf_without_text_says_what_to_do() -> None:
    with pytest.raises(DocumentError, match=r"books/tides\.pdf has no text: it is probably scanned; run OCR first"):
        read([], [])


def test_an_encrypted_pdf_says_so() -> None:
    locked = "/Encrypt << /Filter /Standard /V 1 /R 2 /O <{0}> /U <{0}> /P -1 >> /ID [<00> <00>]".format("00" * 32)

    with pytest.raises(DocumentError, match=r"a\.pdf is encrypted: it needs a password"):
        read_pdf("a.pdf", pdf([["Text."]], extra=locked))


@pytest.mark.parametrize("content", [b"", b"Text.", b"%PDF-1.7\n", pdf([["Text."]])[:200]])
def test_what_is_no_pdf_says_so(content: bytes) -> None:
    with pytest.raises(DocumentError, match=r"a\.pdf is not a PDF, or is damaged"):
        read_pdf("a.pdf", content)


def test_too_many_pages_are_refused() -> None:
    with pytest.raises(DocumentError, match=r"a\.pdf has 5,001 pages"):
        read_pdf("a.pdf", pdf([[]] * 5_001))


def test_an_outline_that_leads_in_a_circle_ends() -> None:
    content = pdf([["Text."]], [(0, "One", 0), (0, "Two", 0)])
    circle = content.replace(b"/Title (Two) /Parent", b"/Title (Two) /Next 6 0 R /Parent")

    assert read_pdf("a.pdf", circle).text == "## One\n\n## Two\n\nText."
