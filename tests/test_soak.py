"""The soak script, for a quarter of a minute; and that it would find what it looks for."""

import importlib
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.traffic.ledger import Ledger, Told, Visit

ROOT = Path(__file__).parents[1]
BODY = '{"type": "answer.delta", "text": "A"}'
FRAME = b'event: answer.delta\nid: 2\ndata: {"type": "answer.delta", "text": "%b"}'
BODIES = {("t", 2): BODY}
END = {"status": "answered", "answer": "A pipe.", "error": None}
ROW = {"has_ended": True, "status": "answered", "content": "A pipe.", "ends": 1}


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_short_soak_breaks_no_promise(tmp_path):
    words = [sys.executable, "benchmarks/soak.py", "--minutes", "0.25", "--seed", "1", "--json", "--folder", tmp_path]
    result = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    report = json.loads(result.stdout)
    assert report["turns"]["answered"] > 10
    assert report["faults"]


@pytest.fixture
def verdict(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("soak_verdict")


@pytest.fixture
def told():
    told = Told()
    told.hear(FRAME % b"A")
    told.hear_end(END | {"type": "answer.completed"})
    return told


@pytest.fixture
def ledger(told):
    ledger = Ledger()
    ledger.turns["t"] = told
    ledger.keys["k"].add("t")
    return ledger


def found(verdict, ledger, rows, calls, bodies=BODIES):
    return [
        *verdict.lost(ledger, rows, bodies),
        *verdict.duplicated(ledger, rows, calls),
        *verdict.stuck(ledger, rows),
    ]


def test_a_turn_that_is_kept_as_it_was_told_is_no_finding(verdict, ledger, told):
    told.hear(FRAME % b"A")
    told.hear_end(END)
    assert found(verdict, ledger, {"t": ROW}, {1: 1}) == []


@pytest.mark.parametrize(
    "row",
    [
        None,
        ROW | {"has_ended": False},
        ROW | {"status": "running"},
        ROW | {"status": "failed"},
        ROW | {"content": "A float."},
        ROW | {"ends": 2},
    ],
    ids=["not there", "without an end", "running", "another status", "another answer", "two ends"],
)
def test_a_turn_that_is_not_kept_as_it_was_told_is_found(verdict, ledger, row):
    assert found(verdict, ledger, {} if row is None else {"t": row}, {})


@pytest.mark.parametrize("bodies", [{}, {("t", 2): BODY.replace("A", "B")}], ids=["not there", "another body"])
def test_an_event_that_is_not_kept_as_it_was_told_is_found(verdict, ledger, bodies):
    assert found(verdict, ledger, {"t": ROW}, {1: 1}, bodies)


def _another_body(ledger):
    ledger.turns["t"].hear(FRAME % b"B")


def _another_end(ledger):
    ledger.turns["t"].hear_end(END | {"status": "failed"})


def _another_turn(ledger):
    ledger.of("u", "k").hear_end(END)


def _no_end(ledger):
    ledger.turns["t"].problems.append("204 after event 2")


def _stuck(ledger):
    ledger.visits.append(Visit("JSON", time.monotonic(), is_stuck=True))


@pytest.mark.parametrize("spoil", [_another_body, _another_end, _another_turn, _no_end, _stuck])
def test_what_clients_were_told_wrongly_is_found(verdict, ledger, spoil):
    spoil(ledger)
    assert found(verdict, ledger, {"t": ROW, "u": ROW}, {})


def test_a_second_call_of_the_model_for_one_question_is_found(verdict, ledger):
    assert found(verdict, ledger, {"t": ROW}, {1: 2})
