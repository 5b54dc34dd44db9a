"""How documents are cut into chunks: rules by example, then by properties of arbitrary texts, then on real books."""

import contextlib
import math
import re
from collections.abc import Callable, Iterator
from itertools import groupby, pairwise
from operator import attrgetter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.book.chunking import CHARS_PER_TOKEN, Chunk, chunk_document
from app.book.documents import Document, find_sources, parse_document, read_document
from app.book.pieces import sentences
from app.errors import NotForReadersError

CORPORA = Path(__file__).parents[3] / "shared" / "corpora"


def count_words(text: str) -> int:
    """One token for a word or punctuation mark."""
    return len(re.findall(r"\w+|[^\w\s]", text))


def count_word_pieces(text: str) -> int:
    """Four letters a token, two more around the text: like a real tokenizer, not the sum of its parts."""
    return 2 + sum(-(-len(word) // 4) for word in re.findall(r"\w+|[^\w\s]", text))


def cut(text: str, source: str = "page.md", size: int = 32, overlap: int = 0) -> list[Chunk]:
    document = parse_document(source, f"---\ntitle: T\n---\n{text}")
    return chunk_document(document, count_tokens=count_words, chunk_size=size, chunk_overlap=overlap)


def texts(text: str, source: str = "page.md", size: int = 32, overlap: int = 0) -> list[str]:
    return [chunk.text for chunk in cut(text, source, size, overlap)]


def words(count: int, word: str = "word") -> str:
    return " ".join([word] * count)


# Rules: the prefix "T" takes one of the 32 tokens


def test_blocks_are_packed_while_they_fit() -> None:
    one, two, three = words(15, "one"), words(16, "two"), words(2, "three")

    assert texts(f"{one}\n\n{two}\n\n{three}") == [f"{one}\n\n{two}", three]


def test_the_tokens_that_the_model_adds_are_counted_once() -> None:
    document = parse_document("page.md", "---\ntitle: T\n---\n" + "one\n\n" * 30)
    first, second = chunk_document(document, count_tokens=count_word_pieces, chunk_size=32, chunk_overlap=0)

    assert (count_word_pieces(first.embedding_text), second.text) == (32, "one")


def test_a_section_is_never_crossed_and_its_heading_is_in_the_prefix_only() -> None:
    first, second = cut("Hello.\n\n## Empty\n\n### One\n\nText.\n")

    assert (first.text, first.heading_path, first.embedding_text) == ("Hello.", ("T",), "T\nHello.")
    assert (second.text, second.heading_path) == ("Text.", ("T", "Empty", "One"))
    assert second.embedding_text == "T > Empty > One\nText."


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("# Only\n\n## Headings\n\n### Here\n", ["### Here"]),
        ("## One\n\n---\n\n<Tabs>\n\n# Two\n", ["## One", "# Two"]),
        ("One\n---\n\n<!-- no -->\n\n## Two\n\nText.", ["One\n---", "Text."]),
        ("#\n\n##\n", []),
    ],
)
def test_a_heading_with_nothing_below_it_is_a_chunk(text: str, parts: list[str]) -> None:
    assert texts(text) == parts


def test_a_chunk_says_where_it_comes_from() -> None:
    (chunk,) = cut("## One {#uno}\n\nText.", "02-part/01-page.md")

    assert (chunk.source, chunk.slug, chunk.anchor, chunk.title) == ("02-part/01-page.md", "/part/page", "uno", "T")
    assert (chunk.position, chunk.start, chunk.end) == (0, 32, 37)


@pytest.mark.parametrize("lines", [5, 6])
def test_code_that_fits_is_whole(lines: int) -> None:
    code = "```py\n" + "a = 1\n" * lines + "```"

    assert texts(f"{words(20)}\n\n{code}\n\n{words(20)}")[1] == code


def test_code_that_does_not_fit_is_cut_at_lines() -> None:
    code = "```py\n" + "".join(f"line_{number} = value ( )\n" for number in range(8)) + "```"
    chunks = texts(code)

    assert "\n".join(chunks) == code
    assert [chunk.count("\n") + 1 for chunk in chunks] == [6, 4]


@pytest.mark.parametrize("lines", range(6, 14))
def test_code_that_is_cut_loses_nothing(lines: int) -> None:
    code = "```py\n" + "a = [1]\n" * lines + "```"

    assert "\n".join(texts(code)) == code


def test_the_first_line_of_a_fence_is_not_left_behind() -> None:
    assert texts(f"{words(26)}\n\n```py\n" + "a = [1]\n" * 8 + "```")[0] == words(26)


def test_a_table_that_does_not_fit_is_cut_at_rows() -> None:
    head, rows = "|a|b|\n|-|-|\n", [f"|{number}|x|" for number in range(9)]
    chunks = texts(head + "\n".join(rows))

    assert chunks == [head + "\n".join(rows[:4]), "\n".join(rows[4:])]


def test_a_line_that_is_too_long_is_cut_at_words() -> None:
    chunks = texts(f"```\n{words(70)}\n```")

    assert len(chunks) == 3
    assert all(re.search(r"(^|\s)word$", chunk.removesuffix("```").strip()) for chunk in chunks)


def test_a_paragraph_that_does_not_fit_is_cut_at_sentences() -> None:
    sentence = "Use e.g. ROS 2 (v2.1) here!"
    chunks = texts(" ".join([sentence] * 5))

    assert chunks == [f"{sentence} {sentence}"] * 2 + [sentence]


@pytest.mark.parametrize(
    "text",
    [
        "One. | Two! | 3 is three? | (Four.) | **Five.** | “Six…” | Seven",
        "Use e.g. ROS, i.e. a library, cf. Fig. 2, vs. Gazebo. | Then go on.",
        "It took 1.5 s... and then a.b. went on. | End",
        "1. First item. | Second sentence.",
        "You say go?! | Yes.",
    ],
)
def test_sentences_end_where_a_reader_sees_their_end(text: str) -> None:
    whole = text.replace(" | ", " ")

    assert " | ".join(whole[start:end] for start, end in sentences(whole, 0, len(whole))) == text


@pytest.mark.parametrize("ends", ["。", "！", "？」"])
def test_sentences_without_spaces_are_cut(ends: str) -> None:
    sentence = "机器人" + "，然后" * 6 + ends

    assert texts(sentence * 3)[0] == sentence * 2


def test_a_sentence_that_is_too_long_is_cut_at_words() -> None:
    chunks = texts(words(70))

    assert " ".join(chunks) == words(70)
    assert len(chunks) == 3


def test_a_word_that_is_too_long_is_cut_anywhere() -> None:
    document = parse_document("page.md", "x" * 1000)
    chunks = chunk_document(document, count_tokens=count_word_pieces, chunk_size=32, chunk_overlap=0)

    assert "".join(chunk.text for chunk in chunks) == "x" * 1000
    assert len(chunks) < 12


def test_the_last_sentences_are_repeated_in_the_next_chunk() -> None:
    text = "First one here. Second one here. Third one here.\n\n" + words(24)

    assert texts(text, overlap=8) == [
        "First one here. Second one here. Third one here.",
        "Third one here.\n\n" + words(24),
    ]


def test_the_overlap_is_less_where_the_next_block_needs_the_room() -> None:
    text = "First one here. Second one here. Third one here.\n\n" + words(29)

    assert texts(text, overlap=8)[1] == words(29)


@pytest.mark.parametrize(
    "block",
    [
        pytest.param("```\nx = 1. Then y.\n```", id="code"),
        pytest.param("|a. B|\n|-|\n|c. D.|", id="table"),
        pytest.param("```\n" + "a = 1. B = 2.\n" * 5 + "```", id="lines of code"),
        pytest.param(words(70), id="part of a sentence"),
    ],
)
def test_only_whole_sentences_overlap(block: str) -> None:
    chunks = cut(f"{block}\n\n{words(23)}", overlap=15)

    assert chunks[-1].text == words(23)


def test_overlap_stays_in_the_section() -> None:
    assert texts(f"Short.\n\n## One\n\n{words(20)}", overlap=15)[1] == words(20)


def test_what_is_no_content_may_lie_inside_but_not_at_the_ends() -> None:
    text = "<Tabs>\n\nimport A from 'a';\n\nOne.\n\n***\n\n<br/>\n\nThree.\n\n---\n\n</Tabs>\n"

    assert texts(text, "page.mdx") == ["One.\n\n***\n\n<br/>\n\nThree."]


@pytest.mark.parametrize(
    "hidden",
    [
        "<!-- two -->",
        "<!--\n\ntwo\n\n-->",
        "{/* two */}",
        "{ /* two */ }",
        "<br/> <!-- two --> <br/>",
        "[//]: # (two)",
        "[two]: https://two.example",
        "import two from 'two';",
        "export const two = 2;",
        "<style>two</style>",
        "import two from 'two';\n\n<br/>\n\n<!-- two -->",
    ],
)
def test_a_chunk_ends_before_what_is_hidden_and_the_next_begins_after_it(hidden: str) -> None:
    chunks = cut(f"One.\n\n{hidden}\n\nThree.", "page.mdx", overlap=15)

    assert [(chunk.text, chunk.gap, chunk.section_chunks) for chunk in chunks] == [("One.", "", 1), ("Three.", "", 1)]
    assert len({chunk.section for chunk in chunks}) == 2


PICTURE = f"data:image/png;base64,{'iVBORw0K' * 20}"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (f"One.\n\n![plot]({PICTURE})\n\nTwo.", ["One.\n\n![plot]", "Two."]),
        (f"One ![a plot]({PICTURE} 'title') two.", ["One ![a plot]", "'title') two."]),
        (f"One.\n\n<img\n  src='{PICTURE}'\n/>\n\nTwo.", ["One.", "Two."]),
        (f"One ![plot][a].\n\n[a]: {PICTURE}\n", ["One ![plot][a]."]),
        (f"Write `{PICTURE[:60]}`.", [f"Write `{PICTURE[:60]}`."]),
        ("Write data:image/png;base64,iVBORw0K.", ["Write data:image/png;base64,iVBORw0K."]),
    ],
)
def test_a_picture_in_the_text_is_in_no_chunk(text: str, parts: list[str]) -> None:
    assert texts(text, size=64) == parts


@pytest.mark.parametrize("word", ["ก", "0f", "x "])
def test_a_chunk_has_16_characters_for_each_token_at_most(word: str) -> None:
    document = parse_document("page.md", word * 5_000)
    chunks = chunk_document(document, count_tokens=lambda text: 2 + len(text) // 1_000, chunk_size=32, chunk_overlap=0)

    assert "".join(chunk.text for chunk in chunks).replace(" ", "") == (word * 5_000).replace(" ", "")
    assert max(len(chunk.embedding_text) for chunk in chunks) <= 32 * 16


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("One <!-- two --> three.", ["One", "three."]),
        ("- One.\n- <!-- two --> Three.", ["- One.\n-", "Three."]),
        ("One.\n<!-- two\n\ntwo --> Three.", ["One.", "Three."]),
        ("One {/* two */} three.", ["One", "three."]),
        ("Write `<!-- two -->` or ``{/* `two` */}``.", ["Write `<!-- two -->` or ``{/* `two` */}``."]),
        (r"Write \<!-- two -->.", [r"Write \<!-- two -->."]),
        ("One <!-- two", ["One <!-- two"]),
        ("A ` and a <!-- two --> three.", ["A ` and a", "three."]),
    ],
)
def test_a_comment_in_a_paragraph_is_hidden_unless_it_is_code(text: str, parts: list[str]) -> None:
    assert texts(text) == parts


@pytest.mark.parametrize(
    "text", ["---", "<br/>", ":::", ":::note", "&nbsp;", "```py\n```", "* * *", "|  |\n|--|", " \r\n"]
)
def test_markup_alone_is_no_chunk(text: str) -> None:
    assert texts(f"{text}\n\n## One\n\nText.\n") == ["Text."]


def test_a_long_heading_path_is_shortened_from_the_left() -> None:
    (chunk,) = cut(f"## {words(10, 'one')}\n\n### {words(10, 'two')}\n\nText.")

    assert chunk.prefix == words(10, "two")
    assert chunk.heading_path == ("T", words(10, "one"), words(10, "two"))


def test_a_heading_that_is_too_long_keeps_its_last_words() -> None:
    (chunk,) = cut(f"## first {words(40)} last\n\nText.")

    assert chunk.prefix == f"{words(15)} last"


def test_a_heading_of_one_long_word_is_left_out() -> None:
    document = parse_document("page.md", f"# {'x' * 500}\n\nText.")
    (chunk,) = chunk_document(document, count_tokens=count_word_pieces, chunk_size=32, chunk_overlap=0)

    assert (chunk.prefix, chunk.embedding_text) == ("", "Text.")


def test_a_tokenizer_whose_whole_is_more_than_its_parts_is_obeyed() -> None:
    def count(text: str) -> int:
        return len(text) if len(text) > 40 else 1

    document = parse_document("page.md", "---\ntitle: T\n---\n" + "Some words here. " * 20)
    chunks = chunk_document(document, count_tokens=count, chunk_size=64, chunk_overlap=20)

    assert all(count(chunk.embedding_text) <= 64 for chunk in chunks)
    assert sum(chunk.text.count("words") for chunk in chunks) >= 20


@pytest.mark.parametrize(("size", "overlap"), [(31, 0), (64, 32), (64, -1)])
def test_sizes_that_make_no_sense_are_refused(size: int, overlap: int) -> None:
    with pytest.raises(ValueError, match=r"chunk_(size|overlap) is"):
        cut("Text.", size=size, overlap=overlap)


# Sections and excerpts


def test_chunks_of_a_section_know_how_many_they_are_and_what_lies_between_them() -> None:
    chunks = cut(f"{words(20)}\n\n***\n\n{words(20)}\n\n## One\n\nText.")

    assert [(chunk.section, chunk.section_chunks, chunk.gap) for chunk in chunks] == [
        (0, 2, "\n\n***\n\n"),
        (0, 2, ""),
        (1, 1, ""),
    ]


def test_there_is_no_gap_where_chunks_overlap() -> None:
    first, second = cut("First one here. Second one here. Third one here.\n\n" + words(24), overlap=8)

    assert (first.gap, second.start < first.end) == ("", True)


def test_a_chunk_is_embedded_sentence_by_sentence_under_its_heading() -> None:
    one, two = f"{words(30, 'One')}.", f"{words(30, 'Two')}."
    (chunk,) = cut(f"## Where to go in the summer\n\n{one} {two}", size=90)

    assert chunk.excerpts == (f"Where to go in the summer\n{one}", f"Where to go in the summer\n{two}")


def test_the_excerpts_of_a_long_heading_path_have_what_the_prefix_has() -> None:
    (chunk,) = cut(f"## first {words(40)} last\n\nText.")

    assert chunk.excerpts == (f"{chunk.prefix}\nText.",)


# Identity


def test_equal_chunks_have_ids_of_their_own() -> None:
    chunks = cut("## One\n\nText.\n\n## One\n\nText.\n\n## One\n\n" + f"{words(29)}\n\n" * 3)

    assert len({chunk.id for chunk in chunks}) == len(chunks) == 5
    assert chunks[0].content_hash == chunks[1].content_hash


def test_a_chunk_keeps_its_id_when_text_before_it_changes() -> None:
    before, after = cut("## One\n\nA.\n\n## Two\n\nB."), cut("## One\n\nA, longer.\n\n## Two\n\nB.")

    assert before[0].id != after[0].id
    assert before[1].id == after[1].id


@pytest.mark.parametrize(
    ("source", "text"),
    [("other.md", "## One\n\nA."), ("page.md", "## Two\n\nA."), ("page.md", "## One\n\nB.")],
    ids=["file", "heading", "text"],
)
def test_the_id_depends_on(source: str, text: str) -> None:
    assert cut(text, source)[0].id != cut("## One\n\nA.")[0].id


# Properties


def check(document: Document, count: Callable[[str], int], size: int, overlap: int) -> None:
    chunks = chunk_document(document, count_tokens=count, chunk_size=size, chunk_overlap=overlap)
    assert chunks == chunk_document(document, count_tokens=count, chunk_size=size, chunk_overlap=overlap)
    assert [chunk.position for chunk in chunks] == list(range(len(chunks)))
    assert len({chunk.id for chunk in chunks}) == len(chunks)
    for chunk in chunks:
        assert chunk.text == document.text[chunk.start : chunk.end] == chunk.text.strip()
        assert any(char.isalnum() for char in chunk.text)
        assert count(chunk.embedding_text) <= size
        assert len(chunk.embedding_text) <= size * 16
    check_sections(document, chunks)
    check_joints(document, chunks)
    check_excerpts(chunks)
    check_whole_blocks(document, chunks, count, size)


KINDS = {"skip": 1, "hidden": 3}


def check_sections(document: Document, chunks: list[Chunk]) -> None:
    """Each chunk is in one section, begins and ends with content, and no word of the content is missing."""
    unseen = bytearray(len(document.text))
    for section in document.sections:
        for block in section.blocks:
            unseen[block.start : block.end] = bytes([KINDS.get(block.kind, 2)]) * (block.end - block.start)
    content = bytes(unseen)
    for chunk in chunks:
        assert content[chunk.start] == content[chunk.end - 1] == 2
        assert KINDS["hidden"] not in content[chunk.start : chunk.end]
        assert any(part.start <= chunk.start and chunk.end <= part.end for part in document.sections)
        unseen[chunk.start : chunk.end] = bytes(chunk.end - chunk.start)
    missing = ("".join(document.text[at] for at in range(*run.span())) for run in re.finditer(rb"\x02+", unseen))
    assert not [text for text in missing if any(char.isalnum() for char in re.sub("(?m)^.*(```|:::).*$", "", text))]


def check_joints(document: Document, chunks: list[Chunk]) -> None:
    """The chunks of a section, and the gaps between them, are the source's text."""
    for _, group in groupby(chunks, key=attrgetter("section")):
        parts = list(group)
        section = next(one for one in document.sections if one.start <= parts[0].start < one.end)
        assert {part.section_chunks for part in parts} == {len(parts)}
        assert {part.heading_path for part in parts} == {section.heading_path}
        assert section.start <= parts[0].start < parts[-1].end <= section.end
        text = parts[0].text
        for before, part in pairwise(parts):
            text += before.gap + part.text[max(0, before.end - part.start) :]
        assert text + parts[-1].gap == document.text[parts[0].start : parts[-1].end]
    assert [chunk.section for chunk in chunks] == sorted(chunk.section for chunk in chunks)


def check_excerpts(chunks: list[Chunk]) -> None:
    """After the end of the prefix they are slices of the text, in order, that leave out only white space."""
    for chunk in chunks:
        at = 0
        for excerpt in chunk.excerpts:
            lead, body = excerpt.split("\n", 1) if chunk.prefix else ("", excerpt)
            assert chunk.prefix.endswith(lead)
            start = chunk.text.index(body, at)
            assert not chunk.text[at:start].strip()
            at = start + len(body)
        assert at == len(chunk.text)


def check_whole_blocks(document: Document, chunks: list[Chunk], count: Callable[[str], int], size: int) -> None:
    """A fence or table that fits into one chunk of its section is in one."""
    for section in document.sections:
        inside = [chunk for chunk in chunks if section.start <= chunk.start < section.end]
        for block in section.blocks:
            parts = [f"{inside[0].prefix}\n", document.text[block.start : block.end]] if inside else []
            tokens = sum(max(count(part), math.ceil(len(part) / CHARS_PER_TOKEN)) for part in parts)
            if inside and tokens <= size and block.kind in {"code", "table"}:
                around = [chunk for chunk in inside if chunk.start < block.end and block.start < chunk.end]
                assert all(chunk.start <= block.start and block.end <= chunk.end for chunk in around)


word = st.one_of(
    st.text("abcXYZ0", min_size=1, max_size=8),
    st.sampled_from(
        [
            "e.g.",
            "`Rc<T>`",
            "<!-- x -->",
            "{/* x */}",
            "e\u0301tude",
            "机器人。",
            "🤖",
            "—",
            "**b**",
            "[a](b)",
            "#",
            "x" * 300,
            "1.",
            "İ",
        ]
    ),
)
line = st.lists(word, min_size=1, max_size=12).map(" ".join)
sentence = st.builds(str.__add__, line, st.sampled_from([".", "!", "?", "", '."']))
paragraph = st.lists(sentence, min_size=1, max_size=6).map(" ".join)
fence = st.lists(line, max_size=12).map(lambda lines: "\n".join(["```py", *lines, "```"]))
table = st.lists(line, max_size=8).map(lambda rows: "\n".join(["|a|b|", "|---|---|", *(f"|{row}|x|" for row in rows)]))
items = st.lists(line, min_size=1, max_size=5).map(lambda lines: "\n".join(f"- {text}" for text in lines))
heading = line.map("## {}".format)
markup = st.sampled_from(
    [
        "---",
        "<Tabs>",
        "</Tabs>",
        "<!-- # note -->",
        "{/* # note */}",
        "{\n# note\n}",
        "[//]: # (note)",
        ":::",
        ":::note[Title]",
        "import A from 'a';",
        "<br/>",
    ]
)
block = st.one_of(paragraph, fence, table, items, heading, markup, line.map("> {}".format), line.map("    {}".format))
pages = st.lists(st.tuples(block, st.sampled_from(["\n\n", "\n", "\n \n"])), max_size=14).map(
    lambda parts: "".join(text + gap for text, gap in parts)
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    page=pages,
    line_end=st.sampled_from(["\n", "\r\n"]),
    source=st.sampled_from(["page.md", "page.mdx"]),
    count=st.sampled_from([count_words, count_word_pieces]),
    size=st.integers(32, 90),
    overlap=st.integers(0, 15),
)
def test_every_text_is_cut_by_the_rules(
    page: str, line_end: str, source: str, count: Callable[[str], int], size: int, overlap: int
) -> None:
    check(parse_document(source, page.replace("\n", line_end)), count, size, overlap)


@settings(max_examples=100, deadline=None)
@given(page=st.text("ab1 \n\r\t#>-*+.`~|<>{}/[]():!=&;'\"\\_", max_size=200), source=st.sampled_from(["p.md", "p.mdx"]))
def test_every_soup_of_markup_is_cut_by_the_rules(page: str, source: str) -> None:
    check(parse_document(source, page), count_word_pieces, 40, 10)


@pytest.mark.parametrize(
    "page",
    [
        ". " * 50_000,
        "." * 200_000,
        "> " * 50_000,
        "<!--\n" * 20_000,
        "<A {\n" * 20_000,
        "{\n" * 20_000,
        "export const x = (\n" * 20_000,
        "<A b='\n" * 20_000,
        "{\n/*" * 20_000,
        '{\n\\"' * 20_000,
        "<!-- --> " + "<!-- " * 50_000,
        "<a>" * 50_000,
        "$$ a\n" * 20_000,
        "$$ a\n" * 20_000 + "$$",
        "word " * 20_000,
        "[" * 50_000,
        "```\n" + "x = 1\n" * 20_000 + "```",
        "".join("  " * depth + "- x\n" for depth in range(300)),
    ],
    ids=lambda page: page[:6].strip(),
)
@pytest.mark.parametrize("source", ["page.md", "page.mdx"])
def test_odd_texts_are_cut_in_time(page: str, source: str) -> None:
    check(parse_document(source, page), count_word_pieces, 256, 32)


# Real books, where they are at hand


def pages_of(root: Path) -> Iterator[Document]:
    for path in find_sources(root).paths:
        with contextlib.suppress(NotForReadersError):
            yield read_document(path, root)


@pytest.mark.skipif(not CORPORA.is_dir(), reason="needs ../shared/corpora")
@pytest.mark.parametrize("name", ["physical-ai-textbook", "docusaurus-react-native", "mdx-astro", "."])
def test_a_real_book_is_cut_by_the_rules(name: str) -> None:
    root = CORPORA / name
    documents = list(pages_of(root))

    assert len(documents) >= 44
    for document in documents:
        check(document, count_word_pieces, 256, 32)


def lines_in_fences(text: str) -> Iterator[tuple[int, str]]:
    """Offset and text of every line between two fences, found without a parser."""
    fence, offset = "", 0
    for line in text.splitlines(keepends=True):
        mark = re.match(r"[\s>]*(?:[-*+]\s+|\d+\.\s+)*(`{3,}|~{3,})([^`]*)$", line)
        if fence and mark and mark[1].startswith(fence) and not mark[2].strip():
            fence = ""
        elif fence:
            yield offset, line
        elif mark:
            fence = mark[1]
        offset += len(line)


@pytest.mark.skipif(not CORPORA.is_dir(), reason="needs ../shared/corpora")
def test_no_line_of_code_in_a_real_book_is_lost_or_taken_for_a_heading() -> None:
    seen = 0
    for document in pages_of(CORPORA):
        chunks = chunk_document(document, count_tokens=count_word_pieces, chunk_size=256, chunk_overlap=32)
        lost = bytearray(b"\1" * len(document.text))
        for chunk in chunks:
            lost[chunk.start : chunk.end] = bytes(chunk.end - chunk.start)
        for offset, line in lines_in_fences(document.text):
            assert not any(char.isalnum() for at, char in enumerate(line, offset) if lost[at]), (document.source, line)
            assert not any(offset == section.start for section in document.sections), (document.source, line)
            seen += 1

    assert seen > 5_000
