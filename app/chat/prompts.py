"""Prompts: versioned files with front matter, rendered with strict variables."""

import hashlib
import re
from pathlib import Path
from typing import Annotated

import msgspec
from jinja2 import Environment, StrictUndefined, TemplateError
from jinja2.meta import find_undeclared_variables
from jinja2.sandbox import SandboxedEnvironment
from msgspec import Meta

from app.book.front_matter import FrontMatterError, read_front_matter
from app.errors import PromptError
from app.plain_words import in_plain_words

PROMPTS = Path(__file__).parents[2] / "prompts"
NO_ANSWER = "NO_ANSWER"
"""What the model replies when the passages hold no answer."""
VARIABLES = frozenset({"book_title", "max_sentences", "no_answer"})
MAX_SENTENCES = 8
VERSION = re.compile(r"v\d[\w.-]*")
DIGEST_LENGTH = 12
SAMPLE_TITLE = "A Book"
RENDERING_FAILS = (
    TemplateError,
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
)
"""Beside Jinja's own errors, those of the expressions in a template."""


class PromptModelSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    tool_choice: Annotated[str, Meta(pattern=r"^(auto|required|none)$")] | None = None


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
    """It renders, whatever the book is called. Raises PromptError, saying what is wrong and where."""
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
    head, body_start = _front_matter(text, path)
    if (head.name, head.version) != (name, version):
        raise PromptError(f"{name}/{version}.md: its front matter says {head.name} {head.version}")
    template = text[body_start:].strip()
    _check_variables(template, path)
    digest = hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH]
    prompt = Prompt(name, version, digest, head.description, head.model_settings, template)
    if not prompt.render(book_title=SAMPLE_TITLE).strip():
        raise PromptError(f"{name}/{version}.md: has no text after its front matter")
    return prompt


def prompt_versions(name: str, folder: Path = PROMPTS) -> list[str]:
    """Of other files beside them, such as notes, nothing is said."""
    return sorted(path.stem for path in (folder / name).glob("*.md") if VERSION.fullmatch(path.stem))


def _front_matter(text: str, path: Path) -> tuple[FrontMatter, int]:
    """With the offset of the body."""
    where = f"{path.parent.name}/{path.name}"
    if not text.strip():
        raise PromptError(f"{where}: is empty")
    try:
        fields, body_start = read_front_matter(text)
        return msgspec.convert(fields, FrontMatter), body_start
    except FrontMatterError as error:
        raise PromptError(f"{where}: front matter: {error}") from error
    except msgspec.ValidationError as error:
        raise PromptError(f"{where}: front matter: {in_plain_words(str(error))}") from error


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
