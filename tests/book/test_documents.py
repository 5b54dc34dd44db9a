"""How source files are read: where sections and blocks are, what is not content, titles and addresses."""

import os
import re
import sys
from pathlib import Path

import pytest

from app.book.documents import (
    Document,
    Section,
    Skipped,
    document_digest,
    find_sources,
    parse_document,
    read_document,
)
from app.errors import DocumentError


def headings(text: str, source: str = "page.mdx") -> list[tuple[str, ...]]:
    """The heading paths below the title."""
    return [section.heading_path[1:] for section in parse_document(source, text).sections]


def blocks(text: str, source: str = "page.mdx") -> list[tuple[str, str]]:
    document = parse_document(source, text)
    return [(block.kind, text[block.start : block.end]) for part in document.sections for block in part.blocks]


def only(document: Document) -> Section:
    (section,) = document.sections
    return section


# Headings


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("```sh\n# comment\n```\n", id="fence"),
        pytest.param("~~~\n# comment\n~~~\n", id="tildes"),
        pytest.param("````md\n```sh\n# comment\n```\n# comment\n````\n", id="fence in a longer fence"),
        pytest.param("- step\n  ```sh\n  # comment\n  ```\n", id="fence in a list"),
        pytest.param("> ```sh\n> # comment\n> ```\n", id="fence in a quote"),
        pytest.param("<Tab>\n```sh\n# comment\n\n# more\n```\n</Tab>\n", id="fence right after a tag"),
        pytest.param("<Tab>\n\n```sh\n# comment\n\n# more\n```\n\n</Tab>\n", id="fence in a tag"),
        pytest.param("<Tab>\n    ```sh\n    # comment\n\n    # more\n    ```\n</Tab>\n", id="indented fence in a tag"),
        pytest.param(
            "    Run this:\n    ```sh\n    # comment\n\n    # more\n    ```\n", id="indented fence after text"
        ),
        pytest.param("<!-- # comment -->\n", id="HTML comment"),
        pytest.param("<!--\n# comment\n\n# more\n-->\n", id="HTML comment of several lines"),
        pytest.param("<!--\n# comment\n\n# more\n--> after\n", id="HTML comment with text after it"),
        pytest.param("{/* # comment */}\n", id="MDX comment"),
        pytest.param("{/*\n# comment\n\n# more\n*/}\n", id="MDX comment of several lines"),
        pytest.param("<pre>\n# comment\n\n# more\n</pre>\n", id="pre"),
        pytest.param("<script>\n# comment\n\n# more\n</script>\n", id="script"),
        pytest.param("<style>{`\n# comment\n\n# more\n`}</style>\n", id="style"),
        pytest.param("export const x = `\n# comment\n\n# more\n`;\n", id="export"),
        pytest.param("<Code text={`\n# comment\n\n# more\n`} />\n", id="attribute"),
        pytest.param("<Code text={`\n# comment\n" + "more\n" * 1_000 + "# more\n`} />\n", id="long attribute"),
        pytest.param("<Code>{`\n# comment\n\n# more\n`}</Code>\n", id="expression in a tag"),
        pytest.param("<Code>\n{`\n# comment\n\n# more\n`}\n</Code>\n", id="expression below a tag"),
        pytest.param("{\n// {\n`\n# comment\n`\n}\n", id="expression"),
        pytest.param("{\n`\n# comment\n`\n} after\n", id="expression with text after it"),
        pytest.param("{list.map(one => <li>\n# comment\nDon't</li>)}\n", id="expression with tags"),
        pytest.param("<!--\n" + "# comment\n" * 6_000 + "-->\n", id="long HTML comment"),
        pytest.param("{/*\n" + "# comment\n" * 6_000 + "*/}\n", id="long MDX comment"),
        pytest.param("> # quoted\n> text\n", id="quote"),
        pytest.param("- # item\n- text\n", id="list"),
        pytest.param("text\n\\# escaped\n#hashtag\n####### seven\n", id="no heading at all"),
        pytest.param("##\n", id="empty"),
    ],
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_what_only_looks_like_a_heading_is_none(text: str, line_end: str) -> None:
    page = f"---\ntitle: Page\n---\n{text}\n## Real\n".replace("\n", line_end)

    assert [path for path in headings(page) if path] == [("Real",)]


def test_a_fence_that_is_never_closed_goes_to_the_end() -> None:
    assert headings("## Real\n\n```sh\n# comment\n\n## more\n") == [("Real",)]


def test_indented_code_is_code_in_markdown_only() -> None:
    text = "Run this:\n\n    # comment\n    ls\n\n## Real\n\nText."

    assert headings(text, "page.md") == [(), ("Real",)]
    assert blocks(text, "page.md") == [("text", "Run this:"), ("code", "# comment\n    ls"), ("text", "Text.")]


@pytest.mark.parametrize(
    ("line", "text", "anchor"),
    [
        ("## Plain", "Plain", "plain"),
        ("## Closed ##", "Closed", "closed"),
        ("## The `Node` class", "The Node class", "the-node-class"),
        ("## `Rc<T>` and *why*", "Rc<T> and why", "rct-and-why"),
        ("## [ROS 2](https://ros.org) &amp; __you__", "ROS 2 & you", "ros-2--you"),
        ("## The [Node][n] class", "The Node class", "the-node-class"),
        ("## ![A robot](robot.png) arm", "A robot arm", "a-robot-arm"),
        ("## <b>Bold</b> <Since v='1' />", "Bold", "bold-"),
        ("## One  two", "One two", "one--two"),
        ("## One&nbsp;two", "One two", "onetwo"),
        ("## Title {#custom-id .big}", "Title", "custom-id"),
        ("## Title { .big  #custom-id }", "Title", "custom-id"),
        ("## Title {: #custom-id }", "Title", "custom-id"),
        ("## Title {.big}", "Title", "title"),
        ("## Title {x}", "Title {x}", "title-x"),
        ("## Title {#custom-id}", "Title", "custom-id"),
        ("## Title {/* #custom-id */}", "Title", "custom-id"),
        ("## Title {#custom-id} ##", "Title", "custom-id"),
        ("## Über_Größe: 3-D!", "Über_Größe: 3-D!", "über_größe-3-d"),
        ("## 第一章 介绍", "第一章 介绍", "第一章-介绍"),
        ("Underlined `x`\n---", "Underlined x", "underlined-x"),
        ("Underlined {#u}\n---", "Underlined", "u"),
        ("## Title {/* a note */}", "Title", "title"),
        ("## E\u0301tude", "E\u0301tude", "e\u0301tude"),
        ("    ## Indented", "Indented", "indented"),
    ],
)
def test_a_heading_has_the_text_a_reader_sees_and_its_anchor(line: str, text: str, anchor: str) -> None:
    section = parse_document("page.mdx", f"{line}\n\nText.\n\n[n]: https://node.example\n").sections[0]

    assert (section.heading_path[-1], section.anchor) == (text, anchor)


def test_repeated_headings_get_numbered_anchors() -> None:
    document = parse_document("page.md", "## Use\n## Use\n## Use 1\n## Use\n")

    assert [section.anchor for section in document.sections] == ["use", "use-1", "use-1-1", "use-2"]


def test_headings_in_quotes_and_lists_count_for_the_numbers_of_anchors() -> None:
    document = parse_document("page.md", "> ## Use\n\n- ## Use\n\n## Use\n\nText.\n\n> ## Use {#use-3}\n\n## Use\n")

    assert [section.anchor for section in document.sections] == ["", "use-2", "use-3"]


def test_the_heading_path_follows_the_levels() -> None:
    text = "# Book\nA\n## One\n### Deep\n## Two\n#### Deeper\n# Second\n## Three\n"

    assert parse_document("page.md", text).title == "Book"
    assert headings(text, "page.md") == [
        (),
        ("One",),
        ("One", "Deep"),
        ("Two",),
        ("Two", "Deeper"),
        ("Second",),
        ("Second", "Three"),
    ]


def test_text_before_the_first_heading_is_under_the_title_and_has_no_anchor() -> None:
    first, second = parse_document("page.md", "---\ntitle: Page\n---\nHello.\n\n## One\n\nText.\n").sections

    assert (first.heading_path, first.anchor) == (("Page",), "")
    assert (second.heading_path, second.anchor) == (("Page", "One"), "one")


def test_a_first_heading_that_repeats_the_title_adds_nothing() -> None:
    text = "---\ntitle: 'Week 4: Nodes'\n---\n# Week 4 - Nodes\n\nText.\n\n## One\n"

    assert headings(text) == [(), ("One",)]
    assert parse_document("page.mdx", text).sections[0].anchor == ""


def test_sections_follow_each_other_without_gaps() -> None:
    text = "---\ntitle: Page\n---\nHello.\n\n## One\n\nText.\n\nTwo\n---\n\nEnd."
    document = parse_document("page.md", text)

    assert [text[section.start : section.end] for section in document.sections] == [
        "Hello.\n\n",
        "## One\n\nText.\n\n",
        "Two\n---\n\nEnd.",
    ]


# Blocks


def test_imports_are_no_content_but_imports_in_code_are() -> None:
    text = (
        "import A from 'a';\nimport {\n  B,\n\n  C,\n} from 'b';\nexport const x = {\n  y: 1,\n};\n\n"
        "```py\nimport rclpy\nexport = 1\n```\n\nimport the package from npm, then\nexport default settings.\n"
    )

    assert blocks(text) == [
        ("hidden", "import A from 'a';"),
        ("hidden", "import {\n  B,\n\n  C,\n} from 'b';"),
        ("hidden", "export const x = {\n  y: 1,\n};"),
        ("code", "```py\nimport rclpy\nexport = 1\n```"),
        ("text", "import the package from npm, then\nexport default settings."),
    ]


def test_an_export_that_never_closes_ends_at_the_first_blank_line() -> None:
    assert blocks("export const x = (\n\nText.\n") == [("hidden", "export const x = ("), ("text", "Text.")]


def test_plain_markdown_has_no_imports() -> None:
    assert blocks("export const x = 1\n", "page.md") == [("text", "export const x = 1")]


@pytest.mark.parametrize(
    "first",
    [
        "import Tabs from '@theme/Tabs';",
        "<Tabs>\n</Tabs>",
        "  <Tabs a={1}>\nText.\n\n</Tabs>",
        "> ```\n> x\n> ```\n<Tabs></Tabs>",
        "<Tabs\n  a={1}\n/>",
    ],
    ids=["import", "component", "indented component", "component after a fence", "component without content"],
)
def test_a_markdown_file_with_components_is_read_as_mdx(first: str) -> None:
    assert headings(f"{first}\n\n    ## Indented\n", "page.md")[-1] == ("Indented",)


@pytest.mark.parametrize(
    "first",
    [
        "```jsx\nimport A from 'a';\n<Tabs></Tabs>\n```",
        "    <Tabs/>",
        "The `<Tabs/>` tag",
        "import the package",
        "<T> is a type parameter.",
        "<T>x</T>",
        "<Rc<T>> is shared.",
        "<String> is a type.",
    ],
    ids=["in a fence", "indented code", "inline", "prose", "type", "tag of one letter", "generic type", "no end"],
)
def test_a_markdown_file_that_only_shows_components_is_not(first: str) -> None:
    assert headings(f"{first}\n\n    ## Indented\n", "page.md") == [()]


def test_tags_around_content_are_skipped_and_what_is_in_them_is_not() -> None:
    text = (
        '<Tabs values={() => 1}>\n<TabItem\n  value="npm"\n>\nUse npm:\n```sh\nnpm start\n```\n'
        "</TabItem></Tabs>\n<summary>More</summary>\n<https://ros.org>\n"
    )

    assert blocks(text) == [
        ("skip", "<Tabs values={() => 1}>"),
        ("skip", '<TabItem\n  value="npm"\n>'),
        ("text", "Use npm:"),
        ("code", "```sh\nnpm start\n```"),
        ("skip", "</TabItem></Tabs>"),
        ("text", "<summary>More</summary>\n<https://ros.org>"),
    ]


def test_an_expression_of_several_lines_is_code() -> None:
    text = "<CodeBlock language='js'>\n{`a {\n\n  b`}\n</CodeBlock>\n\n{title}\n\n<Code>{`\nc\n`}</Code>\n"

    assert blocks(text) == [
        ("skip", "<CodeBlock language='js'>"),
        ("code", "{`a {\n\n  b`}"),
        ("skip", "</CodeBlock>"),
        ("text", "{title}"),
        ("code", "<Code>{`\nc\n`}</Code>"),
    ]


def test_braces_are_no_expression_in_plain_markdown() -> None:
    assert blocks("{\n\n## One\n\n}", "page.md") == [("text", "{"), ("text", "}")]


@pytest.mark.parametrize(
    "formula",
    [
        "$$\n\\tau\n=\nJ^T F\n$$",
        "$$ \\tau\n- - -\nF $$",
        "$$\n# a\n\\begin{b}\n- c\n{\n\\end{b}\n$$",
        "\\[\nx\n--\ny\n\\]",
    ],
)
@pytest.mark.parametrize("source", ["page.md", "page.mdx"])
def test_a_formula_is_one_block(formula: str, source: str) -> None:
    assert blocks(f"The law is\n{formula}\nwhere\n\nF is it.", source) == [
        ("text", "The law is"),
        ("text", formula),
        ("text", "where"),
        ("text", "F is it."),
    ]


@pytest.mark.parametrize(
    "text",
    ["$$ is the number of the process\n\n## Real\n\n$$", "$$ x $$\n## Real", "> $$\n## Real\n$$", "\\[\n## Real"],
)
def test_what_only_begins_like_a_formula_is_none(text: str) -> None:
    assert headings(text)[-1] == ("Real",)


def test_a_tag_ends_a_list_and_a_table() -> None:
    text = "<Box>\n- [ ] done\n</Box>\n\n|a|b|\n|-|-|\n|1|2|\n</Box>\n"

    assert blocks(text) == [
        ("skip", "<Box>"),
        ("text", "- [ ] done"),
        ("skip", "</Box>"),
        ("table", "|a|b|\n|-|-|\n|1|2|"),
        ("skip", "</Box>"),
    ]


def test_text_in_an_html_block_of_a_markdown_file_is_no_code() -> None:
    text = "<figure>\n  <figcaption>\n    The `HitRect`.\n  </figcaption>\n</figure>\n"

    assert ("text", "The `HitRect`.") in blocks(text, "page.md")


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        pytest.param("Uses `Rc<T>` and Vec<U>.", ["text"], id="generics"),
        pytest.param("<!-- note --> Text.", ["hidden", "text"], id="text after a comment"),
        pytest.param("<!-- never closed\n\nText.", ["text", "text"], id="comment that is never closed"),
        pytest.param("<pre>never closed\n\nText.", ["text", "text"], id="pre that is never closed"),
        pytest.param("<script>x</script> Text.", ["text"], id="text after a script"),
        pytest.param(":::note[Read this]\n\nText.\n\n:::", ["text", "text", "text"], id="admonition"),
        pytest.param(":::note\nText.\n:::", ["text"], id="tight admonition"),
        pytest.param("```mermaid\ngraph TD\n```", ["code"], id="mermaid"),
        pytest.param("<https://ros.org>", ["text"], id="link alone"),
        pytest.param("***", ["skip"], id="rule"),
        pytest.param("<br/>", ["skip"], id="tag alone"),
        pytest.param("[a]: https://a.example\n[//]: # 'Android'", ["hidden"], id="link definitions"),
        pytest.param("[^1]: https://a.example", ["text"], id="footnote"),
        pytest.param("-\n\n1.", ["skip"], id="empty items"),
        pytest.param("> > Text.\n>\n> More.", ["text", "skip", "text"], id="quote"),
        pytest.param(">" * 300 + " Text.", ["text"], id="nested too deeply"),
        pytest.param("<pre>a\n\nb</pre>", ["code"], id="pre"),
        pytest.param("", [], id="empty"),
        pytest.param(" \r\n\t\n", [], id="white space"),
    ],
)
def test_every_kind_of_block(text: str, kinds: list[str]) -> None:
    assert [kind for kind, _ in blocks(text)] == kinds


def test_offsets_count_the_characters_of_the_file(tmp_path: Path) -> None:
    front_matter = "\ufeff---\r\ntitle: Grüße 🚀\r\n---\r\n"
    text = front_matter + "# Grüße 🚀\r\n\r\nEin \u2028Satz.\rNoch einer.\r\n\r\n\x0b## 二\r\n\r\n日本語。"
    path = tmp_path / "page.md"
    path.write_bytes(text.encode())

    document = read_document(path, tmp_path)

    assert document.text == text
    assert [(part.heading_path, [text[b.start : b.end] for b in part.blocks]) for part in document.sections] == [
        (("Grüße 🚀",), ["Ein \u2028Satz.\rNoch einer.", "## 二", "日本語。"]),
    ]


# Titles and addresses


@pytest.mark.parametrize(
    ("source", "text", "title"),
    [
        pytest.param("a.md", "---\ntitle: Front\nsidebar_label: Side\n---\n# Heading\n", "Front", id="front matter"),
        pytest.param("a.md", "---\nsidebar_label: Side\n---\n## Sub\n# The `Heading`\n", "The Heading", id="H1"),
        pytest.param("a.md", "---\nsidebar_label: Side\nid: the-id\n---\n## Sub\n", "Side", id="sidebar label"),
        pytest.param("a.md", "---\nid: the-id\n---\n", "the-id", id="id"),
        pytest.param("part-1/02-ros_nodes.md", "Text", "Ros nodes", id="file name"),
        pytest.param("part-1/03-deep-learning/index.md", "Text", "Deep learning", id="folder name"),
        pytest.param("README.md", "Text", "README", id="top"),
        pytest.param("a.md", "---\ntitle: 2024\n---\n", "2024", id="number"),
        pytest.param("a.md", "---\ntitle: ''\n---\n# Heading\n", "Heading", id="empty"),
        pytest.param("a.md", "```\n# code\n```\n", "A", id="only code"),
    ],
)
def test_the_title_comes_from_the_best_place(source: str, text: str, title: str) -> None:
    document = parse_document(source, text)

    assert document.title == title
    assert all(section.heading_path[0] == title for section in document.sections)


@pytest.mark.parametrize(
    ("source", "front_matter", "slug"),
    [
        ("intro.md", "", "/intro"),
        ("01-part/02-nodes.md", "", "/part/nodes"),
        ("01-part/02-nodes.md", "id: graph", "/part/graph"),
        ("01-part/nodes.md", "slug: /top/", "/top"),
        ("01-part/nodes.md", "slug: ./graph", "/part/graph"),
        ("01-part/nodes.md", "slug: ../graph", "/graph"),
        ("01-part/nodes.md", "slug: /", "/"),
        ("part/index.mdx", "id: ignored", "/part"),
        ("part/README.md", "", "/part"),
        ("part/part.md", "", "/part"),
        ("index.md", "", "/"),
        ("2024-01-02-news.md", "", "/2024-01-02-news"),
        ("7.0-to-8.0.md", "", "/7.0-to-8.0"),
        ("10. Ten.md", "", "/Ten"),
        ("01-part/02-nodes.md", "parse_number_prefixes: false", "/01-part/02-nodes"),
    ],
)
def test_the_page_path_follows_docusaurus(source: str, front_matter: str, slug: str) -> None:
    assert parse_document(source, f"---\n{front_matter}\n---\nText").slug == slug


@pytest.mark.parametrize("value", ["false", "'true'", "1"])
def test_a_page_is_no_draft_unless_it_says_so(value: str) -> None:
    assert parse_document("a.md", f"---\ndraft: {value}\n---\nText").slug == "/a"


@pytest.mark.parametrize(
    ("value", "position"),
    [
        ("3", 3.0),
        ("1.5", 1.5),
        ("-1", -1.0),
        ("true", None),
        ("'3'", None),
        (".nan", None),
        (".inf", None),
        ("1" * 400, None),
        ("[1]", None),
        ("", None),
    ],
)
def test_the_sidebar_position_is_a_number_or_none(value: str, position: float | None) -> None:
    assert parse_document("a.md", f"---\nsidebar_position: {value}\n---\nText").sidebar_position == position


# Files


@pytest.fixture
def book(tmp_path: Path) -> Path:
    root = tmp_path / "book"
    for name in ["b.md", "a/c.mdx", "a/_part.md", "a/notes.txt", ".git/x.md", "node_modules/p/x.md", ".x.md"]:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("Text.")
    return root


def names(root: Path, *include: str) -> list[str]:
    sources = find_sources(root, include) if include else find_sources(root)
    return [path.relative_to(root).as_posix() for path in sources.paths]


def test_sources_are_found_in_order_without_hidden_folders(book: Path) -> None:
    assert names(book) == ["a/_part.md", "a/c.mdx", "a/notes.txt", "b.md"]


@pytest.mark.parametrize(
    ("include", "found"),
    [
        (["*.md"], ["b.md"]),
        (["a/**"], ["a/_part.md", "a/c.mdx", "a/notes.txt"]),
        (["**/?.m*", "b.md"], ["a/c.mdx", "b.md"]),
        (["**/*.rst"], []),
    ],
)
def test_globs_choose_the_sources(book: Path, include: list[str], found: list[str]) -> None:
    assert names(book, *include) == found


def test_the_case_of_a_suffix_does_not_matter(tmp_path: Path) -> None:
    for name in ["README.MD", "B.Html", "c.PDF"]:
        (tmp_path / name).write_text("Text.")

    assert names(tmp_path) == ["B.Html", "README.MD", "c.PDF"]


def test_links_that_leave_the_book_or_loop_are_skipped_with_a_reason(book: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.md").write_text("Secret.")
    (book / "secret.md").symlink_to(tmp_path / "secret.md")
    (book / "outside").symlink_to(tmp_path)
    (book / "a" / "loop").symlink_to(book)
    (book / "a" / "loop.md").symlink_to(book / "a" / "loop.md")
    (book / "gone.md").symlink_to(book / "nowhere.md")
    (book / "gone.png").symlink_to(book / "nowhere.png")
    (book / "linked.md").symlink_to(book / "b.md")

    assert names(book) == ["a/_part.md", "a/c.mdx", "a/notes.txt", "b.md", "linked.md"]
    assert [(each.source, each.reason) for each in find_sources(book).skipped] == [
        ("a/loop", "is a link to a folder, which is not followed."),
        ("a/loop.md", "is a link that cannot be followed."),
        ("gone.md", "is a link that leads nowhere."),
        ("outside", "is a link to a folder, which is not followed."),
        ("secret.md", "is a link that leads outside the book's folder."),
    ]


def test_what_is_no_regular_file_or_has_no_readable_name_is_skipped_with_a_reason(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.md")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/b\xe9.md")).write_text("Text.")

    assert find_sources(tmp_path) == (
        [],
        [Skipped("b\\udce9.md", "its name is not UTF-8."), Skipped("pipe.md", "is not a regular file.")],
    )


def test_a_book_may_be_one_file(book: Path) -> None:
    path = book / "a" / "c.mdx"

    assert find_sources(path) == ([path], [])
    assert read_document(path, path).source == "c.mdx"
    assert document_digest(path, path) == document_digest(path, book)


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="nowhere is not a folder or file"):
        find_sources(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param(b"Gr\xfc\xdfe", "page.md is not UTF-8: see byte 2.", id="Latin-1"),
        pytest.param("Text".encode("utf-16"), "page.md is not UTF-8", id="UTF-16"),
        pytest.param(b"a\0b", "page.md contains a NUL character", id="NUL"),
        pytest.param(b"a\n" * 10_000_001, "page.md is larger than 20 MB.", id="too large"),
        pytest.param(
            b"a\r\n" + b"a" * 1_000_001 + b"\r\n", "page.md has a line of 1,000,001 characters", id="long line"
        ),
    ],
)
def test_a_file_that_is_no_text_is_an_error(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "page.md"
    path.write_bytes(content)

    with pytest.raises(DocumentError, match=problem):
        read_document(path, tmp_path)


def test_a_file_of_the_largest_size_is_read(tmp_path: Path) -> None:
    path = tmp_path / "page.txt"
    path.write_bytes(b"a" * 999_999 + b"\n")

    assert len(read_document(path, tmp_path).text) == 1_000_000


@pytest.mark.parametrize("suffix", [".pdf", ".epub", ".md", ".html"])
def test_a_huge_file_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"huge{suffix}"
    with path.open("wb") as file:
        file.truncate(200_000_000)

    for read in (read_document, document_digest):
        with pytest.raises(DocumentError, match=f"huge{suffix} is larger than (20|100) MB"):
            read(path, tmp_path)


def test_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.md")

    with pytest.raises(DocumentError, match=r"pipe\.md is not a regular file"):
        read_document(tmp_path / "pipe.md", tmp_path)


def test_a_link_out_of_the_book_is_refused_also_by_the_reader(book: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.md").write_text("Secret.")
    (book / "secret.md").symlink_to(tmp_path / "secret.md")

    with pytest.raises(DocumentError, match=r"secret\.md leads outside the book's folder"):
        read_document(book / "secret.md", book)


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"gone\.md cannot be read: No such file"):
        read_document(tmp_path / "gone.md", tmp_path)


def test_the_source_is_the_path_below_the_root(book: Path) -> None:
    assert read_document(book / "a" / "c.mdx", book).source == "a/c.mdx"


@pytest.mark.parametrize("name", ["page.md", "page.mdx", "page.txt", "page.html", "page.rst"])
def test_the_digest_changes_with_the_file_and_with_nothing_else(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("Text.")
    before = document_digest(path, tmp_path)
    (tmp_path / "other.md").write_text("Other.")
    path.touch()

    assert document_digest(path, tmp_path) == before
    path.write_text("Text!")
    assert document_digest(path, tmp_path) != before


@pytest.mark.parametrize(
    ("name", "extra", "library"),
    [("a.html", "html", "lxml"), ("a.epub", "epub", "lxml"), ("a.pdf", "pdf", "pypdfium2")],
)
def test_a_missing_extra_is_named(
    tmp_path: Path, name: str, extra: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).write_text("Text.")
    monkeypatch.setitem(sys.modules, library, None)
    for module in ("html", "html_blocks", "html_code", "html_tree", "epub", "pdf"):
        monkeypatch.delitem(sys.modules, f"app.book.{module}", raising=False)

    with pytest.raises(
        DocumentError, match=re.escape(f"{name} needs the `{extra}` extra: pip install 'book-agent[{extra}]'")
    ):
        read_document(tmp_path / name, tmp_path)
