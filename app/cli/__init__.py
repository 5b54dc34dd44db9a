"""The `book-agent` command. A subcommand's module is imported when it is called: some take seconds."""

import importlib
import sys
from importlib import metadata

import click

from app.errors import BookAgentError

FAILED = 2
COMMANDS = {
    "dev": ("app.cli.dev:dev", "Index a book and serve it from this machine alone: nothing to set up."),
    "serve": ("app.cli.serve:serve", "Serve over Qdrant and PostgreSQL, as the environment says."),
    "ask": ("app.cli.client:ask", "Ask a running server a question; the answer streams in."),
    "search": ("app.cli.client:search", "Show the passages that a running server finds."),
    "index": ("app.cli.index:index", "Index a book, and keep the index as the book is."),
    "init-collection": ("app.cli.index:init_collection", "Make the Qdrant collection, if it is not there."),
    "eval": ("app.cli.evaluate:evaluation", "Measure how well answers are found, and how good they are."),
    "migrate": ("app.cli.check:migrate", "Bring the database's tables up to date."),
    "check": ("app.cli.check:check", "Check the settings and everything the service depends on."),
}


class LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name][0].split(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_) for name, (_, help_) in COMMANDS.items()])


@click.command(cls=LazyGroup)
@click.version_option(metadata.version("book-agent"), prog_name="book-agent")
def command() -> None:
    """Answers questions about a book, only from that book, with every citation checked."""


def main() -> None:
    """Exit code 2, and a sentence, for whatever keeps a command from running."""
    try:
        command(prog_name="book-agent")
    except BookAgentError as error:
        _fail(error.for_operator)
    except OSError as error:
        _fail(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")


def _fail(sentence: str) -> None:
    click.secho("book-agent: ", fg="red", nl=False, err=True)
    click.echo(sentence, err=True)
    sys.exit(FAILED)
