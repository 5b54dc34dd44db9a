"""The load script, for some seconds."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_few_readers_are_answered_and_timed():
    words = [sys.executable, "benchmarks/chat_load.py", "--users", "3", "--seconds", "4", "--pause", "0.5", "--json"]
    result = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    figures = json.loads(result.stdout)["users"]["3"]
    assert figures["answered"] > 3
    assert figures["failed"] == {}
    assert 0 < figures["first_event_ms"][0] < figures["first_text_ms"][0] <= figures["answer_ms"][0]
    assert figures["first_text_ms"][0] >= 400  # the provider's first word
    assert figures["cpu_ms_each"] > 0
