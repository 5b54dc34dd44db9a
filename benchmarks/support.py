"""Calibrates app/grounding/support.py on the sample book's pairs of sentences and sections, and measures it.

Run it as `uv run python benchmarks/support.py`. There are two sets: `support.jsonl` was written with the judge in mind,
`support_blind.jsonl` by three readers of the book who knew only what the kinds of pairs are. A quarter of the sections,
chosen by a hash, is held out, and of the blind set the pages of one reader: the weights and the threshold come from the
others alone. It prints the constants for app/grounding/calibration.py, then how the module judges as it is, with
`--held-out` also what is held out. Each supported sentence is also held against two sections that it does not come
from, as if it cited them.
"""

import asyncio
import hashlib
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import click
import msgspec
import numpy as np
from building import SAMPLE_BOOK
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from app.book.bm25 import TermEncoder
from app.book.documents import find_sources, read_document
from app.book.embedding import load_embedder
from app.book.evaluation import area_under_curve
from app.book.weights import PACKAGED_MODEL
from app.grounding.comparison import Comparison
from app.grounding.signals import Signals, lexical
from app.grounding.support import Judge, Verdict, faults
from app.settings import Rerank

HELD_OUT = 3
"""Rest of a section's hash by four."""
HELD_OUT_PAGES = ("part-4-motion/kinematics", "part-4-motion/manipulation", "part-5", "part-6")
"""Of the blind set."""
PASSING = 0.94
"""Share of the supported sentences that are to reach the threshold."""
FOLDS, REPETITIONS, RIDGE = 8, 4, 1.0
MODEL_SIGNALS = ("cosine", "weak", "unborne", "strange")
MISCITED, MISCITED_WEIGHT = "miscited", 0.3
Array = NDArray[np.float64]
Sections = dict[tuple[str, str], tuple[str, tuple[str, ...]]]
"""Text and heading path of each, by its source and its own heading."""
console = Console(highlight=False)


class Pair(msgspec.Struct, frozen=True):
    sentence: str
    source: str
    heading: str
    label: str
    kind: str

    @property
    def section(self) -> tuple[str, str]:
        return self.source, self.heading

    @property
    def is_held_out(self) -> bool:
        return hashlib.sha256((self.source + self.heading).encode()).digest()[0] % 4 == HELD_OUT

    @property
    def is_supported(self) -> bool:
        return self.label == "supported"


class Judged(NamedTuple):
    pair: Pair
    verdict: Verdict
    seconds: float
    """Of one core, against a passage that nothing was computed of before."""
    again: float
    """Of one core, against a passage whose statements were compared before."""


@click.command()
@click.option("--rerank", default="compact", type=click.Choice(["off", "compact", "full"]))
@click.option("--held-out", is_flag=True)
def main(rerank: Rerank, held_out: bool) -> None:
    embedder = load_embedder(PACKAGED_MODEL, threads=1, rerank=rerank)
    judge = Judge(embedder, TermEncoder())
    pairs, blind = _read("support.jsonl"), _read("support_blind.jsonl")
    unseen = [pair for pair in blind if pair.source.startswith(HELD_OUT_PAGES)]
    sections = _sections(SAMPLE_BOOK)
    training = [pair for pair in pairs if not pair.is_held_out]
    seen = [pair for pair in blind if not pair.is_held_out and pair not in unseen]
    both = [*training, *seen]
    asyncio.run(_calibrate(judge, Comparison(embedder), both + _miscited(both), sections, rerank))
    groups = {"training": training + _miscited(training), "blind, training": seen}
    if held_out:
        others = [pair for pair in pairs if pair.is_held_out]
        groups |= {"held out": others + _miscited(others), "blind, held out": unseen}
    for title, group in groups.items():
        _print(title, asyncio.run(_judged(judge, group, sections)))
    embedder.close()


def _read(name: str) -> list[Pair]:
    lines = (SAMPLE_BOOK / "evaluation" / name).read_text(encoding="utf-8").splitlines()
    return [msgspec.json.decode(line, type=Pair) for line in lines]


def _miscited(pairs: Sequence[Pair]) -> list[Pair]:
    """Each supported sentence with another section of its document and with one of another document."""
    places = sorted({pair.section for pair in pairs})
    found = []
    for pair in pairs:
        if pair.is_supported:
            near = [place for place in places if place[0] == pair.source and place != pair.section]
            for among in (near, [place for place in places if place[0] != pair.source]):
                source, heading = among[zlib.crc32(pair.sentence.encode()) % len(among)] if among else pair.section
                found += [Pair(pair.sentence, source, heading, "unsupported", MISCITED)] if among else []
    return found


def _sections(book: Path) -> Sections:
    documents = [read_document(path, book) for path in find_sources(book).paths]
    return {
        (document.source, section.heading_path[-1]): (
            document.text[section.blocks[0].start : section.blocks[-1].end],
            section.heading_path,
        )
        for document in documents
        for section in document.sections
        if section.blocks
    }


async def _calibrate(
    judge: Judge, comparison: Comparison, pairs: Sequence[Pair], sections: Sections, rerank: Rerank
) -> None:
    """On those whose facts are right: the others are settled by the rules."""
    kept, by_words, by_vectors = [], [], []
    evidence = {section: judge.evidence(*sections[section]) for section in {pair.section for pair in pairs}}
    for pair in pairs:
        cited = [evidence[pair.section]]
        matching = judge.matching(pair.sentence, cited)
        if not faults(matching):
            kept.append(pair)
            by_words.append(lexical(matching, matching.matches[0]))
            by_vectors.append((await comparison.signals(matching, by_words[-1]))[1])
    names = [name for name in Signals.__struct_fields__ if name not in MODEL_SIGNALS]
    _print_fit("BY_WORDS", kept, by_words, names)
    if rerank == "off":
        names.append("cosine")
    else:
        names = [name for name in names if name != "scarce"] + ["weak", "unborne", "strange"]
    _print_fit("WITHOUT_TOKENS" if rerank == "off" else "WITH_TOKENS", kept, by_vectors, names)


def _print_fit(title: str, pairs: Sequence[Pair], signals: Sequence[Signals], names: Sequence[str]) -> None:
    features = np.array([[float(getattr(one, name)) for name in names] for one in signals])
    supported = np.array([pair.is_supported for pair in pairs], float)
    weights = np.array([MISCITED_WEIGHT if pair.kind == MISCITED else 1.0 for pair in pairs])
    fitted = fit(features, supported, weights)
    crossed = _crossed(features, supported, weights, ["/".join(pair.section) for pair in pairs])
    written = weights == 1
    area = area_under_curve(crossed[written & (supported == 1)].tolist(), crossed[written & (supported == 0)].tolist())
    threshold = 1 / (1 + np.exp(-np.quantile(crossed[supported == 1], 1 - PASSING)))
    console.print(f"{title}: AUC of those with the right facts {area:.3f}, cross-validated; threshold {threshold:.2f}")
    console.print("  constant", round(float(fitted[0]), 2), dict(zip(names, fitted[1:].round(2).tolist(), strict=True)))


def _crossed(features: Array, supported: Array, weights: Array, sections: Sequence[str]) -> Array:
    scores = np.zeros(len(supported))
    for repetition in range(REPETITIONS):
        folds = np.array([hashlib.sha256(f"{repetition}{name}".encode()).digest()[0] % FOLDS for name in sections])
        for fold in range(FOLDS):
            rest = folds != fold
            fitted = fit(features[rest], supported[rest], weights[rest])
            scores[~rest] += (features[~rest] @ fitted[1:] + fitted[0]) / REPETITIONS
    return scores


def fit(features: Array, positive: Array, weights: Array) -> Array:
    """Ridge logistic regression by Newton's method, both classes of equal weight; the constant first."""
    mean, spread = features.mean(0), features.std(0) + 1e-9
    scaled = np.c_[np.ones(len(features)), (features - mean) / spread]
    of_class = np.where(positive == 1, (weights * positive).sum(), (weights * (1 - positive)).sum())
    balance = weights * weights.sum() / (2 * of_class)
    penalty = RIDGE * np.diag([0.0, *np.ones(features.shape[1])])
    theta = np.zeros(scaled.shape[1])
    for _ in range(40):
        chance = 1 / (1 + np.exp(-scaled @ theta))
        gradient = scaled.T @ (balance * (chance - positive)) + penalty @ theta
        theta -= np.linalg.solve((scaled * (balance * chance * (1 - chance))[:, None]).T @ scaled + penalty, gradient)
    slopes = theta[1:] / spread
    return np.r_[theta[0] - slopes @ mean, slopes]


async def _judged(judge: Judge, pairs: Sequence[Pair], sections: Sections) -> list[Judged]:
    judged = []
    for pair in pairs:
        evidence = [judge.evidence(*sections[pair.section])]
        began = time.process_time()
        verdict = await judge.judge(pair.sentence, evidence)
        done = time.process_time()
        await judge.judge(pair.sentence, evidence)
        judged.append(Judged(pair, verdict, done - began, time.process_time() - done))
    return judged


def _print(title: str, judged: Sequence[Judged]) -> None:
    written = [one for one in judged if one.pair.kind != MISCITED]
    positives = [one for one in written if one.pair.is_supported]
    negatives = [one for one in written if not one.pair.is_supported]
    passed = [one for one in written if one.verdict.supported]
    right = sum(one.pair.is_supported for one in passed)
    console.print(
        f"\n{title}: {len(written)} pairs, AUC {_area(positives, negatives):.3f}, "
        f"precision {right / len(passed):.3f}, recall {right / len(positives):.3f}"
    )
    table = Table("kind", "pairs", "judged right", "AUC against the other label")
    for kind in sorted({one.pair.kind for one in judged}):
        group = [one for one in judged if one.pair.kind == kind]
        is_supported = group[0].pair.is_supported
        share = sum(one.verdict.supported == is_supported for one in group) / len(group)
        area = _area(group, negatives) if is_supported else _area(positives, group)
        table.add_row(kind, str(len(group)), f"{share:.3f}", f"{area:.3f}")
    console.print(table)
    for name, seconds in (
        ("all", [one.seconds for one in written]),
        ("all, passages compared before", [one.again for one in written]),
        ("verbatim", [one.seconds for one in judged if one.pair.kind == "verbatim"]),
    ):
        if seconds:
            median, most = np.quantile(seconds, [0.5, 0.95]) * 1000
            mean = np.mean(seconds) * 1000
            console.print(f"milliseconds, {name}: mean {mean:.2f}, median {median:.2f}, 95th percentile {most:.2f}")


def _area(positives: Sequence[Judged], negatives: Sequence[Judged]) -> float:
    return area_under_curve([one.verdict.score for one in positives], [one.verdict.score for one in negatives])


if __name__ == "__main__":
    main()
