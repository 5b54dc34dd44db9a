"""The sentences of a passage that can be quoted: whole, as they stand, and only prose."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.chat.quotable import LONGEST, sentences_of


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
