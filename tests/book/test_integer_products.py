"""The packaged model's graph multiplies by its 8-bit weights, and means the same."""

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from app.book.embedding import load_embedder
from app.book.integer_products import with_integer_products
from app.book.weights import PACKAGED_MODEL, load_weights, minilm, packaged_weights
from app.errors import ConfigurationError, MissingExtraError
from tests.book.test_embedding import ODD_TEXTS

TEXTS = [
    "Tide",
    "What does an IMU measure, and what does it not measure?",
    "Spring tides come at new moon, when sun and moon pull along one line. " * 8,
    *ODD_TEXTS,
]


@pytest.fixture(scope="module")
def graph() -> onnx.GraphProto:
    return onnx.load_from_string(with_integer_products(packaged_weights())).graph


def saved(path: Path, weights: np.ndarray) -> Path:
    """A graph that multiplies by `weights`, which it unpacks as the published one does where they are 8-bit."""
    unpacked = [
        helper.make_node("Cast", ["weights"], ["cast"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["cast", "scale"], ["unpacked"]),
    ]
    given = "unpacked" if weights.dtype == np.int8 else "weights"
    nodes = [*(unpacked if weights.dtype == np.int8 else []), helper.make_node("MatMul", ["x", given], ["y"])]
    shapes = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "xy"]
    constants = [numpy_helper.from_array(weights, "weights")]
    constants.append(numpy_helper.from_array(np.full((1, weights.shape[1]), 0.5, np.float32), "scale"))
    graph = helper.make_graph(nodes, "product", [shapes[0]], [shapes[1]], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    return path


def test_vectors_are_those_of_the_published_graph():
    published = minilm(packaged_weights().read_bytes(), threads=1)
    published.tokenizer.enable_truncation(max_length=256)
    embedder = load_embedder(PACKAGED_MODEL, threads=1, rerank="off")
    ours = np.concatenate(embedder.encode([[text] for text in TEXTS]).dense)
    embedder.close()
    cosines = (np.array(list(published.embed(TEXTS, batch_size=1))) * ours).sum(axis=1)
    assert (cosines > 0.998).all()
    assert (cosines < 1 - 1e-6).any()  # or it is the published graph


def test_a_product_is_that_of_the_weights(tmp_path):
    weights = np.random.default_rng(0).integers(-128, 128, (128, 24)).astype(np.int8)
    product = onnx.load_from_string(with_integer_products(saved(tmp_path / "small.onnx", weights))).graph
    node = next(node for node in product.node if node.op_type == "MatMulNBits")
    blocks, scales = (
        numpy_helper.to_array(next(value for value in product.initializer if value.name == name))
        for name in node.input[1:]
    )
    unpacked = (blocks.astype(np.float32) - 128) * scales[..., None]
    assert np.array_equal(unpacked.reshape(24, 128).T, weights * np.float32(0.5))


def test_no_weights_are_unpacked_for_a_product(graph):
    kinds = Counter(node.op_type for node in graph.node)
    assert kinds["MatMulNBits"] == 36  # six in each of six layers
    weights = {value.name for value in graph.initializer}
    made = {name for node in graph.node for name in node.output}
    assert all(name in made for node in graph.node if node.op_type == "MatMul" for name in node.input)
    assert all(weights.isdisjoint(node.input) for node in graph.node if node.op_type == "MatMul")
    used = {name for node in graph.node for name in node.input}
    assert weights <= used


def test_no_sum_can_be_fused_with_a_normalization(graph):
    made_by = {name: node.op_type for node in graph.node for name in node.output}
    before = [made_by[node.input[0]] for node in graph.node if node.op_type == "LayerNormalization"]
    assert len(before) == 13
    assert set(before) == {"Sum"}


def test_weights_that_are_not_8_bit_are_refused(tmp_path):
    file = saved(tmp_path / "whole.onnx", np.ones((64, 64), np.float32))
    with pytest.raises(ConfigurationError, match=r"whole\.onnx has no 8-bit weights"):
        with_integer_products(file)


def test_without_its_library_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.delitem(sys.modules, "app.book.integer_products")
    with pytest.raises(MissingExtraError, match=r"pip install 'book-agent\[minilm\]'"):
        load_weights(PACKAGED_MODEL, threads=1)
