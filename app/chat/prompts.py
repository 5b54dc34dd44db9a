"""Prompts: versioned files with front matter, rendered with strict variables."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import msgspec
from jinja2 import Environment, StrictUndefined, TemplateError
from jinja2.meta import find_undeclared_variables
from jinja2.sandbox import SandboxedEnvironment

from app.book.front_matter import split_front_matter
from app.errors import PromptError

PROMPTS = Path(__file__).parents[2] / "prompts"
NO_ANSWER = "NO_ANSWER"
"""What the model replies when the passages hold no answer."""
VARIABLES = frozenset({"book_title", "max_sentences", "no_answer"})
MAX_SENTENCES = 8
DIGEST_LENGTH = 12
RENDERING_FAILS = (TemplateError, ArithmeticError, LookupError, TypeError, ValueError)
"""Beside Jinja's own errors, those of the expressions in a template."""


class PromptModelSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    tool_choice: str | None = None


class FrontMatter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    version: str
    description: str
    model_settings: PromptModelSettings = PromptModelSettings()


class Prompt(msgspec.Struct, frozen=True):
    name: str
    version: str
    digest: str
    """The first characters of the file's SHA-256."""
    description: str
    model_settings: PromptModelSettings
    template: str

    def render(self, *, book_title: str) -> str:
        """Raises PromptError."""
        values = {"book_title": book_title, "max_sentences": MAX_SENTENCES, "no_answer": NO_ANSWER}
        try:
            return _environment().from_string(self.template).render(values)
        except RENDERING_FAILS as error:
            raise PromptError(f"{self.name}/{self.version}.md: {error}") from error


def load_prompt(name: str, version: str, folder: Path = PROMPTS) -> Prompt:
    """Raises PromptError, saying what is wrong and where."""
    path = folder / name / f"{version}.md"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        known = ", ".join(prompt_versions(name, folder)) or "none"
        raise PromptError(
            f"there is no prompt {name}/{version}.md (versions: {known}); check PROMPT_VERSION"
        ) from error
    except UnicodeDecodeError as error:
        raise PromptError(f"{name}/{version}.md: is not UTF-8 text") from error
    fields, body_start = split_front_matter(text)
    head = _front_matter(fields, path)
    if (head.name, head.version) != (name, version):
        raise PromptError(f"{name}/{version}.md: its front matter says {head.name} {head.version}")
    template = text[body_start:].strip()
    _check_variables(template, path)
    digest = hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH]
    return Prompt(name, version, digest, head.description, head.model_settings, template)


def prompt_versions(name: str, folder: Path = PROMPTS) -> list[str]:
    return sorted(path.stem for path in (folder / name).glob("*.md"))


def _front_matter(fields: Mapping[str, object], path: Path) -> FrontMatter:
    try:
        return msgspec.convert(fields, FrontMatter)
    except msgspec.ValidationError as error:
        raise PromptError(f"{path.parent.name}/{path.name}: front matter: {error}") from error


def _check_variables(template: str, path: Path) -> None:
    try:
        used = find_undeclared_variables(_environment().parse(template))
    except TemplateError as error:
        raise PromptError(f"{path.parent.name}/{path.name}: {error}") from error
    if unknown := used - VARIABLES:
        raise PromptError(
            f"{path.parent.name}/{path.name}: unknown variable {', '.join(sorted(unknown))}; "
            f"known are {', '.join(sorted(VARIABLES))}"
        )


def _environment() -> Environment:
    return SandboxedEnvironment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)
