"""README, .env.example and what CI runs say the same as the code."""

import re
import shlex
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from dotenv import dotenv_values

from app.cli import COMMANDS, command
from app.main import create_app
from app.settings import Settings, describe, load_settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
ENV_EXAMPLE = ROOT / ".env.example"
CI = (ROOT / ".ci" / "run").read_text()
README_COMMANDS = [
    line.split("#")[0].strip()
    for block in re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
]
NAMES = [name for name, _, _ in describe()]


@pytest.mark.parametrize(("name", "default", "meaning"), list(describe()), ids=NAMES)
def test_every_setting_is_in_the_readme_with_its_default(name, default, meaning):
    shown = f"`{default}`" if default else ""
    assert f"| `{name}` | {shown} | {meaning} |" in README


def test_env_example_has_every_setting_and_no_other():
    assert set(dotenv_values(ENV_EXAMPLE)) == set(NAMES)


def test_env_example_shows_the_defaults():
    given = {name: value for name, value in dotenv_values(ENV_EXAMPLE).items() if value}
    settings = load_settings(given, required=(), provider_key=False)
    assert repr(settings) == repr(Settings())


def test_every_command_is_in_the_readme_with_all_its_options():
    for name in COMMANDS:
        line = next(line for line in README.splitlines() if line.startswith(f"| `book-agent {name}"))
        subcommand = command.get_command(None, name)
        options = [option for parameter in subcommand.params for option in parameter.opts if option.startswith("--")]
        assert [option for option in options if option not in line] == []


def test_every_route_is_in_the_readme():
    app = create_app(Settings())
    described = app.openapi_schema.to_schema()["paths"]
    routes = [f"{method.upper()} {path}" for path, methods in described.items() for method in methods]
    known = README.replace("{id}", "{conversation_id}")
    assert [route for route in routes if f"`{route}`" not in known and f"| `{route}`" not in known] == []


def test_ci_runs_the_readmes_test_command():
    assert "uv run pytest" in README_COMMANDS
    assert "uv run pytest" in CI.splitlines()


def test_the_readmes_own_commands_parse():
    commands = [shlex.split(line) for line in README_COMMANDS if line.startswith("uv run book-agent")]
    assert commands
    for words in commands:
        subcommand = command.get_command(None, words[3])
        assert not subcommand.make_context(words[3], words[4:], resilient_parsing=True).args


def test_the_layers_of_the_import_contract_exist():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    modules = [module for layer in contracts[0]["layers"] for module in layer.split(" | ")]
    for module in modules:
        path = ROOT / module.replace(".", "/")
        assert path.is_dir() or path.with_suffix(".py").is_file()


def test_what_is_installed_is_what_constraints_pin():
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
    installed = {name: metadata.version(name) for name in ("litestar", "openai-agents", "qdrant-client", "fastembed")}
    assert installed == {name: pins[name] for name in installed}


def test_constraints_name_no_host():
    assert "://" not in (ROOT / "constraints.txt").read_text()
