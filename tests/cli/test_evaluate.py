"""`book-agent eval retrieval` on a book of a test's own."""

import json

import pytest
from click.testing import CliRunner, Result

from app.cli import command
from app.errors import ConfigurationError, SettingsError
from tests.conftest import SMALL_BOOK

GOLD = {"gold_source": "guide/measuring.md", "gold_heading": "Stilling wells"}
LINES = [
    {"question": "What is a stilling well?", "style": "direct", **GOLD},
    {"question": "Which day of the month?", "style": "hard", **GOLD},
    {"question": "Who won the world cup?", "style": "elsewhere"},
]


@pytest.fixture
def measured(tmp_path):
    questions = tmp_path / "questions.jsonl"
    questions.write_text("\n".join(map(json.dumps, LINES)))

    def measured(*options: str) -> Result:
        given = ["eval", "retrieval", "--book", str(SMALL_BOOK), "--questions", str(questions), *options]
        return CliRunner(env={"COLUMNS": "200"}).invoke(command, given)

    return measured


def test_retrieval_is_measured_on_a_book_and_its_questions(measured):
    report = json.loads(measured("--json").stdout)
    assert {style: measures["recall_at_1"] for style, measures in report["styles"].items()} == {
        "direct": 1.0,
        "hard": 0.0,
        "all but hard": 1.0,
        "all": 0.5,
    }
    assert report["unanswerable"]["elsewhere"] == {"questions": 1, "auc_normal": 1.0, "auc_all": 1.0}
    (miss,) = report["misses"]
    assert (miss["question"], miss["gold"]) == ("Which day of the month?", "guide/measuring.md > Stilling wells")
    assert miss["found"].startswith("A Small Book of Tides")


def test_what_is_measured_is_shown_in_tables(measured):
    table = measured().stdout
    for words in ("MRR@10", "all but hard", "AUC", "elsewhere", "Which day of the month?"):
        assert words in table


def test_misses_are_as_many_as_asked_for(measured):
    assert json.loads(measured("--json", "--worst", "0").stdout)["misses"] == []


def test_a_setting_can_be_compared_with_another_value(measured):
    both = json.loads(measured("--json", "--compare", "RERANK=off", "--compare", "chunk_size=128").stdout)
    assert both["compared_with"] == {"RERANK": "off", "CHUNK_SIZE": "128"}
    assert both["settings"]["styles"] == json.loads(measured("--json").stdout)["styles"]
    assert both["compared"]["styles"]["all"]["questions"] == 2


@pytest.mark.parametrize(
    ("compare", "said"),
    [
        ("EMBEDDING_MODEL=no/such-model", "fastembed cannot load 'no/such-model'"),
        ("CHUNK_SIZE=1000", "the chunk size is 1000 tokens"),
    ],
    ids=["a setting", "a chunk size"],
)
def test_the_other_value_is_what_is_measured_with(measured, compare, said):
    refused = measured("--compare", compare).exception
    assert isinstance(refused, ConfigurationError)
    assert said in refused.for_operator


def test_what_is_compared_is_shown_in_brackets(measured):
    table = measured("--compare", "RERANK=off").stdout
    assert "In brackets: with RERANK=off" in table
    assert "1.000 (1.000)" in table


@pytest.mark.parametrize(
    ("compare", "said"),
    [
        ("COLOUR=red", "there is no setting COLOUR"),
        ("RERANK", "must be NAME=VALUE"),
        ("=off", "must be NAME=VALUE"),
        ("CHUNK_SIZE=many", "CHUNK_SIZE: Expected `int`"),
        ("CHUNK_SIZE=8", "CHUNK_SIZE: chunk_size is 8, it must be at least 32"),
        ("CHUNK_OVERLAP=200", "CHUNK_OVERLAP: chunk_overlap is 200"),
    ],
    ids=str,
)
def test_what_cannot_be_compared_is_refused_before_anything_is_measured(measured, monkeypatch, compare, said):
    monkeypatch.setattr("app.cli.evaluate.load_embedder", None)
    result = measured("--compare", compare)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())


def test_a_bad_value_of_a_setting_is_refused_before_anything_is_measured(measured, monkeypatch):
    monkeypatch.setattr("app.cli.evaluate.load_embedder", None)
    refused = measured("--compare", "RERANK=quick").exception
    assert isinstance(refused, SettingsError)
    assert "RERANK: is none of off, compact, full" in refused.for_operator
