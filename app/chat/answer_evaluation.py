"""Questions with what is expected of their answers, and the answers that came."""

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec
import yaml

from app.chat.events import Answer, Citation, Quote
from app.chat.memory import unmarked
from app.errors import ConfigurationError

MARKUP = re.compile(r"[\s*_`\[\]()]+")
"""What does not count where texts are compared."""

Style = Literal[
    "direct",
    "paraphrase",
    "terse",
    "typo",
    "number",
    "code",
    "hard",
    "follow-up",
    "small-talk",
    "about-conversation",
    "off-topic",
    "absent",
    "injection",
    "selected-text",
    "page",
]
Reason = Literal["no_match", "below_threshold", "off_topic", "unsupported", "selection_not_found", "empty_answer"]


class Expected(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Sections are named `source > heading`."""

    status: Literal["answered", "refused"]
    reasons: list[Reason] = []
    """Any of them."""
    cites: list[str] = []
    """Sections that answer: at least one of them is cited."""
    must_cite: list[str] = []
    """All of them are."""
    contains: list[str] = []
    any_of: list[str] = []
    lacks: list[str] = []
    """None of them is said, also not in a refusal."""


class Case(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    id: str
    style: Style
    question: str
    history: list[str] = []
    """Questions of the same conversation that are asked before, oldest first."""
    selected_text: str | None = None
    page: str | None = None
    expect: Expected

    @property
    def is_answered(self) -> bool:
        return self.expect.status == "answered"


class Outcome(msgspec.Struct, frozen=True):
    case: Case
    answer: Answer
    forged: list[int] = []
    """Numbers of the citations that are not verified, or that quote what the source file does not have there."""

    @property
    def is_answered(self) -> bool:
        return self.answer.status == "answered"

    @property
    def is_refused(self) -> bool:
        return self.answer.status == "refused"

    @property
    def cited(self) -> list[str]:
        """The section of each citation."""
        return [place_of(citation) for citation in self.answer.citations]

    @property
    def is_cited(self) -> bool:
        expected = self.case.expect
        return bool({*self.cited} & {*expected.cites}) and {*expected.must_cite} <= {*self.cited}

    @property
    def said(self) -> str:
        """Plain, and without the citations' numbers, which are none of the answer's own words."""
        refusal = self.answer.refusal.message if self.answer.refusal else ""
        return plain(unmarked(self.answer.answer) + refusal)

    @property
    def reason(self) -> str:
        """Of the refusal."""
        return self.answer.refusal.reason if self.answer.refusal else ""


def read_cases(path: Path) -> list[Case]:
    """Raises ConfigurationError."""
    try:
        cases = msgspec.convert(yaml.safe_load(path.read_text(encoding="utf-8")), list[Case])
    except (yaml.YAMLError, UnicodeError, msgspec.ValidationError) as error:
        raise ConfigurationError(f"{path.name}: {error}") from error
    if not cases:
        raise ConfigurationError(f"{path.name} has no cases")
    return cases


def check_places(cases: Sequence[Case], places: Collection[str]) -> None:
    """Raises ConfigurationError for a case that expects a section which the book does not have."""
    for case in cases:
        if unknown := [place for place in (*case.expect.cites, *case.expect.must_cite) if place not in places]:
            raise ConfigurationError(f"case {case.id}: the book has no section {unknown[0]!r}")


def judge(case: Case, answer: Answer, texts: Mapping[str, str]) -> Outcome:
    """`texts` is what the source files say, by source."""
    return Outcome(case, answer, [one.n for one in answer.citations if not _is_genuine(one, texts)])


def place_of(citation: Citation) -> str:
    return f"{citation.source} > {citation.heading_path[-1]}"


def plain(text: str) -> str:
    return MARKUP.sub("", text).casefold()


def _is_genuine(citation: Citation, texts: Mapping[str, str]) -> bool:
    text = texts.get(citation.source, "")
    quotes: list[Citation | Quote] = [citation, *citation.further]
    return citation.verified and all(one.quote and text[one.start : one.end] == one.quote for one in quotes)
