"""`book-agent eval retrieval` on a book of a test's own."""

import json

from click.testing import CliRunner

from app.cli import command
from tests.conftest import SMALL_BOOK


def test_retrieval_is_measured_on_a_book_and_its_questions(tmp_path):
    gold = {"gold_source": "guide/measuring.md", "gold_heading": "Stilling wells", "style": "direct"}
    lines = [{"question": "What is a stilling well?", **gold}, {"question": "Which day of the month?", **gold}]
    questions = tmp_path / "questions.jsonl"
    questions.write_text("\n".join(map(json.dumps, lines)))
    options = ["eval", "retrieval", "--book", str(SMALL_BOOK), "--questions", str(questions)]
    report = json.loads(CliRunner().invoke(command, [*options, "--json"]).stdout)
    assert report["styles"]["all"]["questions"] == 2
    assert report["styles"]["direct"]["recall_at_1"] == 0.5
    assert [miss["question"] for miss in report["misses"]] == ["Which day of the month?"]
    table = CliRunner().invoke(command, options).stdout
    assert "MRR@10" in table
