"""Recall and mean reciprocal rank."""

import json

import pytest

from app.book.evaluation import GoldQuestion, Outcome, by_style, evaluate, measure, read_questions
from app.cli.embedded import SAMPLE_BOOK
from app.errors import ConfigurationError


def outcome(rank, style="direct") -> Outcome:
    return Outcome(GoldQuestion(question="Q", style=style, gold_source="a.md", gold_heading="A"), rank, "A")


def test_measures_are_shares_of_the_questions():
    measures = measure([outcome(1), outcome(2), outcome(6), outcome(None)])
    assert (measures.recall_at_1, measures.recall_at_5, measures.recall_at_10) == (0.25, 0.5, 0.75)
    assert measures.mrr_at_10 == pytest.approx((1 + 1 / 2 + 1 / 6) / 4, abs=1e-4)


def test_styles_are_measured_apart_and_together():
    styles = by_style([outcome(1), outcome(1), outcome(None, "hard")])
    assert list(styles) == ["direct", "hard", "all"]
    assert [styles[style].recall_at_10 for style in styles] == [1.0, 0.0, pytest.approx(0.6667)]


async def test_a_question_is_found_at_the_rank_of_the_first_section_that_answers(retriever):
    questions = [
        GoldQuestion(
            question="What is a stilling well?", gold_source="guide/measuring.md", gold_heading="Stilling wells"
        ),
        GoldQuestion(
            question="And its float?",
            history=["What is a stilling well?"],
            gold_source="guide/measuring.md",
            gold_heading="Stilling wells",
        ),
        GoldQuestion(question="What is a stilling well?", gold_source="intro.md", gold_heading="No such heading"),
        GoldQuestion(question="Who won the world cup?"),
    ]
    assert [one.rank for one in await evaluate(retriever, questions)] == [1, 1, None]


def test_a_bad_line_is_named(tmp_path):
    path = tmp_path / "questions.jsonl"
    path.write_text('{"question": "Q"}\n{"question": 3}\n')
    with pytest.raises(ConfigurationError, match=r"questions.jsonl line 2"):
        read_questions(path)


@pytest.mark.parametrize("text", ["", '{"question": "Q"}\n'], ids=["empty", "no gold"])
def test_a_set_without_an_answer_is_refused(tmp_path, text):
    path = tmp_path / "questions.jsonl"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match="no question with a gold_source"):
        read_questions(path)


def test_every_gold_section_of_the_sample_questions_is_in_the_sample_book():
    questions = read_questions(SAMPLE_BOOK / "evaluation" / "retrieval.jsonl")
    assert len(questions) >= 120
    for question in questions:
        if question.gold_source:
            text = (SAMPLE_BOOK / question.gold_source).read_text()
            plain = text.replace("`", "").replace("*", "")
            assert question.gold_heading in plain or json.dumps(question.gold_heading)[1:-1] in plain, question
