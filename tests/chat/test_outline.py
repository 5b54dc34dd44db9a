"""What waits for the sentence that makes it worth telling."""

import pytest

from app.chat.outline import Outline, Told, level
from app.grounding.sentences import Segment, Segmenter


def segments(text: str) -> list[Segment]:
    segmenter = Segmenter()
    return [segment for segment in (*segmenter.feed(text), *segmenter.finish()) if segment.body]


def told(text: str) -> list[str]:
    """What is released with the last segment, when all before it wait; an empty text for what is left out."""
    outline = Outline()
    *waiting, last = segments(text)
    for segment in waiting:
        outline.arrive(segment)
        outline.hold(Told(segment, segment.text))
    outline.arrive(last)
    return [one.text.strip() for one in outline.release()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# Top\n", 1),
        ("### Top ###", 3),
        ("So.\n\n\n## Top", 2),
        ("***\n#### Top", 4),
        ("> ## Top", 2),
        ("Top\n===", 1),
        ("Top\n---", 2),
        ("- Top", 7),
        ("Top", 7),
    ],
)
def test_the_level_of_a_heading(text, expected):
    assert level(segments(text)[-1]) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("# A\n## B\nX", ["# A", "## B"], id="headings above"),
        pytest.param("# A\n## B\n## C", ["# A", ""], id="a heading of the same level"),
        pytest.param("# A\n## B\n# C", ["", ""], id="a heading of a higher level"),
        pytest.param("## A\nSo:\n### C", ["## A", ""], id="a heading after an introduction"),
        pytest.param("Sure!\n\n# C", [""], id="a heading after a courtesy"),
        pytest.param("So:\n- X", ["So:"], id="an introduction and its item"),
        pytest.param("So:\n\nX", ["So:"], id="an introduction and its paragraph"),
        pytest.param("So:\n\nSure.\n\nX", ["So:", "Sure."], id="and a courtesy between"),
        pytest.param("- So:\n  - X", ["- So:"], id="an item that introduces"),
        pytest.param("- So:\n- X", [""], id="an item that introduces nothing"),
        pytest.param("1. So:\n2. So:", [""], id="an introduction that introduces nothing"),
        pytest.param("So:\n\n1. So:\n   ```\n   x\n   ```", ["So:", "1. So:"], id="introductions of one block"),
        pytest.param("|a|\n|-|\n|b|", ["|a|\n|-|"], id="the head of a table"),
        pytest.param("|a|\n|-|\n\nX", [""], id="the head of an empty table"),
        pytest.param("Sure!\n\nX", ["Sure!"], id="a courtesy"),
    ],
)
def test_what_waits_is_released_or_left_out(text, expected):
    assert told(text) == expected


@pytest.mark.parametrize(
    ("between", "expected"),
    [("- wrong", []), ("wrong", []), ("- wrong\n\nSo:", ["So:"])],
    ids=["list", "paragraph", "two"],
)
def test_an_introduction_is_gone_with_what_it_introduced(between, expected):
    outline = Outline()
    (
        first,
        *_,
    ) = segments(text := f"These:\n\n{between}\n\nX")
    outline.hold(Told(first, first.text))
    for segment in segments(text)[1:-1]:
        outline.arrive(segment)
        if segment.kind == "intro":
            outline.hold(Told(segment, segment.text))
    outline.arrive(segments(text)[-1])
    assert [one.text.strip() for one in outline.release() if not one.is_left_out] == expected


def test_what_is_gone_leaves_its_white_space():
    outline = Outline()
    heading, other = segments("A.\n\n# Top\n\n\n# Other")[1:]
    outline.hold(Told(heading, heading.text))
    assert outline.arrive(other) == [heading]
    assert [one.text for one in outline.release()] == ["\n\n"]


def test_what_was_released_is_not_released_again():
    outline = Outline()
    outline.hold(Told(segments("# Top")[0], "# Top"))
    assert len(outline.release()) == 1
    assert outline.release() == []
