"""How probable it is that the book answers, by what a search shows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.book.answerability import KNOWING, WITH_TOKENS, WITHOUT_TOKENS, judge, weakest_quarter
from app.book.ranking import coverage
from tests.book.candidates import candidate, hit, terms, words_of


def judged(question: str, *candidates, hits=(), words=("tide",)):
    asked, found = list(terms(question)), [hit(text) for text in hits]
    return judge(candidates, list(words), asked, coverage(asked, found, words_of), found, words_of)


def weakest(words: str, matches: list[float]) -> float:
    return weakest_quarter(words.split(), np.array(matches, np.float32))


class TestWeakestQuarter:
    @pytest.mark.parametrize(
        ("words", "matches", "expected"),
        [
            ("spring tide moon sea", [0.9, 0.2, 0.8, 0.7], 0.2),
            ("one two three four five six seven eight", [0.9, 0.1, 0.8, 0.3, 0.7, 0.6, 0.5, 0.4], 0.2),
            ("one two three four five six seven", [0.9, 0.1, 0.8, 0.3, 0.7, 0.6, 0.5], 0.1),
            ("tide", [0.6], 0.6),
            ("spring ##tide moon", [0.8, 0.2, 0.6], 0.5),
            ("what is the tide of moon", [0.1, 0.1, 0.1, 0.7, 0.1, 0.9], 0.7),
            ("tide , moon ?", [0.7, 0.1, 0.9, 0.1], 0.7),
            ("[UNK] tide", [0.1, 0.9], 0.1),
            ("##s tide", [0.3, 0.9], 0.3),
            ("an ##chor moon", [0.1, 0.3, 0.9], 0.2),
        ],
        ids=[
            "one of four words",
            "the mean of two of eight",
            "one of seven",
            "of one word, itself",
            "a word's is the mean of its tokens",
            "stop words do not count",
            "marks do not count",
            "a word that the model does not know counts",
            "a question that begins inside a word",
            "a word that begins like a stop word counts",
        ],
    )
    def test_is_the_mean_of_the_words_that_match_worst(self, words, matches, expected):
        assert weakest(words, matches) == pytest.approx(expected, abs=1e-6)

    def test_of_stop_words_only_counts_them_all(self):
        assert weakest("what is the of", [0.8, 0.2, 0.6, 0.4]) == pytest.approx(0.2)

    @pytest.mark.parametrize("words", ["", "? !"], ids=["nothing", "marks"])
    def test_of_no_word_is_zero(self, words):
        assert weakest(words, [0.5] * len(words.split())) == 0


class TestEvidence:
    def test_is_that_of_the_nearest_passage_though_it_be_not_the_first(self):
        found = judged("tide", candidate("a", cosine=0.3), candidate("b", cosine=0.7), candidate("c"))
        assert found.cosine == 0.7

    def test_is_how_the_first_passage_matches_the_question_s_words(self):
        found = judged("tide", candidate("a", [0.4]), candidate("b", [0.1]))
        assert found.weakest_quarter == 0.4

    def test_tells_terms_that_one_passage_has_from_those_that_none_has(self):
        found = judged("spring tide moon bread", candidate("a"), hits=["spring tide", "moon"])
        assert (found.coverage, found.unknown) == (0.5, 0.25)

    def test_looks_for_unknown_terms_in_the_first_hits_only(self):
        others = [f"word{number}" for number in range(KNOWING)]
        assert judged("tide", hits=[*others, "tide"]).unknown == 1.0
        assert judged("tide", hits=[*others[1:], "tide"]).unknown == 0.0

    def test_counts_a_repeated_term_once(self):
        once = judge([], [], [*terms("tide bread")], 0.5, [hit("tide")], words_of)
        assert judge([], [], [*terms("tide bread"), *terms("bread")], 0.5, [hit("tide")], words_of) == once
        assert once.unknown == 0.5

    def test_of_a_question_of_stop_words_only_knows_none_of_its_terms(self):
        found = judged("", candidate("a", [0.3], cosine=0.2), hits=["tide"])
        assert (found.coverage, found.unknown) == (0.0, 1.0)
        assert found.score < 0.5

    def test_without_candidates_is_all_against_it(self):
        found = judged("tide")
        assert (found.cosine, found.weakest_quarter, found.coverage, found.unknown) == (0.0, None, 0.0, 1.0)
        assert found.score < 0.05

    def test_is_rounded_to_four_digits(self):
        found = judged("tide", candidate("a", [0.123456], cosine=0.123456), hits=["tide"])
        assert (found.cosine, found.weakest_quarter) == (0.1235, 0.1235)
        assert found.score == round(found.score, 4)


class TestScore:
    def test_goes_by_token_vectors_where_there_are_some(self):
        found = judged("tide", candidate("a", [0.4], cosine=0.5), hits=["tide"])
        assert found.score == round(WITH_TOKENS.score(0.5, 0.4, 1.0, 0.0), 4)

    def test_goes_without_them_where_there_are_none(self):
        found = judged("tide", candidate("a", cosine=0.5), hits=["tide"])
        assert found.score == round(WITHOUT_TOKENS.score(0.5, None, 1.0, 0.0), 4)

    def test_is_half_where_the_evidence_is_even(self):
        even = WITHOUT_TOKENS.constant / -WITHOUT_TOKENS.cosine
        assert WITHOUT_TOKENS.score(even, None, 0.0, 0.0) == pytest.approx(0.5)

    @pytest.mark.parametrize("calibration", [WITH_TOKENS, WITHOUT_TOKENS], ids=["with tokens", "without"])
    def test_of_a_clear_answer_is_high_and_of_none_is_low(self, calibration):
        assert calibration.score(0.75, 0.6, 1.0, 0.0) > 0.9
        assert calibration.score(0.2, 0.2, 0.0, 1.0) < 0.2

    shares = st.floats(0, 1)

    @settings(deadline=None)
    @given(shares, shares, shares, shares, shares, st.sampled_from([WITH_TOKENS, WITHOUT_TOKENS]))
    def test_never_falls_with_nearness_nor_rises_with_unknown_terms(self, cosine, weak, covered, unknown, more, rule):
        score = rule.score(cosine, weak, covered, unknown)
        assert 0 <= score <= 1
        assert rule.score(max(cosine, more), weak, covered, unknown) >= score
        assert rule.score(cosine, max(weak, more), covered, unknown) >= score
        assert rule.score(cosine, weak, covered, max(unknown, more)) <= score

    @settings(deadline=None)
    @given(shares, shares, shares, shares)
    def test_without_token_vectors_never_falls_with_coverage(self, cosine, covered, unknown, more):
        score = WITHOUT_TOKENS.score(cosine, None, covered, unknown)
        assert WITHOUT_TOKENS.score(cosine, None, max(covered, more), unknown) >= score
