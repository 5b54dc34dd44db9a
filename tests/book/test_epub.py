"""How an EPUB is read: chapters in order under the book's title, and the archives that are refused."""

import io
import zipfile
from collections.abc import Mapping

import pytest

from app.book.blocks import Heading
from app.book.documents import Document, read_document
from app.book.epub import read_epub
from app.errors import DocumentError

CONTAINER = (
    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="OEBPS/content.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
)
NAV = (
    '<html xmlns="http://www.w3.org/1999/xhtml"><body><nav><ol><li><a href="text/one.xhtml">First</a></li>'
    '<li><a href="text/two.xhtml#x">Second</a></li></ol></nav></body></html>'
)
NCX = (
    '<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/"><navMap><navPoint><navLabel><text>First</text></navLabel>'
    '<content src="text/one.xhtml"/></navPoint></navMap></ncx>'
)


def chapter(body: str) -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?><!DOCTYPE html><html xmlns="http://www.w3.org/1999/xhtml">'
        f"<head><title/></head><body>{body}</body></html>"
    )


def package(names: list[str], title: str = "The Tides") -> str:
    items = "".join(
        f'<item id="{name}" href="text/{name}.xhtml" media-type="application/xhtml+xml"/>' for name in names
    )
    spine = "".join(f'<itemref idref="{name}"/>' for name in names)
    return (
        f'<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata>'
        f"<dc:title>{title}</dc:title></metadata><manifest>{items}"
        '<item id="nav" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/>'
        '<item id="ncx" href="toc.ncx" media-type="application/x-dtbncx+xml"/></manifest>'
        f'<spine><itemref idref="nav"/>{spine}{spine}<itemref idref="gone"/></spine></package>'
    )


def epub(
    chapters: Mapping[str, str], more: Mapping[str, str] | None = None, title: str = "The Tides", prolog: str = ""
) -> bytes:
    """Chapters by name, in the order of reading."""
    members = {
        "META-INF/container.xml": CONTAINER,
        "OEBPS/content.opf": prolog + package(list(chapters), title),
        **{f"OEBPS/text/{name}.xhtml": chapter(body) for name, body in chapters.items()},
        **(more or {}),
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def contents(content: bytes, tmp_path) -> tuple[Document, list[tuple[tuple[str, ...], str, list[str]]]]:
    path = tmp_path / "tides.epub"
    path.write_bytes(content)
    document = read_document(path, tmp_path)
    return document, [
        (part.heading_path[1:], part.anchor, [document.text[block.start : block.end] for block in part.blocks])
        for part in document.sections
    ]


def test_chapters_come_in_the_order_of_reading_under_the_books_title(tmp_path) -> None:
    content = epub(
        {"two": "<h1 id='b'>Two</h1><p>B &nbsp;&amp; c.</p><h2>Sub</h2><p>C.</p>", "one": "<h3>One</h3><p>A.</p>"}
    )
    document, found = contents(content, tmp_path)

    assert (document.title, document.slug) == ("The Tides", "/tides.epub")
    assert found == [
        (("Two",), "b", ["B & c."]),
        (("Two", "Sub"), "two", ["C."]),
        (("One",), "one", ["A."]),
    ]


@pytest.mark.parametrize("contents_page", [{"OEBPS/nav.xhtml": NAV}, {"OEBPS/toc.ncx": NCX}])
def test_a_chapter_without_a_heading_has_its_name_in_the_table_of_contents(
    contents_page: dict[str, str], tmp_path
) -> None:
    _, found = contents(
        epub({"cover": "<p>Cover.</p>", "one": "<p>A.</p><h1>Deep</h1><p>B.</p>"}, contents_page), tmp_path
    )

    assert found == [((), "", ["Cover."]), (("First",), "one", ["A."]), (("First", "Deep"), "one", ["B."])]


def points(*places: tuple[str, str], more: str = "") -> dict[str, str]:
    """The table of contents, of name and place."""
    made = "".join(
        f"<navPoint><navLabel><text>{name}</text></navLabel><content src='text/one.xhtml{place}'/>{more}</navPoint>"
        for name, place in places
    )
    return {"OEBPS/toc.ncx": f"<ncx><navMap>{made}</navMap></ncx>"}


FIRST, SECOND = ("Chapter One: Dawn", "#a"), ("Two", "#b%20b")
BELOW = "<navPoint><navLabel><text>Deep</text></navLabel><content src='text/one.xhtml#c'/></navPoint>"


@pytest.mark.parametrize(
    ("body", "toc", "expected"),
    [
        pytest.param(
            "<p id='a'>CHAPTER ONE</p><p>A.</p><div><p>Three <a id='b b'/>B.</p></div>",
            points(FIRST, SECOND),
            [(("Chapter One: Dawn",), "a", ["A."]), (("Two",), "b b", ["Three B."])],
            id="without headings",
        ),
        pytest.param(
            "<p>A.</p><ul><li id='b b'>B.</li></ul><h1>Sub</h1><p>C.</p>",
            points(("One", ""), SECOND),
            [(("One",), "one", ["A."]), (("Two",), "b b", ["- B."]), (("Two", "Sub"), "one", ["C."])],
            id="after the file's own name",
        ),
        pytest.param(
            "<p>A.</p><p id='c'>B.</p>",
            points(("One", ""), more=BELOW),
            [(("One",), "one", ["A."]), (("One", "Deep"), "c", ["B."])],
            id="below the file's own name",
        ),
        pytest.param(
            "<div id='a'><img/><h2>One</h2></div><p>A.</p><h2><a id='b b'/>2</h2><p>B.</p><p id='c'>C.</p>",
            points(FIRST, SECOND, ("One", "#c")),
            [(("One",), "a", ["A."]), (("2",), "b b", ["B.", "C."])],
            id="with headings",
        ),
    ],
)
def test_a_section_begins_where_the_table_of_contents_says(
    body: str, toc: dict[str, str], expected: list[object], tmp_path
) -> None:
    assert contents(epub({"one": body}, toc), tmp_path)[1] == expected


def test_the_table_of_contents_is_not_the_list_of_printed_pages(tmp_path) -> None:
    toc = "<nav role='doc-toc'><ol><li><a href='text/one.xhtml'>One</a></li></ol></nav>"
    pages = "<nav><ol><li><a href='text/one.xhtml#p7'>7</a></li></ol></nav>"
    body = "<p>A.</p><p id='p7'>B.</p>"

    assert contents(epub({"one": body}, {"OEBPS/nav.xhtml": chapter(pages + toc)}), tmp_path)[1] == [
        (("One",), "one", ["A.", "B."])
    ]


@pytest.mark.parametrize("toc", ["", "<ncx><navMap>", "<p>& no XML"])
def test_a_table_of_contents_that_is_damaged_costs_only_the_names(toc: str, tmp_path) -> None:
    assert contents(epub({"one": "<p>A.</p>"}, {"OEBPS/toc.ncx": toc}), tmp_path)[1] == [((), "", ["A."])]


def test_a_chapter_that_is_missing_or_empty_costs_only_itself(tmp_path) -> None:
    content = epub({"two": "", "Three": "<p>C.</p>", "one": "<p>A.</p>"}, {"OEBPS/text/two.xhtml": ""})
    content = content.replace(b"OEBPS/text/one.xhtml", b"OEBPS/text/gone.html")
    content = content.replace(b"OEBPS/text/Three.xhtml", b"OEBPS/TEXT/three.xhtml")

    assert contents(content, tmp_path)[1] == [((), "", ["C."])]


def test_a_chapter_in_two_files_goes_on_where_the_second_has_no_name(tmp_path) -> None:
    _, found = contents(epub({"one": "<h1>One</h1><p>A.</p>", "one-2": "<p>B.</p>"}), tmp_path)

    assert found == [(("One",), "one", ["A.", "B."])]


def test_code_tables_and_notes_survive(tmp_path) -> None:
    body = "<h1>One</h1><pre><code class='language-py'>import a\n# b</code></pre><aside><p>A note.</p></aside>"
    _, found = contents(epub({"one": body}), tmp_path)

    assert found[0][2] == ["```py\nimport a\n# b\n```", "A note."]


def test_marks_of_notes_and_pages_are_left_out(tmp_path) -> None:
    noteref = "<a epub:type='noteref' href='#n'>1</a>"
    pagebreak = "<span epub:type='pagebreak' id='p6'>6</span>"
    body = f"<p>One{noteref} and two<sup>{noteref}</sup>, {pagebreak}three.</p>"
    xhtml = chapter(body).replace("<html", "<html xmlns:epub='http://www.idpf.org/2007/ops'")

    for text in (xhtml, xhtml.replace("</p>", "<br>")):
        _, found = contents(epub({"one": ""}, {"OEBPS/text/one.xhtml": text}), tmp_path)
        assert found[-1][2] == ["One and two, three."]


def test_a_chapter_that_is_no_xml_is_read_as_html(tmp_path) -> None:
    _, found = contents(epub({"one": "<h1>One<p>A & b<br>c."}), tmp_path)

    assert "A & b" in " ".join(found[-1][2]) + found[-1][0][0]


def test_the_title_is_the_files_name_where_there_is_none(tmp_path) -> None:
    assert contents(epub({"one": "<p>A.</p>"}, title=""), tmp_path)[0].title == "Tides"


def test_fonts_may_be_scrambled(tmp_path) -> None:
    locked = '<encryption><CipherReference URI="OEBPS/a.otf"/></encryption>'

    assert contents(epub({"one": "<p>A.</p>"}, {"META-INF/encryption.xml": locked}), tmp_path)[1]


# What is refused


def refusal(content: bytes) -> str:
    with pytest.raises(DocumentError) as caught:
        read_epub("tides.epub", content)
    return caught.value.detail


def damaged(content: bytes, old: bytes, new: bytes) -> bytes:
    assert old in content
    return content.replace(old, new)


def test_a_book_with_drm_says_so() -> None:
    locked = '<encryption><CipherReference URI="OEBPS/text/one.xhtml"/></encryption>'

    assert refusal(epub({"one": "<p>A.</p>"}, {"META-INF/encryption.xml": locked})) == "tides.epub is locked by DRM."


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"Text.", "is not an EPUB, or is damaged"),
        (b"", "is not an EPUB, or is damaged"),
        (epub({"one": "<p>A.</p>"})[:-40], "is not an EPUB, or is damaged"),
        (epub({}, {"META-INF/container.xml": "<container/>"}), "names no package in it"),
        (epub({}, {"META-INF/container.xml": CONTAINER.replace("content", "gone")}), "has no OEBPS/gone.opf in it"),
        (epub({"one": "<script>x</script>"}), "has no text"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_what_is_no_book_says_so(content: bytes, problem: str) -> None:
    assert problem in refusal(content)


def test_a_chapter_that_unpacks_to_too_much_is_refused() -> None:
    assert "unpacks to over 200 times its size" in refusal(epub({"one": "<p>" + "a" * 30_000_000}))


def test_chapters_that_together_unpack_to_too_much_are_refused() -> None:
    words = "</p><p>".join(f"{number:x}" for number in range(1_000_000))

    assert "unpacks to more than 50 MB of text" in refusal(
        epub({str(number): f"<p>{words}</p>" for number in range(5)})
    )


def test_a_size_that_is_declared_wrong_is_not_believed() -> None:
    content = epub({"one": "<p>" + "a" * 30_000_000 + "</p>"})
    size = len(chapter("<p>" + "a" * 30_000_000 + "</p>")).to_bytes(4, "little")

    assert "is damaged" in refusal(damaged(content, size, (50).to_bytes(4, "little")))


def test_too_many_files_are_refused() -> None:
    assert "more than 10,000 files" in refusal(epub({}, {f"{number}": "" for number in range(10_001)}))


def test_entities_of_a_package_are_not_expanded() -> None:
    bomb = '<!DOCTYPE p [<!ENTITY a "aaaa"><!ENTITY f SYSTEM "file:///etc/passwd">]>'

    assert read_epub("a.epub", epub({"one": "<p>A.</p>"}, title="&a;&f;", prolog=bomb)).title == "&a;&f;"


def test_the_levels_of_a_chapter_keep_their_order() -> None:
    page = read_epub("a.epub", epub({"one": "<h2>A</h2><p>x</p><h4>B</h4><p>y</p>", "two": "<h1>C</h1><p>z</p>"}))

    assert [part.level for part in page.parts if isinstance(part, Heading)] == [2, 4, 2]
