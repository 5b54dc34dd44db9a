"""Which vectors of tokens are kept, and how small."""

import hashlib
from contextlib import closing

import numpy as np
import pytest

from app.book.embedding import load_embedder
from app.book.token_vectors import BASIS_FILES, TokenVectors, unit_rows
from app.book.weights import PACKAGED_MODEL, STOCK_MODEL
from app.errors import ConfigurationError
from tests.conftest import SMALL_BOOK

rng = np.random.default_rng(7)
OUTPUT = rng.standard_normal((5, 384)).astype(np.float32) * 3


def basis():
    return np.load(BASIS_FILES[PACKAGED_MODEL])


class TestFull:
    def test_are_those_of_the_model_at_length_1(self):
        vectors = TokenVectors("full", PACKAGED_MODEL, 384).of(OUTPUT)
        assert np.allclose(vectors, OUTPUT / np.linalg.norm(OUTPUT, axis=1, keepdims=True), atol=1e-6)

    def test_need_no_basis(self):
        vectors = TokenVectors("full", "any/model", 768)
        assert (vectors.name, vectors.dimension) == ("full", 768)


class TestCompact:
    @pytest.mark.parametrize("model", [PACKAGED_MODEL, STOCK_MODEL])
    def test_have_128_dimensions_and_a_name_that_holds_their_basis(self, model):
        vectors = TokenVectors("compact", model, 384)
        digest = hashlib.sha256(basis().astype(np.float32).tobytes()).hexdigest()
        assert (vectors.name, vectors.dimension) == (f"compact-128@{digest[:8]}", 128)

    def test_with_another_basis_have_another_name(self, tmp_path, monkeypatch):
        before = TokenVectors("compact", PACKAGED_MODEL, 384).name
        np.save(tmp_path / "other.npy", basis()[:, ::-1])
        monkeypatch.setitem(BASIS_FILES, PACKAGED_MODEL, tmp_path / "other.npy")
        after = TokenVectors("compact", PACKAGED_MODEL, 384).name
        assert after.startswith("compact-128@")
        assert after != before

    def test_are_projected_and_then_of_length_1(self):
        vectors = TokenVectors("compact", PACKAGED_MODEL, 384).of(OUTPUT)
        assert vectors.shape == (5, 128)
        projected = OUTPUT @ basis().astype(np.float32)
        assert np.allclose(vectors, projected / np.linalg.norm(projected, axis=1, keepdims=True), atol=1e-5)

    def test_keep_the_cosines_of_a_text_s_tokens_about(self):
        text = (SMALL_BOOK / "guide" / "measuring.md").read_text()
        cosines = [inner_cosines(load_embedder(PACKAGED_MODEL, 1, rerank), text) for rerank in ("full", "compact")]
        assert np.corrcoef(*cosines)[0, 1] > 0.95

    def test_of_a_model_without_a_basis_are_refused_and_what_can_be_set_is_said(self):
        with pytest.raises(ConfigurationError) as refused:
            TokenVectors("compact", "any/model", 384)
        assert refused.value.detail == (
            f"RERANK=compact is for {PACKAGED_MODEL} and {STOCK_MODEL}; set RERANK=full or RERANK=off"
        )

    def test_basis_is_orthonormal_with_the_most_variance_first(self):
        columns = basis().astype(np.float32)
        assert columns.shape == (384, 128)
        assert np.allclose(columns.T @ columns, np.eye(128), atol=1e-3)


class TestOff:
    @pytest.mark.parametrize("model", [PACKAGED_MODEL, "any/model"])
    def test_have_no_dimension(self, model):
        vectors = TokenVectors("off", model, 384)
        assert (vectors.name, vectors.dimension) == ("off", 0)


class TestUnitRows:
    def test_a_row_of_zeros_stays_one(self):
        assert unit_rows(np.array([[0, 0], [3, 4]], np.float32)).tolist() == [
            [0, 0],
            [np.float32(0.6), np.float32(0.8)],
        ]

    def test_are_of_single_precision(self):
        assert unit_rows(np.ones((2, 2))).dtype == np.float32


def inner_cosines(embedder, text):
    """Of each token of the text with each other one."""
    with closing(embedder):
        (tokens,) = embedder.encode([[text]]).tokens
    return (tokens @ tokens.T)[~np.eye(len(tokens), dtype=bool)]
