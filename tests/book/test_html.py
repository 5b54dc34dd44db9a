"""How a built page is read: only its own text, all of its code, its real anchors and address."""

import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from app.book.blocks import Block, Heading
from app.book.documents import Document, find_sources, read_document
from app.book.front_matter import split_front_matter
from app.book.html import read_html
from app.book.pages import Page
from app.errors import DocumentError, NotForReadersError

SAMPLE_BOOK = Path(__file__).parents[2] / "app" / "sample_book"
CORPORA = Path(__file__).parents[3] / "shared" / "corpora"
FENCE = re.compile(r"(`{3,})([^\n]*)\n(.*)\n\1", re.DOTALL)


def page(body: str, head: str = "", source: str = "guide/page.html") -> Page:
    html = f"<!doctype html><html><head><meta charset=utf-8>{head}</head><body>{body}</body></html>"
    return read_html(source, html.encode())


def texts(body: str, kind: str | None = None) -> list[str]:
    made = page(f"<main>{body}</main>")
    blocks = [part for part in made.parts if isinstance(part, Block)]
    return [made.text[part.start : part.end] for part in blocks if kind in {None, part.kind}]


def code(body: str) -> tuple[str, str]:
    """Language and content of the only code block."""
    (fenced,) = texts(body, "code")
    match = FENCE.fullmatch(fenced)
    assert match
    return match[2], match[3]


def headings(body: str) -> list[tuple[int, str, str]]:
    return [(part.level, part.text, part.anchor) for part in page(body).parts if isinstance(part, Heading)]


# What is the page's own text


@pytest.mark.parametrize(
    "around",
    [
        "<nav>Menu</nav><main>{}</main><footer>Imprint</footer>",
        "<header>Site</header><article>{}</article><aside><a href=x>Other pages</a></aside>",
        "<p>Site</p><div role=main>{}</div><p>Imprint</p>",
        '<main>Home<article><div class="theme-doc-markdown markdown">{}</div>Edit</article></main>',
        '<div itemprop="articleBody">{}</div><p>Next</p>',
        "<nav>Menu</nav>{}<footer>Imprint</footer>",
        "<form><h2 hidden>x</h2><main>{}</main></form>",
        "<header>Site</header><article>{}</article><article>Teaser</article>".replace("<article>Teaser</article>", ""),
    ],
)
def test_only_the_main_text_is_read(around: str) -> None:
    made = page(around.format("<p>Text.</p>"))

    assert made.text == "Text."


@pytest.mark.parametrize(
    "html",
    [
        "<script>var x</script>",
        "<style>p {}</style>",
        "<svg><text>x</text></svg>",
        "<button>Copy</button>",
        "<form><input>Search</form>",
        "<nav>Menu</nav>",
        "<!-- comment -->",
        "<p hidden>x</p>",
        "<p style='color: red; display: none'>x</p>",
        "<span aria-hidden=true>x</span>",
        "<div class='tocCollapsible_a theme-doc-toc-mobile'>On this page</div>",
        "<aside><a href=a>On</a> <a href=b>this page</a></aside>",
        "<ul role=tablist><li>npm</li></ul>",
        "<footer class=theme-doc-footer>Edit this page</footer>",
        "<sup><a href='#fn1'>1</a></sup>",
        "<sup><a href='notes.html#n2'>[2]</a></sup>",
        "<a href='notes.html#n2'><sup>*</sup></a>",
        "<a role=doc-noteref href='#n'>1</a>",
        "<span role=doc-pagebreak>12</span>",
        "<a class=footnote-backref href='#r1'>1 again</a>",
        "<a href='#r1'>↩\ufe0e<sup>2</sup></a>",
        "<a href=_modules/a.html><span class=viewcode-link>[source]</span></a>",
        "<header><p>Site</p></header>",
        "<section><footer><a href=a>Next</a></footer></section>",
    ],
)
def test_what_surrounds_the_text_is_left_out_and_what_follows_it_is_not(html: str) -> None:
    assert " ".join(texts(f"<p>Before</p>{html}after.")) == "Before after."


@pytest.mark.parametrize(
    "html",
    [
        "<aside class=starlight-aside>Text.</aside>",
        "<aside>Text, with a <a href=x>link</a>.</aside>",
        "<header><h1>Text.</h1></header>",
        "<div role=tabpanel hidden>Text.</div>",
        "<details><summary>Text.</summary></details>",
        "<figure><figcaption>Text.</figcaption></figure>",
        "<my-tabs><my-tab><p>Text.</p></my-tab></my-tabs>",
        "<a href=x><div>Text.</div></a>",
        "<article><header><p>Text.</p></header></article>",
        "<blockquote><footer>Text.</footer></blockquote>",
        "<section role=doc-pagebreak>Text on a page of its own.</section>",
        "<p>Press <button>Text</button>.</p>",
        "<sup><a href='https://x.example/a#b'>Text</a></sup>",
        "<h2><a role=doc-backlink href='#toc'>Text</a></h2>",
        "<div class=toc><pre>Text</pre></div>",
        "<div class=gutter>Text</div>",
    ],
)
def test_what_belongs_to_the_text_is_kept(html: str) -> None:
    assert "Text" in page(f"<main>{html}</main>").text


@pytest.mark.parametrize(
    "html",
    [
        "<body class=line-numbers><main>{}</main>",
        "<body style='visibility: hidden'>{}",
        "<body hidden><div style='display:none'><main aria-hidden=true>{}</main></div>",
        "<main hidden>Other</main><main class=toc>{}</main>",
    ],
)
def test_a_page_that_is_hidden_until_it_is_loaded_is_read(html: str) -> None:
    assert read_html("a.html", html.format("<p>Text.</p>").encode()).text == "Text."


def test_a_button_in_a_sentence_is_a_word_of_it() -> None:
    assert texts("<p>Click <button>Save</button> to save.<button title=Copy>C</button></p>") == ["Click Save to save."]


TABS = "<ul role=tablist><li role=tab>npm</li><li role=tab> Yarn <i>2</i></li></ul>"
PANELS = "<div role=tabpanel>One.</div><div role=tabpanel hidden><p>Two.</p></div>"
LABELS = "<label>C</label><label>D</label>"
FENCED = "```\n2\n```"
INSIDE = f"<div role=tabpanel><div>{TABS}{PANELS}</div></div>"


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        (f"{TABS}{PANELS}", ["npm", "One.", "Yarn 2", "Two."]),
        (f"{TABS}<div>{PANELS}</div>Then.", ["npm", "One.", "Yarn 2", "Two.", "Then."]),
        (f"<div>{TABS}</div>{PANELS}", ["npm", "One.", "Yarn 2", "Two."]),
        (f"{TABS}{INSIDE}<p role=tabpanel>3</p>", ["npm", "npm", "One.", "Yarn 2", "Two.", "Yarn 2", "3"]),
        ("<p role=tablist><button role=tab>npm</button></p><p role=tabpanel>One.</p>", ["npm", "One."]),
        (f"{TABS}<div role=tabpanel>One.</div>", ["One."]),
        (f"<div class=tabbed-labels>{LABELS}</div><div><div>One.</div><pre>2</pre></div>", ["C", "One.", "D", FENCED]),
        (f"<div class=tabs><input>{LABELS}</div><div><p>One.</p></div>", ["One."]),
    ],
    ids=["beside", "in a box", "under a wrapper", "inside tabs", "buttons", "another number", "labels", "one box"],
)
def test_a_tab_s_label_begins_its_panel(html: str, expected: list[str]) -> None:
    assert texts(f"<div>{html}</div>") == expected


# Headings


@pytest.mark.parametrize(
    ("html", "heading"),
    [
        ("<h2 id=use>Use</h2>", (2, "Use", "use")),
        ("<h2 class=anchor id=use>Use<a href=#use class=hash-link>\u200b</a></h2>", (2, "Use", "use")),
        (
            "<section id=use><span id=alias></span><h2>Use<a class=headerlink href=#use>¶</a></h2></section>",
            (2, "Use", "use"),
        ),
        ("<div class=section id=use><h3>Use</h3></div>", (3, "Use", "use")),
        ("<h2 id=use><a class=header href=#use>Use</a></h2>", (2, "Use", "use")),
        ("<h2><a name=use></a>Use</h2>", (2, "Use", "use")),
        ("<a id=use></a><h2>Use</h2>", (2, "Use", "use")),
        ("<p id=above>x</p><h2>Use</h2>", (2, "Use", "")),
        ("<h2 id=use>The <code>Rc&lt;T&gt;</code><br>type &amp; more</h2>", (2, "The Rc<T> type & more", "use")),
        ("<h2 id=use><img src=x alt=Robot></h2>", (2, "Robot", "use")),
    ],
)
def test_a_heading_keeps_its_own_anchor(html: str, heading: tuple[int, str, str]) -> None:
    assert headings(f"<main>{html}<p>Text.</p></main>") == [heading]


@pytest.mark.parametrize(
    "html",
    [
        "<p># Text</p>",
        "<p>Text<br>===</p>",
        "<blockquote><h2>Text</h2></blockquote>",
        "<ul><li><h2>Text</h2></li></ul>",
        "<div class='admonition note'><h5>Text</h5></div>",
        "<pre># Text</pre>",
        "<table><tr><td># Text</td></tr></table>",
        "<h2>\u200b</h2>Text",
    ],
)
def test_what_only_looks_like_a_heading_is_text(html: str) -> None:
    assert headings(f"<main>{html}</main>") == []
    assert "Text" in page(f"<main>{html}</main>").text


# Code


@pytest.mark.parametrize(
    ("html", "language"),
    [
        pytest.param("<pre><code class=language-py>{}</code></pre>", "py", id="markdown-it"),
        pytest.param(
            "<div class='highlight-py notranslate'><div class=highlight><pre><span></span>{}</pre></div></div>",
            "py",
            id="Sphinx",
        ),
        pytest.param(
            "<div class='language-py highlighter-rouge'><div><pre class=highlight>{}</pre></div></div>",
            "py",
            id="Rouge",
        ),
        pytest.param("<pre data-language=py><code>{}</code><button>Copy</button></pre>", "py", id="Expressive Code"),
        pytest.param("<pre>{}</pre>", "", id="bare"),
        pytest.param(
            "<table><tr><td class=linenos><pre>1\n2</pre></td><td><pre>{}</pre></td></tr></table>",
            "",
            id="line numbers",
        ),
        pytest.param(
            "<div class='language-py highlight'><table><tr><td class=linenos><pre>1</pre></td>"
            "<td class=code><div><pre><code>{}</code></pre></div></td></tr></table></div>",
            "py",
            id="Material",
        ),
        pytest.param(
            "<table><tr><td><pre class=chroma><code><span class=lnt>1\n</span></code></pre></td>"
            "<td><pre class=chroma><code class=language-py>{}</code></pre></td></tr></table>",
            "py",
            id="Chroma",
        ),
        pytest.param(
            "<pre class=line-numbers><code class='language-py line-numbers'>{}"
            "<span class=line-numbers-rows><span></span></span></code></pre>",
            "py",
            id="Prism",
        ),
    ],
)
def test_code_comes_out_as_it_is_with_its_language(html: str, language: str) -> None:
    source = "import rclpy\n\n# comment\n    x = Rc&lt;T&gt;"

    assert code(html.format(source)) == (language, "import rclpy\n\n# comment\n    x = Rc<T>")


@pytest.mark.parametrize(
    ("first", "empty", "last"),
    [
        pytest.param(
            "<span class=token-line>import <b>a</b><br></span>", "<span><br></span>", "<span>  b<br></span>", id="Prism"
        ),
        pytest.param(
            "<span class=line>import a</span>\n",
            "<span class=line></span>\n",
            "<span class=line>  b</span>",
            id="Shiki",
        ),
        pytest.param(
            "<div><div>import a</div></div>", "<div><div>\n</div></div>", "<div>  b</div>", id="a div for a line"
        ),
        pytest.param("<div>import a\n</div>", "<div></div>", "<div>  b</div>", id="an empty div"),
        pytest.param(
            "<span class=lineno>1 </span>import a\n",
            "<span class=lineno>2 </span>\n",
            "<span class=lineno>3 </span>  b",
            id="numbers",
        ),
        pytest.param(
            "<span class=line><span class=ln>1</span><span class=cl>import a\n</span></span>",
            "<span class=line><span class=ln>2</span><span class=cl>\n</span></span>",
            "<span class=line><span class=ln>3</span><span class=cl>  b</span></span>",
            id="Chroma",
        ),
    ],
)
def test_lines_of_code_stay_lines(first: str, empty: str, last: str) -> None:
    assert code(f"<pre><code>{first}{empty}{last}</code></pre>")[1] == "import a\n\n  b"


def test_the_label_of_a_language_is_no_text() -> None:
    assert texts("<div class='language-js x'><span class=lang>js</span><pre>a</pre></div>") == ["```js\na\n```"]


def test_code_of_numbers_is_code() -> None:
    assert code("<pre class=line-numbers><code>42</code></pre>") == ("", "42")


def test_code_with_fences_in_it_gets_a_longer_fence() -> None:
    assert texts("<pre>````md\n```\n````</pre>") == ["`````\n````md\n```\n````\n`````"]


# Text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>A <b>bold</b>\n <i>word</i> &amp; more.</p>", "A bold word & more."),
        ("<p>One<br>two</p>", "One\ntwo"),
        ("<p>An <code>Rc&lt;T&gt;</code> and <kbd>a`b</kbd></p>", "An `Rc<T>` and `` a`b ``"),
        ("<p>10<sup>2</sup> m</p>", "10^2 m"),
        ("<p>soft\u00adhyphen\u200b</p>", "softhyphen"),
        ("<p><img alt='A robot'> arm</p>", "A robot arm"),
        (
            "<math><semantics><mi>x</mi><annotation encoding='application/x-tex'>x^2</annotation></semantics></math>",
            "$x^2$",
        ),
        ("Mass <script type='math/tex'>m</script> here", "Mass $m$ here"),
        ("<blockquote><p>One<br>two</p></blockquote>", "> One\n> two"),
        ("<p>Un<b>closed <i>tags</p>", "Unclosed tags"),
    ],
)
def test_text_is_what_a_reader_sees(html: str, text: str) -> None:
    assert texts(html) == [text]


@pytest.mark.parametrize(
    ("mathml", "text"),
    [
        ("<mfrac><mn>1</mn><mn>2</mn></mfrac>", "1/2"),
        ("<mfrac><mrow><mi>a</mi><mo>+</mo><mn>1</mn></mrow><mrow><mn>2</mn></mrow></mfrac>", "(a+1)/2"),
        ("<msup><mi>x</mi><mn>2</mn></msup>", "x^2"),
        ("<msup><mi>e</mi><mrow><mo>-</mo><mi>t</mi></mrow></msup>", "e^(-t)"),
        ("<msub><mi>x</mi><mi>i</mi></msub>", "x_i"),
        ("<msubsup><mi>x</mi><mi>i</mi><mn>2</mn></msubsup>", "x_i^2"),
        ("<msqrt><mn>2</mn></msqrt>", "√2"),
        ("<msqrt><mi>x</mi><mo>+</mo><mn>1</mn></msqrt>", "√(x+1)"),
        ("<mroot><mi>x</mi><mn>3</mn></mroot>", "x^(1/3)"),
        ("<mover><mi>x</mi><mo>¯</mo></mover>", "x¯"),
        ("<munderover><mo>∑</mo><mi>i</mi><mi>n</mi></munderover> <mi>i</mi>", "∑_i^ni"),
        ("<munder><mi>lim</mi><mi>t</mi></munder><mtext>as</mtext><mi>t</mi>", "lim_t as t"),
        ("<mi>sin</mi><mo>\u2061</mo><mi>x</mi>", "sin x"),
        ("<mtable><mtr><mtd>1</mtd><mtd>0</mtd></mtr><mtr><mtd>0</mtd><mtd>1</mtd></mtr></mtable>", "(1, 0; 0, 1)"),
        ("<mfrac><mn>1</mn></mfrac><mrow>a<mi>b</mi>c</mrow>", "1abc"),
    ],
)
def test_a_formula_without_tex_is_on_one_line(mathml: str, text: str) -> None:
    assert texts(f"<p>Is <math>{mathml}</math>.</p>") == [f"Is {text}."]


def test_lists_keep_their_marks_and_order() -> None:
    made = page("<main><ul><li>a<ul><li><p>b</p></li></ul></li></ul><ol start=3><li>c</li><li>d</li></ol></main>")

    assert made.text == "- a\n  - b\n3. c\n4. d"


def test_a_table_is_a_table() -> None:
    head = "<caption>Sizes</caption><thead><tr><th>a</th><th>b|c</th></tr></thead>"
    html = f"<table>{head}<tr><td><p>1</p></td><td>x<br>y</td></tr></table>"

    assert texts(html, "table") == ["Sizes\n| a | b\\|c |\n| --- | --- |\n| 1 | x y |"]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("<tr><td rowspan=2>a<td>1<tr><td>2", ["| a | 1 |", "| a | 2 |"]),
        ("<tr><td>1<td rowspan=2>a<tr><td>2", ["| 1 | a |", "| 2 | a |"]),
        ("<tr><td>1<td>2<tr><td colspan=100>a", ["| 1 | 2 |", "| a | a |"]),
        ("<tr><th colspan=2>a<th>b<tr><td>1<td>2<td>3", ["| a | a | b |", "| 1 | 2 | 3 |"]),
        ("<tr><td rowspan=2 colspan=2>a<td>1<tr><td>2", ["| a | a | 1 |", "| a | a | 2 |"]),
        ("<tr><td rowspan=9>a<tbody><tr><td>b", ["| a |", "| b |"]),
        ("<tr><td>a<td><pre>x = 1\n\n  y</pre>z<tr><td>b", ["| a | `x = 1` `y` z |", "| b |"]),
    ],
    ids=["rows", "rows behind", "columns", "heads", "both", "groups", "code"],
)
def test_a_cell_is_in_every_place_that_it_covers(rows: str, expected: list[str]) -> None:
    (table,) = texts(f"<table>{rows}</table>", "table")

    assert [line for line in table.split("\n") if "---" not in line] == expected


def test_cells_are_not_repeated_without_end() -> None:
    cell = f"<td rowspan=999>{'x' * 999}"
    made = page(f"<table><tr>{cell * 99}{'<tr>' * 99}</table>")

    assert len(made.text) < 2_000_000


@pytest.mark.parametrize(
    "html",
    [
        "<table class=highlighttable><tr><th>f.py<tr><td><pre>x</pre></table>",
        "<table><tr><td class=gutter><pre>1</pre><td><pre>x</pre></table>",
    ],
)
def test_a_table_around_code_is_none(html: str) -> None:
    assert (texts(html, "table"), texts(html, "code")) == ([], ["```\nx\n```"])


# Titles and addresses


@pytest.mark.parametrize(
    ("body", "head", "title"),
    [
        ("<main><h1>Nodes</h1></main>", "<title>Other</title>", "Nodes"),
        ("<h1>Site</h1><main>Text</main>", "<title>Nodes - Site</title>", "Nodes"),
        ("<h1>Nodes</h1><main>Text</main>", "", "Nodes"),
        ("<main>Text</main>", "<title>Nodes | My - Site</title>", "Nodes"),
        ("<main>Text</main>", "<title>Nodes — documentation</title>", "Nodes"),
        ("<main>Text</main>", "<title>Nodes-and-edges: all</title>", "Nodes-and-edges: all"),
        ("<nav><h1>Site</h1></nav><main>Text</main>", "", "Page"),
    ],
)
def test_the_title_is_the_first_heading_or_the_titles_own_part(body: str, head: str, title: str) -> None:
    assert page(body, head).title == title


@pytest.mark.parametrize(
    ("source", "canonical", "slug"),
    [
        ("index.html", "", "/"),
        ("guide/intro/index.html", "", "/guide/intro"),
        ("guide/01-intro.html", "", "/guide/01-intro.html"),
        ("guide/intro.html", "https://x.example/book/guide/intro", "/guide/intro"),
        ("guide/intro/index.html", "https://x.example/book/guide/intro/", "/guide/intro/"),
        ("guide/intro.html", "/guide/intro.html", "/guide/intro.html"),
        ("guide/intro.html", "https://x.example/elsewhere", "/guide/intro.html"),
        ("index.html", "https://x.example/book/", "/"),
    ],
)
def test_the_address_is_that_of_the_built_site(source: str, canonical: str, slug: str) -> None:
    head = f'<link rel="canonical" href="{canonical}">' if canonical else ""

    assert page("Text", head, source).slug == slug


# What is no page


@pytest.mark.parametrize(
    ("head", "source", "problem"),
    [
        ("<meta http-equiv=Refresh content='0; URL=/other'>", "a.html", "a.html leads to another page."),
        ("<meta name=robots content='noindex, follow'>", "print.html", "print.html is marked as noindex."),
        ("", "404.html", "404.html is made by the site's builder."),
    ],
)
def test_a_page_that_is_not_for_readers_is_passed_over(head: str, source: str, problem: str) -> None:
    with pytest.raises(NotForReadersError, match=re.escape(problem)):
        page("Text", head, source)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param(b"Gr\xfc\xdfe", "is not UTF-8: see byte 2", id="no UTF-8"),
        pytest.param(b"<meta charset=punycode>Text", "is in an encoding that is not known: punycode", id="encoding"),
        pytest.param(b"<meta charset=utf-16>a\0b", "contains a NUL", id="NUL"),
        pytest.param(b"", "cannot be parsed|is empty", id="empty"),
        pytest.param(b"<div>" * 1_000_000, "is nested too deeply", id="a million div"),
        pytest.param(b"<p>" + b"x" * 10_000_001, "is too large", id="long text"),
    ],
)
def test_what_cannot_be_read_is_an_error(content: bytes, problem: str) -> None:
    with pytest.raises(DocumentError, match=f"^a.html ({problem})"):
        read_html("a.html", content)


@pytest.mark.parametrize(
    "content",
    [
        "\ufeff<p>Grüße</p>".encode(),
        "<p>Grüße</p>".encode("utf-16"),
        b"<meta charset=iso-8859-1><p>Gr\xfc\xdfe</p>",
        b"<meta http-equiv=content-type content='text/html; charset=windows-1252'><p>Gr\xfc\xdfe</p>",
        "<?xml version='1.0' encoding='UTF-8'?><html><body><p>Grüße</p></body></html>".encode(),
    ],
)
def test_the_encoding_is_the_declared_one(content: bytes) -> None:
    assert read_html("a.html", content).text == "Grüße"


def test_entities_of_an_xhtml_page_are_not_expanded() -> None:
    bomb = '<!DOCTYPE html [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;"><!ENTITY f SYSTEM "file:///etc/passwd">]>'
    made = read_html("a.xhtml", f"{bomb}<html><body><p>x&nbsp;&b;&f;y</p></body></html>".encode())

    assert made.text == "x &b;&f;y"


@settings(max_examples=100, deadline=None)
@given(st.text("<>/ \"'=&;abhpreicodtlu123!-#\n", max_size=300))
def test_any_soup_of_tags_has_a_text_with_exact_offsets(soup: str) -> None:
    try:
        made = page(soup)
    except NotForReadersError:
        return
    parts = [part for part in made.parts if isinstance(part, Block)]

    assert all(made.text[part.start : part.end].strip() == made.text[part.start : part.end] != "" for part in parts)
    assert all(before.end <= after.start for before, after in pairwise(made.parts))


# Whole books, there and back


def body(markdown: Document) -> str:
    text = markdown.text.replace("\r\n", "\n")
    return re.sub(r" \{#[\w-]+\}$", "", text[split_front_matter(text)[1] :], flags=re.MULTILINE)


def rendered(markdown: Document, tmp_path: Path) -> Document:
    html = MarkdownIt("commonmark").enable("table").render(body(markdown))
    path = tmp_path / "page.html"
    path.write_text(f"<html><head><meta charset=utf-8></head><body><main>{html}</main></body></html>")
    return read_document(path, tmp_path)


BOOKS = [
    SAMPLE_BOOK,
    pytest.param(CORPORA / "physical-ai-textbook", marks=pytest.mark.skipif(not CORPORA.is_dir(), reason="no corpora")),
]


@pytest.mark.parametrize("root", BOOKS)
def test_code_and_headings_of_a_book_survive_its_rendering(root: Path, tmp_path: Path) -> None:
    md = MarkdownIt("commonmark").enable("table")
    fences = titles = 0
    for path in find_sources(root, ["**/*.md"]).paths:
        source = read_document(path, root)
        tokens = md.parse(body(source))
        made = rendered(source, tmp_path)
        blocks = [made.text[block.start : block.end] for section in made.sections for block in section.blocks]
        found = [match[3] for match in map(FENCE.fullmatch, blocks) if match]
        wanted = [
            token.content.rstrip().removeprefix("\n") for token in tokens if token.type in {"fence", "code_block"}
        ]
        assert found == [content for content in wanted if content]
        levels = [token for token in tokens if token.type == "heading_open" and token.level == 0]
        names = {section.heading_path[-1] for section in made.sections}
        assert len([part for part in made.sections if part.start or part.heading_path[1:]]) <= len(levels) + 1
        assert names <= {section.heading_path[-1] for section in source.sections} | {made.title}
        fences, titles = fences + len(found), titles + len(levels)

    assert min(fences, titles) > 20
