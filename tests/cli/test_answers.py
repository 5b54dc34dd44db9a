"""`book-agent eval answers` on a book of a test's own: real turns, the offline model or a scripted provider."""

import asyncio
import json
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterable, Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml
from click.testing import CliRunner, Result

from app.chat.asking import Asked
from app.chat.event_log import decode
from app.chat.events import Answer, Event, fold
from app.chat.opening import TurnReader, open_turn
from app.chat.turn_parts import TurnParts
from app.cli import command
from app.errors import ConfigurationError, SettingsError
from tests.cli.test_dev import BOOK_AGENT, processes_of
from tests.conftest import SMALL_BOOK
from tests.fakes.loopback import ThreadServer
from tests.fakes.provider import Reply, ScriptedProvider, answer_from_passages

WELLS = "guide/measuring.md > Stilling wells"
WELL = {
    "id": "well",
    "style": "direct",
    "question": "What is a stilling well?",
    "expect": {"status": "answered", "cites": [WELLS], "contains": ["vertical pipe"]},
}
FLOAT = {
    "id": "float",
    "style": "follow-up",
    "question": "And its float?",
    "history": ["What is a stilling well?"],
    "expect": {"status": "answered", "cites": [WELLS], "contains": ["mean level"]},
}
NEAP = {
    "id": "neap",
    "style": "number",
    "question": "How many days after spring tides do neap tides come?",
    "expect": {"status": "answered", "cites": [WELLS], "contains": ["nine"]},
}
SELECTED = {
    "id": "selected",
    "style": "selected-text",
    "question": "Why?",
    "selected_text": "The sea is made of lemonade and cream.",
    "expect": {"status": "refused", "reasons": ["selection_not_found"]},
}
ELSEWHERE = {
    "id": "risotto",
    "style": "off-topic",
    "question": "What's a good recipe for mushroom risotto?",
    "expect": {"status": "refused", "reasons": ["off_topic"]},
}
CASES = [WELL, FLOAT, NEAP, SELECTED, ELSEWHERE]

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    path = tmp_path / "cases.yaml"
    path.write_text(yaml.safe_dump(CASES))
    return path


@pytest.fixture
def measured(cases: Path) -> Callable[..., Result]:
    def measured(*options: str) -> Result:
        given = ["eval", "answers", "--book", str(SMALL_BOOK), "--cases", str(cases), *options]
        return CliRunner(env={"COLUMNS": "200"}).invoke(command, given)

    return measured


@pytest.fixture
def provider() -> ScriptedProvider:
    """Answers with the first sentence of the first passage."""
    return ScriptedProvider(answer_from_passages)


@pytest.fixture
def use_model(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Puts a model provider in the place of the offline model."""
    servers: list[ThreadServer] = []

    def use(app: Any, prefix: str) -> None:
        servers.append(ThreadServer(app))
        monkeypatch.setenv("MODEL_PROVIDER", "openai")
        monkeypatch.setenv("OPENAI_API_KEY", "k")
        monkeypatch.setenv("OPENAI_BASE_URL", servers[-1].__enter__().url + prefix)

    yield use
    for server in servers:
        server.__exit__(None, None, None)


def test_every_question_is_a_turn_and_its_answer_is_held_against_the_case(measured):
    result = measured("--json")
    assert result.exit_code == 0
    report = json.loads(result.stdout)
    assert report["model"] == "offline-extractive"
    assert report["prompt"].startswith("book_agent/")
    measures = report["measures"]
    assert (measures["cases"], measures["verified"], measures["failed"], measures["wrongly_refused"]) == (5, 1, 0, 0)
    assert measures["off_topic_refused"] == measures["refusal_reasons"] == 1
    assert {style: one["passed"] for style, one in report["styles"].items()} == {
        "direct": 1,
        "follow-up": 1,
        "number": 0,
        "selected-text": 1,
        "off-topic": 1,
    }
    neap = report["worst"][0]
    assert (neap["id"], list(neap["faults"])[:2], neap["status"]) == ("neap", ["uncited", "wording"], "answered")
    assert "seven days" in neap["answer"]


def test_the_report_is_shown_in_tables(measured):
    shown = measured("--style", "number", "--style", "direct").stdout
    for words in ("precision", "direct", "citation_recall", "Worst", "neap", "'nine'"):
        assert words in shown
    assert "off-topic" not in shown


def test_faulty_cases_are_as_many_as_asked_for(measured):
    assert json.loads(measured("--json", "--style", "number", "--worst", "0").stdout)["worst"] == []


def test_a_single_case_is_shown_with_its_whole_answer_and_what_it_cites(measured):
    shown = measured("--case", "well", "--worst", "0").stdout
    assert "filters out waves" in shown
    assert "[1] guide/measuring.md > Measuring tides > Stilling wells" in shown


def test_a_question_comes_with_what_is_selected_the_page_and_the_questions_before(measured, cases, monkeypatch):
    asked, conversations = [], []

    async def open_noted(parts: TurnParts, owner: str, asking: Asked, conversation_id: UUID | None) -> TurnReader:
        turn = await open_turn(parts, owner, asking, conversation_id)
        asked.append(asking)
        started = decode((await anext(turn.read())).body)
        conversations.append((conversation_id, started.conversation_id))
        return turn

    monkeypatch.setattr("app.cli.answering.open_turn", open_noted)
    page = FLOAT | {"selected_text": "a vertical pipe", "page": "guide/measuring.md"}
    cases.write_text(yaml.safe_dump([page, ELSEWHERE]))
    measured()
    assert asked == [
        Asked("What is a stilling well?"),
        Asked("And its float?", "a vertical pipe", "guide/measuring.md"),
        Asked(ELSEWHERE["question"]),
    ]
    (before, first), (given, second), (other, _) = conversations
    assert (before, given, second, other) == (None, first, first, None)


def test_a_required_measure_that_is_missed_is_named_and_is_the_exit_code(measured):
    result = measured(
        "--style", "direct", "--require", "verified=1", "--require", "passed=1.5", "--require", "p50_ms=0"
    )
    assert result.exit_code == 1
    missed = [line for line in result.stderr.splitlines() if line.startswith("missed")]
    assert missed[0] == "missed: passed is 1, and must be at least 1.5"
    assert missed[1].endswith("must be at most 0")
    assert len(missed) == 2


def test_required_measures_that_are_met_are_no_fault(measured):
    assert measured("--style", "direct", "--require", "verified=1", "--require", "wrongly_refused=0").exit_code == 0


def test_a_setting_can_be_compared_with_another_value(measured):
    both = json.loads(measured("--json", "--style", "direct", "--compare", "SEARCH_LIMIT=1").stdout)
    assert both["compared_with"] == {"SEARCH_LIMIT": "1"}
    assert both["compared"]["measures"]["input_tokens"] < both["settings"]["measures"]["input_tokens"]


def test_what_is_compared_is_shown_in_brackets(measured):
    shown = measured("--style", "direct", "--compare", "SEARCH_LIMIT=1").stdout
    assert "In brackets: with SEARCH_LIMIT=1" in shown
    assert "1.000 (1.000)" in shown


def test_a_model_of_the_environment_is_asked_and_its_failures_are_counted(measured, provider, use_model):
    provider.script = lambda request: (
        Reply.error(400, {"error": {}})
        if "spring" in json.dumps(request["messages"][-1])
        else answer_from_passages(request)
    )
    use_model(provider.app, provider.prefix)
    report = json.loads(measured("--json", "--style", "number", "--style", "direct").stdout)
    assert report["model"] == "gpt-4.1-mini"
    assert report["measures"]["failed"] == 1
    assert report["styles"]["direct"]["passed"] == 1


def test_questions_are_asked_as_many_at_a_time_as_said(measured, cases, monkeypatch):
    pair, running, most = asyncio.Barrier(2), 0, 0

    async def fold_in_pairs(events: AsyncIterable[Event]) -> Answer:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.wait_for(pair.wait(), timeout=30)
        answer = await fold(events)
        running -= 1
        return answer

    monkeypatch.setattr("app.cli.answering.fold", fold_in_pairs)
    cases.write_text(yaml.safe_dump([WELL | {"id": f"well-{number}"} for number in range(6)]))
    report = json.loads(measured("--json", "--concurrency", "2").stdout)
    assert (report["measures"]["passed"], most) == (1, 2)


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where temporary files go; its path is short, as that of a Unix socket has to be."""
    with tempfile.TemporaryDirectory(prefix="eval-") as folder:
        monkeypatch.setenv("TMPDIR", folder)
        yield Path(folder)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_leaves_nothing_behind(cases, provider, use_model, temporary, number):
    provider.script = [Reply.text("and more " * 5000).paced(chunk_s=0.05)]
    use_model(provider.app, provider.prefix)
    given = [BOOK_AGENT, "eval", "answers", "--book", str(SMALL_BOOK), "--cases", str(cases)]
    with subprocess.Popen(given, stderr=subprocess.PIPE, text=True) as process:
        while not provider.requests and process.poll() is None:
            time.sleep(0.05)
        before = list(temporary.glob("book-agent-eval-*"))
        process.send_signal(number)
        log = process.communicate(timeout=60)[1]
    assert before, log
    assert process.returncode in {1, 143}
    assert "Traceback" not in log
    assert list(temporary.glob("*eval*")) == []
    assert processes_of(temporary) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--case", "nope"], "there is no case with the id nope"),
        (["--case", "well", "--style", "typo"], "there is no case with the id well and style typo"),
        (["--style", "page"], "there is no case with style page"),
        (["--style", "odd"], "'odd' is not one of"),
        (["--require", "beauty=1"], "there is no measure beauty"),
        (["--require", "verified"], "must be NAME=VALUE"),
        (["--require", "verified=all"], "'all' is no number"),
        (["--require", "verified=nan"], "'nan' is no number"),
        (["--compare", "COLOUR=red"], "there is no setting COLOUR"),
        (["--compare", "CHUNK_SIZE=8"], "CHUNK_SIZE: chunk_size is 8"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_measured_is_refused_before_anything_is_asked(measured, monkeypatch, options, said):
    monkeypatch.setattr("app.cli.answering.ask_cases", None)
    result = measured(*options)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())


def test_a_book_comes_with_its_own_cases():
    result = CliRunner().invoke(command, ["eval", "answers", "--book", str(SMALL_BOOK)])
    assert (result.exit_code, "--book needs --cases" in result.stderr) == (2, True)


def test_a_bad_setting_is_refused_before_anything_is_asked(measured, monkeypatch):
    monkeypatch.setattr("app.cli.answering.ask_cases", None)
    assert isinstance(measured("--compare", "GROUNDING=lax").exception, SettingsError)
    monkeypatch.setenv("MODEL_PROVIDER", "openai")
    refused = measured().exception
    assert isinstance(refused, SettingsError)
    assert "OPENAI_API_KEY: is missing" in refused.for_operator


def test_a_case_that_expects_a_section_which_the_book_does_not_have_is_refused(measured, cases):
    cases.write_text(
        yaml.safe_dump([WELL | {"expect": {"status": "answered", "cites": ["guide/measuring.md > Wells"]}}])
    )
    refused = measured().exception
    assert isinstance(refused, ConfigurationError)
    assert "case well: the book has no section 'guide/measuring.md > Wells'" in refused.for_operator
