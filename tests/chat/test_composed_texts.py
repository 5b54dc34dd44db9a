"""What is left of an answer when parts of it are left out: no holes in lists, no empty headings, its white space."""

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.chat.composition import Composition
from app.chat.events import AnswerDelta, CitationFound, Event, SentenceFlagged, SentenceWithheld
from app.grounding.citations import numbers_in
from app.settings import GroundingMode
from tests.fakes.examiner import Believing, ScriptedExaminer
from tests.fakes.sources import passage, turn_context
from tools.context import ToolCall

BASE = "https://book.example"


def begun(mode: GroundingMode = "strict", examiner: ScriptedExaminer | None = None) -> Composition:
    context = turn_context()
    for number in range(1, 5):
        context.number(passage(f"Text {number}."))
    context.calls["call-1"] = ToolCall("search_book", 4, 0.1)
    fake = Believing(BASE) if mode == "off" else ScriptedExaminer(BASE)
    return Composition(context, examiner or fake, mode)


async def told(text: str, mode: GroundingMode = "strict") -> str:
    composition = begun(mode)
    await composition.add(text)
    await composition.finish()
    return composition.text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        pytest.param("A [1]. Wrong. B [1].", "A [1]. B [1].", id="within a paragraph"),
        pytest.param("A [1].\n\nWrong.\n\nB [1].", "A [1].\n\nB [1].", id="a paragraph"),
        pytest.param("A [1].\n\nWrong. B [1].", "A [1].\n\nB [1].", id="the first of a paragraph"),
        pytest.param("A [1]. Wrong.\n\nB [1].", "A [1].\n\nB [1].", id="the last of a paragraph"),
        pytest.param("A [1].\nWrong.\nB [1].", "A [1].\nB [1].", id="a line"),
        pytest.param("\n\nWrong.\n\n  B [1].\n", "B [1].", id="at both ends"),
        pytest.param("A [1].\n\n---\n\nB [1].", "A [1].\n\n---\n\nB [1].", id="a rule stays"),
        pytest.param("A [1].\n\n[2]\n\nB [1].", "A [1].\n\nB [1].", id="a number alone"),
        pytest.param("A [1]。B [1]。", "A [1]。B [1]。", id="without blanks"),
        pytest.param("A [1]。Wrong。B [1]。", "A [1]。B [1]。", id="without blanks, and a hole"),
        pytest.param("> A [1].\n> Wrong. B [1].", "> A [1].\nB [1].", id="a quote"),
    ],
)
async def test_the_largest_break_stays_around_what_is_left_out(text, left):
    assert await told(text) == left


@pytest.mark.parametrize(
    ("text", "left"),
    [
        pytest.param("# Top\n\nA [1].", "# Top\n\nA [1].", id="with content"),
        pytest.param("# Top\n\nWrong. A [1].", "# Top\n\nA [1].", id="its first sentence is a hole"),
        pytest.param("# Top\n\nWrong.", "", id="without content"),
        pytest.param(
            "# Top\nA [1].\n\n## Part\n\nWrong.\n\n## Other\nB [1].", "# Top\nA [1].\n\n## Other\nB [1].", id="one"
        ),
        pytest.param("# Top\n\n## Part\n\nWrong.\n\n## Other\nB [1].", "# Top\n\n## Other\nB [1].", id="above stays"),
        pytest.param("## Part\n\nWrong.\n\n# Top\n\nB [1].", "# Top\n\nB [1].", id="below a higher one"),
        pytest.param("Top\n===\n\nPart\n---\n\nA [1].", "Top\n===\n\nPart\n---\n\nA [1].", id="underlined"),
        pytest.param(
            "A [1].\n\n# Top\n\nSo:\n- Wrong\n\n# Other\nB [1].", "A [1].\n\n# Other\nB [1].", id="and introduction"
        ),
        pytest.param("A [1].\n\n# Top\n", "A [1].", id="at the end"),
    ],
)
async def test_a_heading_is_told_with_what_stands_under_it(text, left):
    assert await told(text) == left


@pytest.mark.parametrize(
    ("text", "left"),
    [
        pytest.param("So:\n- a [1]\n- b [1]", "So:\n- a [1]\n- b [1]", id="with its list"),
        pytest.param("So:\n\n- wrong\n- b [1]", "So:\n\n- b [1]", id="with a part of it"),
        pytest.param("So:\n- wrong\n- wrong\n\nB [1].", "B [1].", id="without any"),
        pytest.param("So:\n- wrong\n\nAnd so:\n- b [1]", "And so:\n- b [1]", id="before another"),
        pytest.param("So:\n\nA [1].", "So:\n\nA [1].", id="with a paragraph"),
        pytest.param("So:\n\nWrong.\n\nA [1].", "A [1].", id="without its paragraph"),
        pytest.param("A [1]. So:", "A [1].", id="at the end"),
        pytest.param("So:\n- high:\n  - wrong\n- low:\n  - b [1]", "So:\n- low:\n  - b [1]", id="an item's"),
        pytest.param(
            "So:\n\n| a | b |\n|-|-|\n| c | d [1] |", "So:\n\n| a | b |\n|-|-|\n| c | d [1] |", id="with its table"
        ),
        pytest.param("So:\n\n| a | b |\n|-|-|\n| wrong | d |\n\nB [1].", "B [1].", id="without its table"),
    ],
)
async def test_an_introduction_is_told_with_what_it_introduces(text, left):
    assert await told(text) == left


@pytest.mark.parametrize(
    ("text", "left"),
    [
        pytest.param(
            "| a |\n|-|\n| b [1] |\n| wrong |\n| c [2] |", "| a |\n|-|\n| b [1] |\n| c [2] |", id="row by row"
        ),
        pytest.param("| a |\n|-|\n| wrong |", "", id="none"),
        pytest.param("| wrong |\n|-|\n| b [1] |\n\nC [1].", "C [1].", id="its head"),
        pytest.param("| a |\n|-|\n| b | c |", "| a |\n|-|\n| b | c [1] |", id="a number from code is in the last cell"),
    ],
)
async def test_a_table_is_told_row_by_row(text, left):
    assert await told(text) == left


@pytest.mark.parametrize(
    ("text", "left"),
    [
        pytest.param("1. A [1]\n2. Wrong\n3. C [1]\n\nD [1].", "1. A [1]\n\nD [1].", id="stops at the first hole"),
        pytest.param("1. A [1]\n2. Wrong\n3. C [1]\n\n1. D [1]", "1. A [1]\n\n1. D [1]", id="but not the next list"),
        pytest.param("1. Wrong\n\n# Top\n\n2. B [1]", "# Top\n\n2. B [1]", id="nor what is under the next heading"),
        pytest.param("1. Wrong\n1. B [1]\n\nD [1].", "D [1].", id="all with the same number"),
        pytest.param("- A [1]\n- Wrong\n- C [1]", "- A [1]\n- C [1]", id="without numbers it goes on"),
        pytest.param(
            "- A [1]\n- Wrong. More [1]. And [1].\n- C [1]", "- A [1]\n- C [1]", id="with its further sentences"
        ),
        pytest.param("- A [1]. Wrong. More [1].\n- C [1]", "- A [1]. More [1].\n- C [1]", id="only a further sentence"),
        pytest.param("- A [1]\n- Wrong\n  - more [1]\n- C [1]", "- A [1]\n- C [1]", id="with its own items"),
        pytest.param("- A [1]\n    - wrong\n- C [1]", "- A [1]\n- C [1]", id="an inner item, by its indentation"),
        pytest.param("- A [1]\n    - wrong\n    - b [1]", "- A [1]\n    - b [1]", id="an inner item, and the next one"),
        pytest.param("- A [1]\n\n- Wrong\n    - b [1]\n- C [1]", "- A [1]\n\n- C [1]", id="loose"),
        pytest.param(
            "1. A [1]\n   - wrong\n   - b [1]\n2. C [1]", "1. A [1]\n   - b [1]\n2. C [1]", id="inner items are none"
        ),
        pytest.param("1. Wrong\n   - b [1]\n2. C [1]\n\nD [1].", "D [1].", id="an item with its inner ones"),
        pytest.param(
            "1. A:\n   - wrong\n2. B:\n   - b [1]\n\nC [1].", "C [1].", id="an introduction of nothing is a hole"
        ),
        pytest.param(
            "1. Do:\n   ```\n   wrong\n   ```\n2. Do:\n   ```\n   x\n   ```\n\nC [1].",
            "C [1].",
            id="steps without their code",
        ),
        pytest.param("1. Wrong\n\n   ```\n   x\n   ```\n\n2. B [1]\n\nC [1].", "C [1].", id="code of an item"),
        pytest.param("- A [1]\n- However, wrong\n- However, c [1]", "- A [1]\n- C [1]", id="connectives"),
    ],
)
async def test_a_list_has_no_holes(text, left):
    assert await told(text) == left


@pytest.mark.parametrize(
    ("text", "left"),
    [
        pytest.param(
            "**High:**\n- a [1]\n\n**Wrong:**\n- b [1]\n- c [1]\n\n**Low:**\n- d [1]",
            "**High:**\n- a [1]\n\n**Low:**\n- d [1]",
            id="its list",
        ),
        pytest.param("A [1].\n\nWrong:\n\n- b [1]\n\nC [1].", "A [1].\n\nC [1].", id="and no paragraph after it"),
        pytest.param("A [1].\n\nWrong:\n\nB [1]. C [1].\n\nD [1].", "A [1].\n\nD [1].", id="its paragraph"),
        pytest.param("A [1].\n\nWrong\n- b [1]\n\nC [1].", "A [1].\n\nC [1].", id="without a colon, its list"),
        pytest.param("A [1].\n\nWrong\n\nB [1].", "A [1].\n\nB [1].", id="without a colon, no paragraph"),
        pytest.param("A [1].\n\nWrong.\n\n- b [1]", "A [1].\n\n- b [1]", id="a sentence introduces nothing"),
        pytest.param(
            "A [1].\n\nWrong:\n\nHigh:\n- b [1]\n\nLow:\n- c [1]\n\nD [1].", "A [1].\n\nD [1].", id="its parts"
        ),
        pytest.param("A [1].\n\nWrong:\n\n| a |\n|-|\n| b [1] |\n\nC [1].", "A [1].\n\nC [1].", id="its table"),
        pytest.param("A [1].\n\nWrong:\n```\nx\n```\nB [1].", "A [1].\n\nB [1].", id="its code"),
        pytest.param(
            "A [1].\n\nWrong:\n- b [1]\n  ```\n  x\n  ```\n- c [1]\n\nC [1].",
            "A [1].\n\nC [1].",
            id="a list without numbers with code in it",
        ),
        pytest.param(
            "A [1].\n\nWrong:\n1. b [1]\n   ```\n   x\n   ```\n2. c [1]\n\nC [1].",
            "A [1].\n\nC [1].",
            id="a list with code in it",
        ),
        pytest.param("- A [1]. Wrong:\n  - b [1]\n- C [1]", "- A [1].\n- C [1]", id="within an item, its items"),
        pytest.param("- High:\n  - a [1]\n- Wrong:\n  - b [1]", "- High:\n  - a [1]", id="an item's"),
        pytest.param(
            "## High\n- a [1]\n\n## Wrong\n- b [1]\n\n### Part\nC [1].\n\n## Low\nD [1].",
            "## High\n- a [1]\n\n## Low\nD [1].",
            id="a heading's, down to the next of its level",
        ),
        pytest.param(
            "**Sure**\n\nA [1].\n\n**Wrong**\n\nB [1].\n\n- c [1]\n\n**Sure, low**\n\nD [1].",
            "**Sure**\n\nA [1].\n\n**Sure, low**\n\nD [1].",
            id="a bold line's",
        ),
        pytest.param("**High** [1]\n\n## Wrong\n\nB [1].", "**High** [1]", id="below a bold line"),
        pytest.param("A [1].\n\n## Wrongs\n\nB [1].", "A [1].\n\nB [1].", id="but not the prose of the first heading"),
        pytest.param("A [1].\n\n## Wrongs\n\n- b [1]", "A [1].", id="but its list"),
        pytest.param("A [1].\n\n## Only wrongs\n\nB [1].", "A [1].", id="nor what it narrows"),
        pytest.param("A [1].\n\nWrongs:\n- b [1]", "A [1].\n\n- b [1]", id="nor the list of the first introduction"),
        pytest.param(
            "High:\n- a [1]\n\nWrongs:\n- b [1]", "High:\n- a [1]", id="but that of one that comes after another"
        ),
    ],
)
async def test_what_stands_under_what_is_left_out_goes_with_it(text, left):
    assert await told(text) == left


async def test_what_goes_with_its_introduction_is_named_so():
    composition = begun()
    events = [*await composition.add("A [1].\n\nWrong:\n- b [1]\n- false"), *await composition.finish()]
    assert [event for event in events if isinstance(event, SentenceWithheld)] == [
        SentenceWithheld(2, "unsupported"),
        SentenceWithheld(3, "context"),
        SentenceWithheld(4, "fact"),
    ]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        pytest.param("A [1]. Wrong. It falls [1]. B [1].", "A [1]. B [1].", id="after a hole"),
        pytest.param("A [1]. Wrong. It falls [1]. They rise [1]. B [1].", "A [1]. B [1].", id="and what leans on it"),
        pytest.param("A [1]. It falls [1].", "A [1]. It falls [1].", id="not after what is told"),
        pytest.param("A [1]. Wrong. B [1]. It falls [1].", "A [1]. B [1]. It falls [1].", id="nor after another"),
        pytest.param("A [1]. Wrong.\n\nIt falls [1].\n\nB [1].", "A [1].\n\nB [1].", id="a paragraph later"),
        pytest.param("He must return it [1]. B [1].", "B [1].", id="the beginning"),
        pytest.param("Sure! However, they fall [1]. B [1].", "Sure! B [1].", id="after a courtesy"),
        pytest.param("- It falls [1]\n- B [1]", "- B [1]", id="the first item"),
        pytest.param("So:\n- A [1]\n- wrong\n- It falls [1]", "So:\n- A [1]\n- It falls [1]", id="not a later item"),
        pytest.param(
            "A [1].\n\nWrong. It has:\n- b [1]\n\nC [1].", "A [1].\n\nC [1].", id="an introduction, with its list"
        ),
        pytest.param("A [1]. Wrong. This tide falls [1].", "A [1]. This tide falls [1].", id="not what names it"),
    ],
)
async def test_a_pronoun_does_not_change_its_owner(text, left):
    assert await told(text) == left


async def test_an_item_is_examined_under_what_is_above_it():
    examiner = ScriptedExaminer()
    composition = begun(examiner=examiner)
    await composition.add("**Plans:**\n- Team\n  - 600 requests\n    - per minute\n- Free\n  - 60\n\nA.\n\n- b\n")
    await composition.finish()
    assert [above for _, above in examiner.under] == [
        [],
        ["Plans"],
        ["Plans", "Team"],
        ["Plans", "Team", "600 requests"],
        ["Plans"],
        ["Plans", "Free"],
        [],
        [],
    ]


async def test_what_goes_with_a_hole_is_named_as_the_list_s():
    composition = begun()
    events = [*await composition.add("1. A [1]\n2. Wrong\n3. C [1]\n4. False"), *await composition.finish()]
    assert [event for event in events if isinstance(event, SentenceWithheld)] == [
        SentenceWithheld(2, "unsupported"),
        SentenceWithheld(3, "list"),
        SentenceWithheld(4, "fact"),
    ]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        pytest.param("```py\nx = 1\n```", "```py\nx = 1\n```\n[1]", id="numbered below"),
        pytest.param(
            "Run:\n```\nx\n```\nThen B [1].", "Run:\n```\nx\n```\n[1]\n\nThen B [1].", id="with its introduction"
        ),
        pytest.param("A [1]. Run:\n```\nwrong\n```\nB [1].", "A [1].\nB [1].", id="left out"),
        pytest.param("1. Run:\n   ```\n   x\n   ```\n", "1. Run:\n   ```\n   x\n   ```\n   [1]", id="in an item"),
        pytest.param("```\nx = 1", "```\nx = 1\n```\n[1]", id="never closed"),
        pytest.param("```\nx[9]\n```", "```\nx[9]\n```\n[1]", id="what looks like a number stays"),
    ],
)
async def test_a_block_of_code_is_told_whole_or_not(text, left):
    assert await told(text) == left


@pytest.mark.parametrize(
    ("text", "left"),
    [
        pytest.param(f"See [Tides]({BASE}/tides) [1].", f"See [Tides]({BASE}/tides) [1].", id="the book's own link"),
        pytest.param("Use `f[0](x)` and `[a](b)` [1].", "Use `f[0](x)` and `[a](b)` [1].", id="code spans"),
        pytest.param("~~~\nf[i](x)\n~~~", "~~~\nf[i](x)\n~~~\n[1]", id="code"),
    ],
)
async def test_what_is_no_foreign_link_stays_as_it_is(text, left):
    assert await told(text) == left


PARTS = (
    "Right@ [1]. |Right@. |Wrong@ [2]. |Recalled@. |Sure! |However, right@ [3]. |So elsewhere@ [2]. |false@ [9], |[1]"
    "|So:\n|# Top\n|## Part\n|- right@ [1]\n|- wrong@\n|  - right@\n|1. right@\n|2. wrong@\n|3. right@ [2]\n"
    "|```\nx[7]\n```\n|```\n|`[9]`|[4, 2]|\n|\n\n| |> |---\n|NO_ANSWER|The book does not say. |。|**|<!-- x -->"
    "|[x](http://e.example) |http://e.example "
)
TABLE = ["| a | b |\n", "|-|-|\n", "| right@ | c [1] |\n", "| wrong@ |\n"]
SAID = re.compile(r"(right|wrong|false|elsewhere|recalled)(\d+)")
texts = st.lists(st.sampled_from([*PARTS.split("|"), *TABLE])).map(
    lambda parts: "".join(part.replace("@", str(place)) for place, part in enumerate(parts))
)
modes = st.sampled_from(["strict", "flag", "off"])


async def events_of(text: str, cuts: list[int], mode: GroundingMode) -> tuple[list[Event], Composition]:
    composition = begun(mode)
    pieces = [text[start:end] for start, end in pairwise([0, *cuts, len(text)])]
    events = [event for piece in pieces for event in await composition.add(piece)]
    return events + await composition.finish(), composition


async def test_a_fence_within_a_sentence_does_not_open_code():
    text = "Right0 [1]. - wrong1\nRight2 [1]. ```\nx[7]\n```\nHowever, right4 [3]. "
    _, composition = await events_of(text, [], "strict")
    assert numbers_in(composition.text) <= {citation.n for citation in composition.citations}


async def test_a_number_that_was_code_only_beside_what_is_left_out_is_not_told():
    _, composition = await events_of("Right0 [1]. ```\n<!-- x -->`[9]`", [], "strict")
    assert composition.text == "Right0 [1]."


@settings(max_examples=300, deadline=None)
@given(texts, st.data(), modes)
async def test_no_number_is_told_before_its_citation(text, data, mode):
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=8)))
    events, composition = await events_of(text, cuts, mode)
    known: set[int] = set()
    for event in events:
        if isinstance(event, CitationFound):
            known.add(event.n)
        elif isinstance(event, AnswerDelta):
            assert numbers_in(event.text) <= known
    assert known == {citation.n for citation in composition.citations} <= {1, 2, 3, 4}
    assert numbers_in(composition.text) <= known


@settings(max_examples=200, deadline=None)
@given(texts, st.data(), modes)
async def test_no_cut_of_the_text_changes_what_is_told(text, data, mode):
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=8)))
    assert (await events_of(text, cuts, mode))[0] == (await events_of(text, [], mode))[0]


@settings(max_examples=300, deadline=None)
@given(texts, modes)
async def test_the_text_is_what_was_told_each_once_and_in_order(text, mode):
    events, composition = await events_of(text, [], mode)
    assert composition.text == "".join(event.text for event in events if isinstance(event, AnswerDelta))
    said = SAID.findall(composition.text.lower())
    assert [int(index) for _, index in said] == sorted({int(index) for _, index in said})
    assert mode != "strict" or {word for word, _ in said} <= {"right", "elsewhere", "recalled"}


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([" ", "\n", "\n\n"]), st.booleans())))
async def test_of_the_white_space_between_two_sentences_the_largest_is_left(sentences):
    text = left = largest = ""
    for place, (space, is_right) in enumerate(sentences):
        sentence = f"{'Right' if is_right else 'Wrong'}{place} [1]."
        text += space + sentence
        largest = max(largest, space, key=lambda one: (one.count("\n"), one))
        if is_right:
            left += (largest if left else "") + sentence
            largest = ""
    assert await told(text) == left


@settings(max_examples=300, deadline=None)
@given(texts, st.sampled_from(["strict", "flag"]))
async def test_every_sentence_that_is_not_supported_has_one_event(text, mode):
    events, composition = await events_of(text, [], mode)
    named = [event.position for event in events if isinstance(event, SentenceWithheld | SentenceFlagged)]
    assert len(named) == len(set(named))
    assert mode == "flag" or named == sorted(named)
    grounding = composition.grounding()
    assert grounding.sentences >= grounding.withheld >= len(named)
    assert mode == "flag" or grounding.withheld == len(named)
