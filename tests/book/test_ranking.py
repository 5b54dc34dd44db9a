"""The order of what a search found."""

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.book.ranking import COVERING, DENSE_WEIGHT, TERMS_WEIGHT, coverage, fuse, rerank, weaker_half
from app.book.vector_store import Legs
from tests.book.candidates import candidate, hit, hits, terms, words_of


def fused(dense: str, terms: str) -> list[tuple[str, float]]:
    return [(one.hit.id, one.fused) for one in fuse(Legs(hits(dense), hits(terms)))]


def ids(candidates) -> str:
    return "".join(one.hit.id for one in candidates)


class TestFusion:
    """1 / (2 + rank) of each leg, ranks from 0."""

    @pytest.mark.parametrize(
        ("dense", "terms", "expected"),
        [
            ("a.9 b.8 c.7", "", [("a", 1 / 2), ("b", 1 / 3), ("c", 1 / 4)]),
            ("", "a7.0 b5.0", [("a", 1 / 2), ("b", 1 / 3)]),
            ("a.9 b.8", "b7.0", [("b", 1 / 3 + 1 / 2), ("a", 1 / 2)]),
            ("a.9 b.8", "c7.0 b6.0", [("b", 2 / 3), ("a", 1 / 2), ("c", 1 / 2)]),
            ("", "", []),
        ],
        ids=["dense alone", "terms alone", "found by both is before found by one", "ties by id", "nothing"],
    )
    def test_ranks_by_reciprocal_ranks(self, dense, terms, expected):
        found = fused(dense, terms)
        assert [id_ for id_, _ in found] == [id_ for id_, _ in expected]
        assert [score for _, score in found] == pytest.approx([score for _, score in expected])

    @pytest.mark.parametrize(("dense", "terms"), [("b.9", "a.9"), ("a.9", "b.9")])
    def test_breaks_a_tie_alike_whichever_leg_found_it(self, dense, terms):
        assert [id_ for id_, _ in fused(dense, terms)] == ["a", "b"]

    def test_keeps_each_leg_s_score_and_none_where_it_found_nothing(self):
        found = fuse(Legs(hits("a.9 b.8"), hits("b7.5 c6.5")))
        assert {one.hit.id: (one.cosine, one.bm25) for one in found} == {
            "a": (0.9, None),
            "b": (0.8, 7.5),
            "c": (None, 6.5),
        }


class TestMatches:
    @pytest.mark.parametrize(
        ("matches", "maxsim", "half"),
        [
            ([0.9, 0.1, 0.5, 0.3], 0.45, 0.2),
            ([0.9, 0.1, 0.5], 0.5, 0.1),
            ([0.7], 0.7, 0.7),
        ],
        ids=["four tokens", "an odd number", "one token"],
    )
    def test_are_judged_by_all_tokens_and_by_the_weaker_half(self, matches, maxsim, half):
        assert candidate("a", matches).maxsim == pytest.approx(maxsim)
        assert weaker_half(np.array([matches, matches])) == pytest.approx([half, half])

    def test_of_a_chunk_that_was_not_looked_at_are_none(self):
        assert candidate("a", None).maxsim == 0


EVEN, ONE_SIDED = [0.5, 0.5], [0.9, 0.3]
"""Matches of which the first has the better half, and the second the better mean."""


class TestRerank:
    def test_goes_by_all_tokens_where_the_book_has_the_question_s_terms(self):
        assert ids(rerank([candidate("a", EVEN), candidate("b", ONE_SIDED)], coverage=1)) == "ba"

    def test_goes_by_the_weaker_half_where_the_question_uses_other_words(self):
        assert ids(rerank([candidate("b", EVEN), candidate("a", ONE_SIDED)], coverage=0)) == "ba"

    @pytest.mark.parametrize(
        ("scores", "other"),
        [({"cosine": 0.9}, {"cosine": 0.1}), ({"bm25": 9.0}, {"bm25": 1.0})],
        ids=["cosine", "bm25"],
    )
    def test_breaks_a_tie_of_matches_by_the_leg_that_counts_at_that_coverage(self, scores, other):
        candidates = [candidate("a", EVEN, **other), candidate("b", EVEN, **scores)]
        assert ids(rerank(candidates, coverage=0)) == ("ba" if "cosine" in scores else "ab")
        assert ids(rerank(candidates, coverage=1)) == ("ab" if "cosine" in scores else "ba")

    def test_a_hit_of_bm25_counts_by_the_square_of_the_coverage(self):
        """It makes up for the same lead in cosine, which counts by what is missing, where both weigh the same."""
        candidates = [candidate("a", EVEN, cosine=0.9, bm25=1.0), candidate("b", EVEN, cosine=0.1, bm25=9.0)]
        same = (math.sqrt(DENSE_WEIGHT**2 + 4 * DENSE_WEIGHT * TERMS_WEIGHT) - DENSE_WEIGHT) / (2 * TERMS_WEIGHT)
        assert ids(rerank(candidates, coverage=same - 0.01)) == "ab"
        assert ids(rerank(candidates, coverage=same + 0.01)) == "ba"

    def test_what_the_dense_leg_did_not_find_is_as_far_as_the_last_that_it_found(self):
        candidates = [candidate("a", EVEN, cosine=0.9), candidate("c", EVEN, cosine=0.7), candidate("b", EVEN)]
        assert ids(rerank(candidates, coverage=0)) == "abc"

    def test_what_bm25_did_not_find_counts_nothing_there(self):
        candidates = [candidate("a", EVEN), candidate("b", EVEN, bm25=0.1), candidate("c", EVEN, bm25=0.2)]
        assert ids(rerank(candidates, coverage=1)) == "cba"

    def test_puts_what_was_not_looked_at_last_in_the_order_it_came(self):
        candidates = [
            candidate("z", fused=0.9),
            candidate("b", [0.1]),
            candidate("a", [0.9]),
            candidate("y", fused=0.1),
        ]
        assert ids(rerank(candidates, coverage=1)) == "abzy"

    def test_without_any_matches_goes_by_the_fusion(self):
        candidates = [candidate("a", fused=0.2, cosine=0.9, bm25=9.0), candidate("b", fused=0.5)]
        assert ids(rerank(candidates, coverage=0.5)) == "ba"

    @pytest.mark.parametrize("matches", [[[0.52], [0.5], [0.1]], [None] * 3], ids=["matches", "none"])
    def test_prefers_what_is_on_the_page_but_not_at_any_price(self, matches):
        candidates = [
            candidate(id_, match, fused=fused)
            for id_, match, fused in zip("abc", matches, [0.52, 0.5, 0.1], strict=True)
        ]
        assert ids(rerank(candidates, coverage=1)) == "abc"
        assert ids(rerank(candidates, coverage=1, on_page={"b"})) == "bac"
        assert ids(rerank(candidates, coverage=1, on_page={"c"})) == "abc"

    @pytest.mark.parametrize("count", [0, 1])
    @pytest.mark.parametrize("matches", [[0.4, 0.2], None], ids=["matches", "none"])
    @pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
    def test_of_one_candidate_or_none_is_what_it_was_given(self, count, matches, share):
        candidates = [candidate("a", matches)] * count
        assert rerank(candidates, share, {"a"}) == candidates


some_candidates = st.lists(
    st.tuples(
        st.none() | st.lists(st.floats(-1, 1, width=16), min_size=3, max_size=3),
        st.none() | st.floats(-1, 1),
        st.none() | st.floats(0, 1e6),
    ),
    max_size=12,
).map(
    lambda rows: [
        candidate(chr(97 + index), matches, cosine=cosine, bm25=bm25, fused=1 / (1 + index))
        for index, (matches, cosine, bm25) in enumerate(rows)
    ]
)


@settings(max_examples=200, deadline=None)
@given(some_candidates, st.floats(0, 1), st.sets(st.sampled_from("abcxyz")))
def test_rerank_loses_nothing_and_doubles_nothing(candidates, share, on_page):
    assert sorted(ids(rerank(candidates, share, on_page))) == sorted(ids(candidates))


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 8), st.floats(0, 1), st.randoms(use_true_random=False), st.booleans())
def test_equal_candidates_are_in_the_order_of_their_ids_however_they_came(count, share, shuffler: random.Random, seen):
    candidates = [candidate(chr(97 + index), EVEN if seen else None, cosine=0.3, bm25=2.0) for index in range(count)]
    shuffler.shuffle(candidates)
    assert ids(rerank(candidates, share)) == "".join(sorted(ids(candidates)))


class TestCoverage:
    @pytest.mark.parametrize(
        ("texts", "share"),
        [
            (["spring tides at full moon"], 1.0),
            (["spring flowers", "full moon"], 2 / 3),
            (["bread"], 0.0),
            ([], 0.0),
        ],
        ids=["all terms", "the best hit counts, not all together", "no term", "no hit"],
    )
    def test_is_the_share_of_the_terms_that_the_best_hit_has(self, texts, share):
        found = coverage(terms("full moon tides"), [hit(text) for text in texts], words_of)
        assert found == pytest.approx(share)

    def test_of_a_question_without_terms_is_none(self):
        assert coverage([], [hit("tides")], words_of) == 0.0

    def test_counts_a_repeated_term_once(self):
        assert coverage([*terms("tides")] * 3 + [*terms("moon")], [hit("tides")], words_of) == 0.5

    def test_is_looked_for_in_the_first_hits_only(self):
        found = [hit(f"word{number}") for number in range(COVERING)]
        assert coverage(terms("tides"), [*found, hit("tides")], words_of) == 0.0
        assert coverage(terms("tides"), [*found[1:], hit("tides")], words_of) == 1.0
