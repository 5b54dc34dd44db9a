"""The offline model's sentences: taken word for word, and only where a passage answers."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.book.bm25 import TermEncoder
from app.chat.extraction import LONGEST, Extractor, sentences_of
from tests.fakes.sources import passage
from tools.search_book import NOTHING, render

TIDE = passage("The sea is never still. A tide is the regular rise and fall of the sea.", "Tides")
SPRING = passage("Spring tides come at full moon. Their range is 20 % larger.", "Tides > Spring tides")
GAUGE = passage("Sailors like a tide gauge. A tide gauge (or mareograph) is a device that records levels.", "Gauges")


@pytest.fixture
def extractor(terms: TermEncoder) -> Extractor:
    return Extractor(terms.stems)


def quoted(extractor: Extractor, question: str, *passages: object) -> list[tuple[str, int]]:
    """The sentences of the answer, each with the number it cites."""
    answer = extractor.answer(question, render(enumerate(passages, 1)))
    return [(text, int(n)) for text, n in re.findall(r"(.*?) \[(\d+)\](?: |\Z)", answer, re.DOTALL)]


def test_a_sentence_is_quoted_word_for_word_with_its_passages_number(extractor):
    assert quoted(extractor, "When do spring tides come?", TIDE, SPRING) == [("Spring tides come at full moon.", 2)]


def test_a_definition_is_preferred_to_a_mention(extractor):
    ((text, _), *_) = quoted(extractor, "What is a tide gauge?", GAUGE)
    assert text == "A tide gauge (or mareograph) is a device that records levels."


def test_without_a_definition_asked_for_the_first_mention_leads(extractor):
    ((text, _), *_) = quoted(extractor, "tide gauge", GAUGE)
    assert text == "Sailors like a tide gauge."


def test_a_heading_counts_as_context_of_its_sentences(extractor):
    neap = passage("The range is 20 % smaller.", "Tides > Neap tides")
    assert quoted(extractor, "range of neap tides", neap) == [("The range is 20 % smaller.", 1)]


def test_at_most_three_sentences_are_quoted(extractor):
    many = [passage(f"Tides rise {number} metres.", source=f"{number}.md") for number in range(6)]
    assert len(quoted(extractor, "How many metres do tides rise?", *many)) == 3


def test_a_sentence_is_quoted_once(extractor):
    twice = [passage("Spring tides come at full moon.", source=source) for source in ("a.md", "b.md")]
    assert quoted(extractor, "When do spring tides come?", *twice) == [("Spring tides come at full moon.", 1)]


def test_a_section_with_quotation_marks_is_read(extractor):
    marked = passage("Tides rise.", 'The "great" <tides>')
    assert quoted(extractor, "Do tides rise?", marked) == [("Tides rise.", 1)]


@pytest.mark.parametrize(
    "question",
    ["How do I bake bread?", "Who wrote Hamlet and tides?", "", "the of and", "?!"],
    ids=["off topic", "one term of three", "empty", "stop words only", "no words"],
)
def test_nothing_is_said_where_no_passage_holds_the_questions_terms(extractor, question):
    assert quoted(extractor, question, TIDE, SPRING, GAUGE) == []


def test_nothing_is_said_where_nothing_was_found(extractor):
    assert extractor.answer("What is a tide?", NOTHING) == ""


def test_what_was_not_rendered_as_a_passage_is_not_quoted(extractor):
    assert extractor.answer("What is a tide?", f"{TIDE.text}\n[1] {TIDE.text}") == ""


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        pytest.param("It rises. It falls! Does it?", ["It rises.", "It falls!"], id="sentences, no questions"),
        pytest.param("It rises [3]. It falls.", ["It falls."], id="the book's own numbers"),
        pytest.param("- Range: 3 m\n- **Why?**\n- It\n\nA heading", ["Range: 3 m"], id="list without full stops"),
        pytest.param("It rises\nand falls.\n\nIt ebbs.", ["It rises\nand falls.", "It ebbs."], id="paragraphs"),
        pytest.param("It, e.g. A, ebbs. See Fig. 3 now.", ["It, e.g. A, ebbs.", "See Fig. 3 now."], id="short forms"),
        pytest.param("It rose 1.5 m in 2.0 hours.", ["It rose 1.5 m in 2.0 hours."], id="numbers"),
        pytest.param("- It rises.\n- It\n  falls.\n", ["It rises.", "It\n  falls."], id="list"),
        pytest.param("1. It rises.\n2) It falls.", ["It rises.", "It falls."], id="numbered list"),
        pytest.param("> It rises.\n> It falls.", ["It rises.", "It falls."], id="quotation"),
        pytest.param('He said "It rises." It did.', ['He said "It rises."', "It did."], id="closing quotation mark"),
        pytest.param("**It rises.** (It does.) Yes.", ["**It rises.**", "(It does.)", "Yes."], id="emphasis"),
        pytest.param("It rises:", [], id="no end"),
        pytest.param("word " * LONGEST + "end.", [], id="too long"),
        pytest.param("It\r\nrises.\r\n\r\nIt falls.", ["It\r\nrises.", "It falls."], id="line ends"),
    ],
)
def test_sentences_are_whole_and_as_they_stand(text, sentences):
    assert list(sentences_of(text)) == sentences


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("```python\nPrints it. Twice.\n```", id="fence"),
        pytest.param("~~~\nPrints it.\n~~~", id="tildes"),
        pytest.param("```\nNever closed. At all.", id="open fence"),
        pytest.param("| Place. | Range. |\n| --- | --- |\n| Fundy. | 11.7 m. |", id="table"),
        pytest.param(":::note It rises.\n:::", id="admonition"),
        pytest.param('!!! note "It rises."', id="admonition of MkDocs"),
        pytest.param("> [!NOTE]", id="admonition of GitHub"),
        pytest.param("# It rises.\n## It falls.", id="headings"),
        pytest.param("<Tabs> It rises.\nimport It from 'it'.\nexport const it = 1.", id="MDX"),
        pytest.param("![It rises.](it.png) It rises.\n[it]: https://tides.example/it.", id="image and link target"),
    ],
)
def test_what_is_no_prose_is_never_quoted(text):
    assert list(sentences_of(text)) == []
    assert list(sentences_of(f"Before it.\n\n{text}")) == ["Before it."]


def test_prose_after_other_things_is_quoted():
    text = "# Tides\n\n```\nx.\n```\n\n:::note\nIt rises.\n:::\n\n| a |\n| - |\nIt falls."
    assert list(sentences_of(text)) == ["It rises.", "It falls."]


@settings(deadline=None)
@example("It rises\n# Tides\nand falls.")
@given(st.text(st.sampled_from('aB1 .!?\n\r\u2028-*>#`|:"()[]')))
def test_every_sentence_occurs_in_its_text(text):
    assert all(sentence in text for sentence in sentences_of(text))
