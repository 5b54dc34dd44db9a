"""mdBook's directives: what is filled in, what is left as it is, and what is refused."""

import time
from pathlib import Path

import pytest

from app.book.documents import document_digest, read_document
from app.errors import DocumentError

LISTING = """\
fn one() {}
// ANCHOR: two
fn two() {
    // ANCHOR: deep
    2
    // ANCHOR_END: deep
}
// ANCHOR_END: two
fn three() {}
"""


@pytest.fixture
def book(tmp_path: Path) -> Path:
    root = tmp_path / "book"
    (root / "src").mkdir(parents=True)
    (root / "src" / "main.rs").write_text(LISTING)
    (root / "part.md").write_bytes("\ufeffA *part*.\r\n".encode())
    return root


def expanded(root: Path, text: str) -> str:
    path = root / "page.md"
    path.write_bytes(text.encode())
    return read_document(path, root).text


@pytest.mark.parametrize(
    ("directive", "text"),
    [
        ("{{#include part.md}}", "A *part*.\r\n"),
        ("{{ #include  part.md }}", "A *part*.\r\n"),
        ("{{#include src/main.rs:1}}", "fn one() {}"),
        ("{{#include src/main.rs:3:5}}", "fn two() {\n    2"),
        ("{{#include src/main.rs:9:}}", "fn three() {}"),
        ("{{#include src/main.rs::1}}", "fn one() {}"),
        ("{{#include src/main.rs:two}}", "fn two() {\n    2\n}"),
        ("{{#include src/main.rs:deep}}", "    2"),
        ("{{#include src/main.rs:7000:}}", ""),
        ("{{#rustdoc_include src/main.rs:two}}", "fn two() {\n    2\n}"),
        ("{{#include src/main.rs}}", "fn one() {}\nfn two() {\n    2\n}\nfn three() {}\n"),
        (
            "{{#playground src/main.rs editable}}",
            "```rust,editable\nfn one() {}\nfn two() {\n    2\n}\nfn three() {}\n```",
        ),
        ("{{#playpen part.md}}", "```rust\nA *part*.\n```"),
    ],
)
def test_a_directive_is_filled_in(book: Path, directive: str, text: str) -> None:
    assert expanded(book, f"Before.\n\n{directive}\n\nAfter.") == f"Before.\n\n{text}\n\nAfter."


@pytest.mark.parametrize(
    "text",
    [
        "{{#include gone.md}}",
        "{{#include ../secret.md}}",
        "{{#include /etc/passwd}}",
        "{{#include linked.md}}",
        "{{#include src}}",
        "{{#include src/main.rs:four}}",
        "{{#include latin.md}}",
        "{{#include a\0b.md}}".replace("\0", "\x01"),
        "{{#include " + "x" * 5000 + "}}",
        r"\{{#include part.md}}",
        "{{#each items}}",
        "{{#include}}",
        "{{#include {part}.md}}",
        "{{{#includes part.md}}}",
    ],
)
def test_what_cannot_be_filled_in_stays_as_it_is(book: Path, text: str) -> None:
    (book.parent / "secret.md").write_text("Secret.")
    (book / "linked.md").symlink_to(book.parent / "secret.md")
    (book / "latin.md").write_bytes(b"Gr\xfc\xdfe")

    assert expanded(book, f"Before.\r\n{text}\r\nAfter.") == f"Before.\r\n{text}\r\nAfter."


def test_code_that_is_included_is_code_and_has_no_headings(book: Path) -> None:
    (book / "run.sh").write_text("# comment\nls\n")
    path = book / "page.md"
    path.write_text("# Page\n\n```sh\n{{#include run.sh}}\n```\n\n## Real\n\nText.")
    document = read_document(path, book)

    assert [section.heading_path for section in document.sections] == [("Page",), ("Page", "Real")]
    assert [document.text[block.start : block.end] for block in document.sections[0].blocks] == [
        "```sh\n# comment\nls\n\n```"
    ]


def test_included_pages_are_read_as_a_part_of_this_one_and_from_their_own_folder(book: Path) -> None:
    (book / "src" / "outer.md").write_text("## Outer\n\n{{#include inner.md}}\n")
    (book / "src" / "inner.md").write_text("Inner {{#include ../part.md}}")
    path = book / "page.md"
    path.write_text("{{#include src/outer.md}}")
    document = read_document(path, book)

    assert document.text == "## Outer\n\nInner A *part*.\r\n\n"
    assert document.sections[0].heading_path[1:] == ("Outer",)


def test_a_playground_in_a_text_with_fences_gets_a_longer_fence(book: Path) -> None:
    (book / "doc.rs").write_text("/// ```\n/// x\n/// ```\n")

    assert expanded(book, "{{#playground doc.rs}}") == "````rust\n/// ```\n/// x\n/// ```\n````"


def test_the_title_directive_is_the_title_and_no_text(book: Path) -> None:
    path = book / "page.md"
    path.write_text("{{#title The  real title}}\n# Heading\n\nText.")
    document = read_document(path, book)

    assert (document.title, document.text) == ("The real title", "\n# Heading\n\nText.")


@pytest.mark.parametrize("text", ["{{#include page.md}}", "{{#include loop.md}}"])
def test_files_that_include_each_other_without_end_are_refused(book: Path, text: str) -> None:
    (book / "loop.md").write_text("{{#include page.md}}")

    with pytest.raises(DocumentError, match=r"page\.md includes files that include each other, over 10 deep"):
        expanded(book, text)


def test_a_billion_inclusions_are_refused(book: Path) -> None:
    for level in range(9):
        (book / f"{level}.md").write_text(f"{{{{#include {level + 1}.md}}}}" * 10)
    (book / "9.md").write_text("")

    with pytest.raises(DocumentError, match=r"page\.md becomes too long by what it includes"):
        expanded(book, "{{#include 0.md}}")


def test_a_few_large_files_many_times_are_refused(book: Path) -> None:
    (book / "large.md").write_text("A line of a large file.\n" * 10_000)

    with pytest.raises(DocumentError, match=r"page\.md becomes too long by what it includes"):
        expanded(book, "{{#include large.md}}\n" * 100)


@pytest.mark.parametrize("text", ["{{#include" + " " * 900_000, "{{#include a" * 80_000, "{{ " * 300_000])
def test_a_directive_that_never_ends_is_passed_over_in_time(book: Path, text: str) -> None:
    started = time.process_time()

    assert expanded(book, text) == text
    assert time.process_time() - started < 5


def test_a_line_that_is_too_long_is_refused_before_anything_is_looked_for_in_it(book: Path) -> None:
    path = book / "page.md"
    path.write_text("{{#include" + " " * 1_000_000)

    with pytest.raises(DocumentError, match=r"page\.md has a line of 1,000,010 characters"):
        document_digest(path, book)


def test_too_many_files_are_refused_also_where_they_do_not_exist(book: Path) -> None:
    with pytest.raises(DocumentError, match=r"page\.md includes more than 1,000 files"):
        expanded(book, "".join(f"{{{{#include {number}.md}}}}" for number in range(1_001)))


def test_the_digest_covers_what_is_included_however_deep_and_what_is_missing(book: Path) -> None:
    (book / "outer.md").write_text("{{#include inner.md}} {{#include later.md}}")
    (book / "inner.md").write_text("Inner.")
    path = book / "page.md"
    path.write_text("{{#include outer.md}}")
    digests = [document_digest(path, book)]
    (book / "part.md").write_text("Not included.")

    assert document_digest(path, book) == digests[0]
    for name in ["inner.md", "later.md", "outer.md"]:
        (book / name).write_text("Changed.")
        digests.append(document_digest(path, book))
    assert len(set(digests)) == 4
