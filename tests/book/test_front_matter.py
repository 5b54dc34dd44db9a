import pytest

from app.book.front_matter import FrontMatterError, read_front_matter, split_front_matter, text_field


@pytest.mark.parametrize(
    ("text", "mapping", "body"),
    [
        pytest.param("---\ntitle: Nodes\nn: 3\n---\nBody", {"title": "Nodes", "n": 3}, "Body", id="mapping"),
        pytest.param("---\r\ntitle: Nodes\r\n---\r\nBody", {"title": "Nodes"}, "Body", id="CRLF"),
        pytest.param("\ufeff---\ntitle: Nodes\n---\nBody", {"title": "Nodes"}, "Body", id="byte order mark"),
        pytest.param("\ufeffBody", {}, "Body", id="byte order mark alone"),
        pytest.param("---\n---\nBody", {}, "Body", id="empty block"),
        pytest.param("---\ntitle: Nodes\n---", {"title": "Nodes"}, "", id="nothing after it"),
        pytest.param("---  \na: |-\n  x\n  ---\n---\t\nBody", {"a": "x\n---"}, "Body", id="indented dashes inside"),
        pytest.param("---\n1: one\n---\nBody", {"1": "one"}, "Body", id="key that is no string"),
        pytest.param("---\ntitle: [\n---\nBody", {}, "Body", id="malformed"),
        pytest.param("---\n- a\n- b\n---\nBody", {}, "Body", id="list"),
        pytest.param("---\nday: 2024-13-45\n---\nBody", {}, "Body", id="date that doesn't exist"),
        pytest.param('---\nn: !!int ""\n---\nBody', {}, "Body", id="number without digits"),
        pytest.param("---\na: !!python/object:os.system\n---\nBody", {}, "Body", id="python object"),
        pytest.param("---\n" + "[" * 5000 + "\n---\nBody", {}, "Body", id="too deep"),
        pytest.param("---\ntitle: Nodes\n", {}, "---\ntitle: Nodes\n", id="never closed"),
        pytest.param("\n---\na: b\n---\n", {}, "\n---\na: b\n---\n", id="not at the start"),
        pytest.param("----\na: b\n----\n", {}, "----\na: b\n----\n", id="four dashes"),
        pytest.param("", {}, "", id="empty"),
    ],
)
def test_front_matter_is_split_from_the_body(text: str, mapping: dict[str, object], body: str) -> None:
    found, offset = split_front_matter(text)

    assert (found, text[offset:]) == (mapping, body)


def test_a_block_that_is_never_closed_takes_no_exponential_time() -> None:
    assert split_front_matter("---\r\n" + "a: b\r\n" * 10_000)[1] == 0


@pytest.mark.parametrize(
    ("value", "text"),
    [(" Two\n words ", "Two words"), (2024, "2024"), (1.5, "1.5"), (True, ""), (None, ""), (["a"], "")],
)
def test_a_text_field_is_one_line_or_empty(value: object, text: str) -> None:
    assert text_field({"title": value}, "title") == text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("---\ntitle: a\n b: [\n---\nText.", "line 3: mapping values are not allowed here"),
        ("---\ntitle: 2026-99-99\n---\nText.", "is no YAML: month must be in 1..12"),
        ("---\n- a\n---\nText.", "has no fields"),
        ("Text.", "must begin with a block of YAML"),
    ],
    ids=["malformed", "no such date", "a list", "no block"],
)
def test_what_a_page_is_forgiven_is_said_where_a_block_must_be_right(text, says):
    assert split_front_matter(text)[0] == {}
    with pytest.raises(FrontMatterError, match=says):
        read_front_matter(text)
