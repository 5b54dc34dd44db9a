"""Calibrates app/book/answerability.py on the sample book's questions, and says how well each signal separates.

Run it as `uv run python benchmarks/answerability.py`. It prints the area under the ROC curve of every signal and of the
whole score, in ten-fold cross-validation and as fitted, and the constants to put into the module.
"""

import asyncio
import tempfile
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
from building import SAMPLE_BOOK, build, cut_book
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from app.book.answerability import Answerability
from app.book.bm25 import TermEncoder
from app.book.edge_store import EdgeStore
from app.book.embedding import load_embedder
from app.book.evaluation import GoldQuestion, area_under_curve, read_questions
from app.book.retrieval import Retriever
from app.book.weights import PACKAGED_MODEL
from app.settings import Rerank

SIGNALS = ("cosine", "weakest_quarter", "coverage", "unknown")
FOLDS = 10
RIDGE = 1.0
Array = NDArray[np.float64]
console = Console(highlight=False)


class Case(NamedTuple):
    question: GoldQuestion
    evidence: Answerability


@click.command()
@click.option("--rerank", default="compact", type=click.Choice(["off", "compact", "full"]))
def main(rerank: Rerank) -> None:
    cases = asyncio.run(_cases(rerank))
    signals = [name for name in SIGNALS if rerank != "off" or name != "weakest_quarter"]
    features = np.array([[float(getattr(case.evidence, name)) for name in signals] for case in cases])
    answerable = np.array([case.question.gold_source is not None for case in cases], float)
    styles = np.array([case.question.style for case in cases])
    weights = np.where(np.isin(styles, ["near-miss"]), 0.0, 1.0)
    folds = np.random.default_rng(0).integers(0, FOLDS, len(cases))
    crossed = np.zeros(len(cases))
    for fold in range(FOLDS):
        rest = folds != fold
        fitted = _fit(features[rest], answerable[rest], weights[rest])
        crossed[~rest] = features[~rest] @ fitted[1:] + fitted[0]
    fitted = _fit(features, answerable, weights)
    table = Table("signal", "off-topic", "absent", "near-miss", "off-topic, normal", "absent, normal")
    rows = {name: features[:, index] for index, name in enumerate(signals)}
    rows |= {"score, as fitted": features @ fitted[1:] + fitted[0], "score, cross-validated": crossed}
    for name, values in rows.items():
        signed = -values if name == "unknown" else values
        table.add_row(name, *(f"{area:.3f}" for area in _areas(signed, answerable, styles)))
    console.print(table)
    console.print("constant", round(float(fitted[0]), 2), dict(zip(signals, fitted[1:].round(2).tolist(), strict=True)))
    scores = 1 / (1 + np.exp(-rows["score, as fitted"]))
    for style in sorted(set(styles)):
        low, middle, high = np.quantile(scores[styles == style], [0.1, 0.5, 0.9])
        console.print(f"{style:12} 10 % below {low:.2f}, half below {middle:.2f}, 90 % below {high:.2f}")


async def _cases(rerank: Rerank) -> list[Case]:
    embedder = load_embedder(PACKAGED_MODEL, threads=1, rerank=rerank)
    questions = read_questions(SAMPLE_BOOK / "evaluation" / "retrieval.jsonl")
    with tempfile.TemporaryDirectory() as folder:
        await build(cut_book(SAMPLE_BOOK, embedder), embedder, Path(folder))
        store = EdgeStore(Path(folder))
        retriever = Retriever(embedder, TermEncoder(), store)
        found = [await retriever.search(question.query, limit=1) for question in questions]
        await store.close()
    embedder.close()
    return [Case(question, one.answerability) for question, one in zip(questions, found, strict=True)]


def _areas(values: Array, answerable: Array, styles: NDArray[np.str_]) -> list[float]:
    everything, normal = answerable == 1, (answerable == 1) & (styles != "hard")
    pairs = [(everything, "off-topic"), (everything, "absent"), (everything, "near-miss")]
    pairs += [(normal, "off-topic"), (normal, "absent")]
    return [area_under_curve(values[yes].tolist(), values[styles == style].tolist()) for yes, style in pairs]


def _fit(features: Array, answerable: Array, weights: Array) -> Array:
    """Ridge logistic regression by Newton's method, both classes of equal weight; the constant first."""
    mean, spread = features.mean(0), features.std(0) + 1e-9
    scaled = np.c_[np.ones(len(features)), (features - mean) / spread]
    balance = weights * np.where(
        answerable == 1, 0.5 / (answerable * weights).sum(), 0.5 / ((1 - answerable) * weights).sum()
    )
    balance *= weights.sum()
    penalty = RIDGE * np.diag([0.0, *np.ones(features.shape[1])])
    theta = np.zeros(scaled.shape[1])
    for _ in range(50):
        chance = 1 / (1 + np.exp(-scaled @ theta))
        gradient = scaled.T @ (balance * (chance - answerable)) + penalty @ theta
        theta -= np.linalg.solve((scaled * (balance * chance * (1 - chance))[:, None]).T @ scaled + penalty, gradient)
    slopes = theta[1:] / spread
    return np.r_[theta[0] - slopes @ mean, slopes]


if __name__ == "__main__":
    main()
