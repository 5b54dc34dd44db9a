"""Prompts are files: each one that is shipped loads, and a wrong one is told by its name."""

from pathlib import Path

import pytest

from app.chat.prompts import NO_ANSWER, PROMPTS, Prompt, load_prompt, prompt_versions
from app.errors import PromptError

SHIPPED = [(path.parent.name, path.stem) for path in sorted(PROMPTS.glob("*/*.md"))]
FRONT_MATTER = "---\nname: guide\nversion: v1\ndescription: For tests.\n---\n"


def write(folder: Path, text: str, *, version: str = "v1") -> None:
    (folder / "guide").mkdir(exist_ok=True)
    (folder / "guide" / f"{version}.md").write_text(text, encoding="utf-8")


def loaded(folder: Path, text: str) -> Prompt:
    write(folder, text)
    return load_prompt("guide", "v1", folder)


def test_a_prompt_is_shipped():
    assert ("book_agent", "v1") in SHIPPED


@pytest.mark.parametrize(("name", "version"), SHIPPED, ids="/".join)
def test_each_shipped_prompt_loads_and_renders(name, version):
    prompt = load_prompt(name, version)
    rendered = prompt.render(book_title="A Book of {{ braces }} & <tags>")
    assert (prompt.name, prompt.version) == (name, version)
    assert "A Book of {{ braces }} & <tags>" in rendered
    assert NO_ANSWER in rendered
    assert {"search_book", "lookup_history"} <= set(rendered.replace("`", " ").split())


def test_a_prompt_is_its_template_and_its_settings(tmp_path):
    text = FRONT_MATTER.replace("\n---\n", "\nmodel_settings:\n  temperature: 0.5\n  max_tokens: 10\n---\n")
    prompt = loaded(tmp_path, text + "\nAnswer from {{ book_title }} in {{ max_sentences }}.\n")
    assert prompt.render(book_title="Tides") == "Answer from Tides in 8."
    assert prompt.description == "For tests."
    settings = prompt.model_settings
    assert (settings.temperature, settings.max_tokens, settings.tool_choice) == (0.5, 10, None)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(FRONT_MATTER + "{{ titel }}", "unknown variable titel; known are book_title", id="variable"),
        pytest.param(FRONT_MATTER.replace("name: guide", "name: other"), "says other v1", id="other name"),
        pytest.param(FRONT_MATTER.replace("version: v1", "version: v2"), "says guide v2", id="other version"),
        pytest.param(
            FRONT_MATTER.replace("version: v1", "version: 1"), "version: must be a text", id="version is a number"
        ),
        pytest.param(
            FRONT_MATTER.replace("---\n", "colour: red\n---\n")[10:],
            "must begin with a block of YAML between two lines ---",
            id="no block",
        ),
        pytest.param(FRONT_MATTER.replace("description: For tests.\n", ""), "`description`", id="no description"),
        pytest.param(FRONT_MATTER.replace("s.\n---", "s.\ncolour: red\n---"), "`colour`", id="unknown field"),
        pytest.param(
            FRONT_MATTER.replace("s.\n---", "s.\nmodel_settings: {top_k: 1}\n---"), "`top_k`", id="unknown setting"
        ),
        pytest.param(
            FRONT_MATTER.replace("s.\n---", "s.\nmodel_settings: {temperature: hot}\n---"),
            "model_settings.temperature: must be a number",
            id="wrong setting",
        ),
        pytest.param(FRONT_MATTER + "{{ book_title", "unexpected end of template", id="malformed template"),
        pytest.param(FRONT_MATTER + "{% for %}", "Expected", id="malformed statement"),
        pytest.param(FRONT_MATTER + "{% include 'other.md' %}", "no loader", id="include"),
        pytest.param("Just text.", "must begin with a block of YAML", id="no front matter"),
        pytest.param("---\n: [\n---\nText.", "front matter: line 2: expected", id="malformed front matter"),
        pytest.param("---\n# nothing\n---\nText.", "has no fields", id="no fields"),
        pytest.param("---\nname: guide\nText.", "must begin with a block of YAML", id="no second fence"),
        pytest.param(" \n", "is empty", id="empty file"),
        pytest.param(FRONT_MATTER, "has no text after its front matter", id="no body"),
        pytest.param(FRONT_MATTER + "{# later #}", "has no text after its front matter", id="nothing but a comment"),
        *(
            pytest.param(FRONT_MATTER.replace("s.\n---", f"s.\nmodel_settings: {{{given}}}\n---"), says, id=given)
            for given, says in {
                "temperature: 2.1": "model_settings.temperature: must be at most 2",
                "temperature: .nan": "model_settings.temperature: must be at least 0",
                "top_p: -0.1": "model_settings.top_p: must be at least 0",
                "max_tokens: 0": "model_settings.max_tokens: must be at least 1",
                "tool_choice: sometimes": "model_settings.tool_choice: must match ^(auto|required|none)$",
            }.items()
        ),
    ],
)
def test_a_wrong_prompt_is_told_by_its_file(tmp_path, text, says):
    with pytest.raises(PromptError) as caught:
        loaded(tmp_path, text)
    assert "guide/v1.md" in caught.value.detail
    assert says in caught.value.detail


def test_a_file_that_is_no_text_is_told_by_its_name(tmp_path):
    write(tmp_path, "")
    (tmp_path / "guide" / "v1.md").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PromptError, match=r"guide/v1\.md"):
        load_prompt("guide", "v1", tmp_path)


def test_a_missing_prompt_is_told_with_the_versions_there_are(tmp_path):
    write(tmp_path, FRONT_MATTER)
    write(tmp_path, FRONT_MATTER, version="v2")
    with pytest.raises(PromptError, match=r"no prompt guide/v9\.md \(versions: v1, v2\); check PROMPT_VERSION"):
        load_prompt("guide", "v9", tmp_path)


def test_where_there_are_no_prompts_that_is_said(tmp_path):
    with pytest.raises(PromptError, match="versions: none"):
        load_prompt("guide", "v1", tmp_path)
    assert prompt_versions("guide", tmp_path) == []


def test_the_digest_follows_the_file(tmp_path):
    first = loaded(tmp_path, FRONT_MATTER + "One.").digest
    assert loaded(tmp_path, FRONT_MATTER + "One.").digest == first
    assert loaded(tmp_path, FRONT_MATTER + "Two.").digest != first
    assert loaded(tmp_path, FRONT_MATTER.replace("For tests", "For others") + "One.").digest != first


@pytest.mark.parametrize(
    "template",
    ["{{ book_title.__class__.__mro__ }}", "{{ book_title.nothing }}", "{{ 1 / 0 }}", "{% include 'other.md' %}"],
    ids=["internals", "undefined", "arithmetic", "another file"],
)
def test_a_template_that_fails_to_render_is_told_by_its_name_when_it_is_loaded(tmp_path, template):
    with pytest.raises(PromptError, match="guide"):
        loaded(tmp_path, FRONT_MATTER + template)


def test_a_file_whose_name_is_no_version_is_no_prompt(tmp_path):
    write(tmp_path, FRONT_MATTER)
    for name in ("README", "notes", "v1 copy", "version", ".hidden"):
        write(tmp_path, "About these prompts.", version=name)
    assert prompt_versions("guide", tmp_path) == ["v1"]
