import pytest
from qdrant_edge import Bm25, Bm25Config

from app.book.bm25 import SparseVector

EMPTY = SparseVector([], [])
SENTENCES = [
    "Spring tides come twice in a lunar month, at new moon and at full moon.",
    "How do I calibrate the gauge?",
    "Running robots run 20 % faster",
    "The naïve café",
    "What are the moons of JUPITER?",
]


def weights(vector: object) -> dict[int, float]:
    return dict(zip(vector.indices, vector.values, strict=True))


class TestStems:
    def test_are_in_order_with_repetitions_and_without_stop_words(self, terms):
        assert terms.stems("The running robots run to the Robot") == ["run", "robot", "run", "robot"]

    @pytest.mark.parametrize("question", ["calibrate", "Calibrating", "CALIBRATED", "calibrates!"])
    def test_make_the_forms_of_a_word_one_term(self, terms, question):
        assert terms.query(question) == terms.query("calibrate")

    def test_tell_other_words_apart(self, terms):
        assert not {*terms.query("neap tide").indices} & {*terms.query("spring moon").indices}


class TestVectors:
    @pytest.mark.parametrize("question", ["", " \n", "?!", "What is the", "how do I"])
    def test_are_empty_without_a_word_that_tells(self, terms, question):
        assert terms.query(question) == terms.passage(question) == EMPTY

    @pytest.mark.parametrize("text", SENTENCES)
    def test_name_a_term_by_the_same_number_in_query_and_passage(self, terms, text):
        assert {*terms.query(text).indices} == {*terms.passage(text).indices}

    def test_weigh_a_repeated_word_more_in_a_passage_and_one_in_a_query(self, terms):
        [twice], [once] = terms.passage("moon moon").values, terms.passage("moon").values
        assert twice > once
        assert terms.query("moon moon").values == [1]

    @pytest.mark.parametrize("text", SENTENCES)
    def test_are_those_of_qdrant_s_own_engine(self, terms, text):
        engine = Bm25(Bm25Config())
        assert weights(terms.passage(text)) == pytest.approx(weights(engine.embed_document(text)))
        assert weights(terms.query(text)) == weights(engine.embed_query(text))
