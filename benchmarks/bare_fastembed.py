"""The packaged model in fastembed as it comes: its graph as published."""

import os
import tempfile
from pathlib import Path
from typing import Any

from fastembed import TextEmbedding

from app.book.weights import MINILM_FILES, STOCK_MODEL, TRAINED_TOKENS, packaged_weights


def bare_fastembed(threads: int | None) -> Any:
    """An OnnxTextEmbedding, with the limit of tokens that we set."""
    with tempfile.TemporaryDirectory(prefix="book-agent-fastembed-") as name:
        folder = Path(name)
        (folder / "model.onnx").symlink_to(packaged_weights())
        for file in MINILM_FILES.glob("*.json"):
            (folder / file.name).symlink_to(file)
        model: Any = TextEmbedding(STOCK_MODEL, specific_model_path=os.fspath(folder), threads=threads).model
    model.tokenizer.enable_truncation(max_length=TRAINED_TOKENS[STOCK_MODEL])
    return model
