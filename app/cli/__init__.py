"""The `book-agent` command. A subcommand's module is imported when it is called: some take seconds."""

import importlib
import sys
from importlib import metadata

import click

from app.errors import BookAgentError

FAILED = 2
COMMANDS = {
    "dev": ("app.cli.dev", "Index a book and serve it from this machine alone: nothing to set up."),
    "serve": ("app.cli.serve", "Serve over Qdrant and PostgreSQL, as the environment says."),
    "ask": ("app.cli.client", "Ask a running server a question; the answer streams in."),
    "search": ("app.cli.client", "Show the passages that a running server finds."),
    "index": ("app.cli.index", "Index a folder of Markdown and MDX."),
    "init-collection": ("app.cli.index", "Make the Qdrant collection, if it is not there."),
    "eval": ("app.cli.evaluate", "Measure how well the book's answers are found."),
    "migrate": ("app.cli.check", "Bring the database's tables up to date."),
    "check": ("app.cli.check", "Check the settings and everything the service depends on."),
}


class LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[cmd_name][0])
        attribute = "evaluation" if cmd_name == "eval" else cmd_name.replace("-", "_")
        command: click.Command = getattr(module, attribute)
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
        click.secho("book-agent: ", fg="red", nl=False, err=True)
        click.echo(f"{error.detail} {error.hint}".strip(), err=True)
        sys.exit(FAILED)
