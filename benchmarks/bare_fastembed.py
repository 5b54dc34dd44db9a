"""The packaged model in fastembed as it comes: its graph as published."""

from typing import Any

from app.book.weights import STOCK_MODEL, TRAINED_TOKENS, minilm, packaged_weights


def bare_fastembed(threads: int | None) -> Any:
    """An OnnxTextEmbedding, with the limit of tokens that we set."""
    model = minilm(packaged_weights().read_bytes(), threads)
    model.tokenizer.enable_truncation(max_length=TRAINED_TOKENS[STOCK_MODEL])
    return model
