"""The words of a passage that carry a claim."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.grounding.evidence import Evidence
from app.grounding.matching import Claim, Matching, verbatim
from app.grounding.quotes import quote
from app.grounding.words import WordReader

READER = WordReader(lambda text: [text.removesuffix("s")] if len(text) > 3 else [])

PROSE = (
    "A topic is a named stream. Publishers write to the stream and subscribers read from it.\n"
    "Nobody knows the other side, so a node can be replaced without a change.\n"
)
LIST = "Three strategies exist:\n\n- ankle strategy, for small pushes\n- hip strategy, for larger pushes\n- stepping\n"
TABLE = "| Part | Rate |\n| --- | --- |\n| camera | 30 images |\n| encoder | 1000 readings |\n"


def evidence(text: str, *headings: str) -> Evidence:
    return Evidence.of(text, headings, READER)


def quoted(sentence: str, text: str) -> str:
    start, end = quote(Matching(Claim(sentence, READER), [evidence(text)]), 0)
    return text[start:end]


class TestQuote:
    @pytest.mark.parametrize(
        ("sentence", "text", "expected"),
        [
            (
                "Subscribers read what publishers write.",
                PROSE,
                "Publishers write to the stream and subscribers read from it.",
            ),
            ("a topic is a **named** stream", PROSE, "A topic is a named stream."),
            ("Larger pushes need the hip strategy.", LIST, "hip strategy, for larger pushes"),
            ("The camera gives 30 images.", TABLE, "| camera | 30 images |"),
        ],
        ids=["a sentence in other words", "a sentence word for word", "a list item", "a table row"],
    )
    def test_is_what_says_it(self, sentence, text, expected):
        assert quoted(sentence, text).strip("- ") == expected

    def test_has_a_neighbour_that_carries_as_much(self):
        both = "Robots fall when power fails. Then gantry ropes catch them."
        assert quoted("Ropes of a gantry catch robots that fall without power.", both) == both

    def test_leaves_out_a_neighbour_that_adds_little(self):
        assert quoted("Nobody knows the other side of a topic.", PROSE).startswith("Nobody")

    def test_is_all_that_stands_there_word_for_word(self):
        assert quoted("falls often it breaks", "It falls often. It breaks. It ends.") == "It falls often. It breaks."

    def test_of_a_text_without_statements_is_the_text(self):
        assert quoted("Topics are streams.", "") == ""

    words = st.sampled_from(["topic", "stream", "node", "the", "falls", "not", "5", "Hz", "`a_b`", "|"])
    passages = st.lists(
        words | st.sampled_from([".\n", "\n\n", "\n- ", ". ", "```\n", ":\n"]) | st.text(max_size=3)
    ).map(" ".join)

    @settings(max_examples=300, deadline=None)
    @given(st.text(max_size=60) | st.lists(words, max_size=8).map(" ".join), passages)
    def test_is_always_a_literal_part_of_the_passage(self, sentence, text):
        start, end = quote(Matching(Claim(sentence, READER), [evidence(text)]), 0)
        assert 0 <= start <= end <= len(text)
        assert text[start:end] == text[start:end].strip()
        assert bool(text[start:end]) == bool(text.strip())


class TestStatements:
    @pytest.mark.parametrize(("text", "context"), [(LIST, "Three strategies exist:"), (TABLE, "| Part | Rate |")])
    def test_of_a_list_or_a_table_lean_on_what_introduces_them(self, text, context):
        first, *others = evidence(text).statements
        assert text[first.start : first.end] == context
        assert all(first.stems < one.leaning_on for one in others)
        assert first.context is None


class TestVerbatim:
    @pytest.mark.parametrize(
        ("sentence", "text"),
        [
            ("It reads zero.", "It reads **zero**."),
            ("the value `a` is high", "Then the value a is high, but b is not."),
            ("It falls. It breaks.", "It falls.\nIt breaks.\n"),
        ],
        ids=["without its emphasis", "a clause beside another that denies something", "two sentences"],
    )
    def test_is_found_word_for_word(self, sentence, text):
        assert verbatim(Claim(sentence, READER), evidence(text)) is not None

    @pytest.mark.parametrize(
        ("sentence", "text"),
        [
            ("legs run", "Legs run."),
            ("Legs run on springs.", "Legs run on oil."),
            ("Legs run with springs", "No legs run with springs."),
            ("Legs run fast enough", "Legs run fast enough never."),
            ("The leg is made of oil.", "It is wrong, as tests show, that the leg is made of oil."),
            ("a < b is true", "a > b is true"),
        ],
        ids=["too short", "another word", "a negator before", "a negator after", "a doubt before", "another operator"],
    )
    def test_is_not_what_the_passage_may_deny(self, sentence, text):
        assert verbatim(Claim(sentence, READER), evidence(text)) is None
