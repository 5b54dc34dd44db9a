"""Which folders are an mdBook, and what its pages may include and are called."""

from pathlib import Path

import pytest

from app.book.documents import document_digest, fingerprint, read_document
from app.book.mdbook import find_mdbook
from app.errors import NotForReadersError


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """The folder of book.toml."""
    folder = tmp_path / "book"
    for name, text in {
        "book.toml": "[book]\ntitle = 'Tides'\n",
        "listings/main.rs": "fn main() {}\n",
        "src/SUMMARY.md": "# Summary\n",
        "src/01-part/02-nodes.md": "Nodes: {{#rustdoc_include ../../listings/main.rs}}",
        "src/01-part/README.md": "Part.",
        "src/index.md": "Welcome.",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (tmp_path / "secret.rs").write_text("Secret.")
    return folder


@pytest.mark.parametrize("source", [".", "src"])
@pytest.mark.parametrize(
    ("name", "slug"),
    [("01-part/02-nodes.md", "/01-part/02-nodes.html"), ("01-part/README.md", "/01-part/"), ("index.md", "/")],
)
def test_a_page_has_the_address_that_mdbook_gives_it(book: Path, source: str, name: str, slug: str) -> None:
    assert read_document(book / "src" / name, book / source).slug == slug


@pytest.mark.parametrize("source", [".", "src"])
def test_a_page_includes_what_is_in_the_folder_of_the_configuration(book: Path, source: str) -> None:
    path = book / "src" / "01-part" / "02-nodes.md"
    before = document_digest(path, book / source)

    assert read_document(path, book / source).text == "Nodes: fn main() {}\n"
    (book / "listings" / "main.rs").write_text("fn other() {}\n")
    assert document_digest(path, book / source) != before


@pytest.mark.parametrize("target", ["../../secret.rs", "../listings/linked.rs", "../listings/gone.rs"])
def test_what_is_outside_of_it_or_not_there_stays_as_it_is_and_is_named(book: Path, target: str) -> None:
    (book / "listings" / "linked.rs").symlink_to(book.parent / "secret.rs")
    path = book / "src" / "page.md"
    path.write_text(f"{{{{#include {target}}}}}")

    assert read_document(path, book / "src").text == f"{{{{#include {target}}}}}"
    (missing,) = fingerprint(path, book / "src").missing
    assert missing.endswith(Path(target).name.replace("linked", "secret"))


def test_the_table_of_contents_is_no_page(book: Path) -> None:
    with pytest.raises(NotForReadersError, match="table of contents"):
        read_document(book / "src" / "SUMMARY.md", book / "src")


@pytest.mark.parametrize(
    ("configuration", "is_one"),
    [
        ("[book]\nsrc = 'src'", True),
        ("[book]\nsrc = './src/'", True),
        ("", True),
        ("[book]\nsrc = 'docs'", False),
        ("[book]\nsrc = 3", False),
        ("book = 3", True),
        ("[book", False),
        (None, False),
    ],
)
def test_a_folder_is_an_mdbook_if_the_configuration_above_it_names_it(
    book: Path, configuration: str | None, is_one: bool
) -> None:
    (book / "src" / "SUMMARY.md").unlink()
    (book / "book.toml").unlink()
    if configuration is not None:
        (book / "book.toml").write_text(configuration)

    assert (find_mdbook(book / "src") is not None) is is_one


def test_a_table_of_contents_alone_marks_one_that_includes_from_its_own_folder(book: Path) -> None:
    (book / "book.toml").unlink()
    path = book / "src" / "01-part" / "02-nodes.md"
    document = read_document(path, book / "src")

    assert document.slug == "/01-part/02-nodes.html"
    assert document.text.endswith("listings/main.rs}}")


def test_the_digest_changes_when_a_folder_becomes_an_mdbook(book: Path) -> None:
    path = book / "src" / "index.md"
    before = document_digest(path, book / "src")
    (book / "book.toml").unlink()
    (book / "src" / "SUMMARY.md").unlink()

    assert document_digest(path, book / "src") != before
