"""Recall, mean reciprocal rank, and how well evidence tells what the book answers."""

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.book.evaluation import (
    GoldQuestion,
    Outcome,
    area_under_curve,
    by_style,
    evaluate,
    measure,
    measures_of,
    read_questions,
    separation,
)
from app.cli.embedded import SAMPLE_BOOK
from app.errors import ConfigurationError

WELL = {"gold_source": "guide/measuring.md", "gold_heading": "Stilling wells"}


def outcome(rank: int | None, style: str = "direct", evidence: float = 0.5) -> Outcome:
    return Outcome(GoldQuestion(question="Q", style=style, gold_source="a.md", gold_heading="A"), rank, "A", evidence)


def unanswerable(style: str, evidence: float) -> Outcome:
    return Outcome(GoldQuestion(question="Q", style=style), None, "A", evidence)


class TestMeasures:
    def test_are_shares_of_the_questions(self):
        measures = measure([outcome(1), outcome(2), outcome(6), outcome(None)])
        assert (measures.recall_at_1, measures.recall_at_5, measures.recall_at_10) == (0.25, 0.5, 0.75)
        assert measures.mrr_at_10 == pytest.approx((1 + 1 / 2 + 1 / 6) / 4, abs=1e-4)
        assert measures.questions == 4

    @pytest.mark.parametrize(
        ("rank", "recalls"),
        [(1, (1, 1, 1)), (5, (0, 1, 1)), (6, (0, 0, 1)), (10, (0, 0, 1)), (None, (0, 0, 0))],
        ids=str,
    )
    def test_count_a_rank_within_its_cut(self, rank, recalls):
        measures = measures_of([rank])
        assert (measures.recall_at_1, measures.recall_at_5, measures.recall_at_10) == recalls


class TestStyles:
    def test_are_measured_apart_and_together_the_largest_first(self):
        styles = by_style([outcome(1, "term"), outcome(1), outcome(1), outcome(None, "hard")])
        assert list(styles) == ["direct", "hard", "term", "all but hard", "all"]
        assert [styles[style].questions for style in styles] == [2, 1, 1, 3, 4]
        assert [styles[style].recall_at_10 for style in styles] == [1.0, 0.0, 1.0, 1.0, 0.75]

    @pytest.mark.parametrize("style", ["direct", "hard"])
    def test_of_which_all_or_none_are_hard_need_no_row_without_the_hard_ones(self, style):
        assert list(by_style([outcome(1, style), outcome(2, style)])) == [style, "all"]

    def test_do_not_count_questions_that_the_book_does_not_answer(self):
        styles = by_style([outcome(1), unanswerable("elsewhere", 0.9)])
        assert {style: measures.questions for style, measures in styles.items()} == {"direct": 1, "all": 1}


class TestSeparation:
    @pytest.mark.parametrize(
        ("positives", "negatives", "area"),
        [
            ([0.9, 0.8], [0.1, 0.2], 1.0),
            ([0.1, 0.2], [0.9, 0.8], 0.0),
            ([0.5], [0.5], 0.5),
            ([0.9, 0.3], [0.5, 0.1], 0.75),
            ([0.5, 0.9], [0.5], 0.75),
        ],
        ids=["wholly apart", "upside down", "a tie", "three of four pairs", "half a tie"],
    )
    def test_area_is_the_share_of_pairs_in_the_right_order(self, positives, negatives, area):
        assert area_under_curve(positives, negatives) == area

    scores = st.lists(st.floats(0, 1), min_size=1, max_size=8)

    @given(scores, scores)
    def test_area_turned_round_is_what_is_missing_from_one(self, positives, negatives):
        area = area_under_curve(positives, negatives)
        assert 0 <= area <= 1
        assert area == pytest.approx(1 - area_under_curve(negatives, positives))

    def test_is_told_for_each_style_with_the_hard_questions_and_without(self):
        outcomes = [
            outcome(1, evidence=0.9),
            outcome(1, "hard", evidence=0.3),
            unanswerable("near", 0.5),
            unanswerable("far", 0.1),
            unanswerable("far", 0.2),
        ]
        told = separation(outcomes)
        assert {style: (one.questions, one.auc_normal, one.auc_all) for style, one in told.items()} == {
            "far": (2, 1.0, 1.0),
            "near": (1, 1.0, 0.5),
        }

    def test_of_hard_questions_only_is_that_of_all(self):
        (told,) = separation([outcome(1, "hard", evidence=0.3), unanswerable("near", 0.5)]).values()
        assert (told.auc_normal, told.auc_all) == (0.0, 0.0)

    def test_of_questions_that_are_all_answered_is_not_told(self):
        assert separation([outcome(1)]) == {}


class TestEvaluate:
    async def test_gives_the_rank_of_the_first_section_that_answers(self, retriever):
        questions = [
            GoldQuestion(question="What is a stilling well?", **WELL),
            GoldQuestion(question="And its float?", history=["What is a stilling well?"], **WELL),
            GoldQuestion(question="What is a stilling well?", gold_source="intro.md", gold_heading="No such heading"),
            GoldQuestion(question="What is a stilling well?", gold_source="intro.md", gold_heading="Stilling wells"),
            GoldQuestion(question="Who won the world cup?"),
        ]
        assert [one.rank for one in await evaluate(retriever, questions)] == [1, 1, None, None, None]

    def test_searches_a_follow_up_together_with_the_question_before_it(self):
        question = GoldQuestion(question="And why?", history=["What is a tide?", "What is a stilling well?"])
        assert question.query == "What is a stilling well? And why?"

    async def test_takes_another_section_that_answers_as_well(self, retriever):
        elsewhere = {"gold_source": "no.md", "gold_heading": "No"}
        well = {"source": "guide/measuring.md", "heading": "Stilling wells"}
        question = GoldQuestion(question="What is a stilling well?", **elsewhere)
        line = json.dumps({"question": "What is a stilling well?", **elsewhere, "alternatives": [well]})
        with_alternative = _read(line)
        assert [one.rank for one in await evaluate(retriever, [question, with_alternative])] == [None, 1]

    async def test_tells_what_was_found_and_how_probable_an_answer_seemed(self, retriever):
        questions = [GoldQuestion(question="What causes the tide?"), GoldQuestion(question="Who won the world cup?")]
        known, unknown = await evaluate(retriever, questions)
        assert known.best == "A Small Book of Tides"
        assert known.evidence > 0.8
        assert unknown.evidence < 0.2


class TestReading:
    def test_a_bad_line_is_named(self, tmp_path):
        path = tmp_path / "questions.jsonl"
        path.write_text('{"question": "Q"}\n{"question": 3}\n')
        with pytest.raises(ConfigurationError, match=r"questions.jsonl line 2"):
            read_questions(path)

    @pytest.mark.parametrize("text", ["", '{"question": "Q"}\n'], ids=["empty", "no gold"])
    def test_a_set_without_an_answer_is_refused(self, tmp_path, text):
        path = tmp_path / "questions.jsonl"
        path.write_text(text)
        with pytest.raises(ConfigurationError, match="no question with a gold_source"):
            read_questions(path)

    def test_every_gold_section_of_the_sample_questions_is_in_the_sample_book(self):
        questions = read_questions(SAMPLE_BOOK / "evaluation" / "retrieval.jsonl")
        assert len(questions) >= 120
        for question in questions:
            if question.gold_source:
                text = (SAMPLE_BOOK / question.gold_source).read_text()
                plain = text.replace("`", "").replace("*", "")
                assert question.gold_heading in plain or json.dumps(question.gold_heading)[1:-1] in plain, question


def _read(line: str) -> GoldQuestion:
    return msgspec.json.decode(line, type=GoldQuestion)


@pytest.mark.parametrize("name", ["physical_ai_textbook", "react_native_docs"])
def test_the_question_sets_of_other_books_can_be_read(name):
    path = Path(__file__).parents[2] / "benchmarks" / "questions" / f"{name}.jsonl"
    questions = read_questions(path)
    assert len({question.question for question in questions}) == 110
    assert {question.style for question in questions} == {"direct", "paraphrase", "terse", "code", "hard"}
    assert all(question.gold_source and question.gold_heading for question in questions)
