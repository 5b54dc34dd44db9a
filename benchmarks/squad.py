"""SQuAD 2.0 as a book: its paragraphs, and the questions that they answer."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from app.book.chunking import chunk_document
from app.book.cutting import CutDocument
from app.book.documents import parse_document
from app.book.embedding import Embedder


class Paragraph(NamedTuple):
    source: str
    title: str
    text: str
    questions: list[str]
    """Those that it answers."""


class Question(NamedTuple):
    text: str
    source: str
    """Of the paragraph that answers it."""


def read_paragraphs(file: Path) -> list[Paragraph]:
    """Of a file in SQuAD's own format."""
    return list(_paragraphs(json.loads(file.read_text(encoding="utf-8"))["data"]))


def questions_of(paragraphs: Sequence[Paragraph], most: int = 0) -> list[Question]:
    """Those that can be answered: all of them, or about so many, evenly spread."""
    asked = [Question(question, paragraph.source) for paragraph in paragraphs for question in paragraph.questions]
    return asked[:: max(1, len(asked) // most)] if most else asked


def cut_paragraph(paragraph: Paragraph, embedder: Embedder) -> CutDocument:
    document = parse_document(paragraph.source, f"# {paragraph.title}\n\n{paragraph.text}\n")
    return CutDocument(paragraph.source, chunk_document(document, count_tokens=embedder.count_tokens))


def _paragraphs(articles: Sequence[dict]) -> Iterator[Paragraph]:
    for article in articles:
        for number, paragraph in enumerate(article["paragraphs"]):
            asked = [qa["question"] for qa in paragraph["qas"] if not qa["is_impossible"]]
            title = article["title"].replace("_", " ")
            yield Paragraph(f"{article['title']}/{number}.md", title, paragraph["context"], asked)
