"""Asking a running server from the shell."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import httpx
import msgspec
from rich.console import Console
from rich.table import Table

from app.cli.responses import check
from app.cli.turn_stream import TurnStream
from app.errors import ConfigurationError, UnavailableError

FAILED = 1
DEFAULT_ADDRESS = "http://127.0.0.1:8000"
SERVER_FILE = Path(".book-agent") / "server.json"
TIMEOUT = httpx.Timeout(120, connect=5)
SNIPPET = 160
WHERE = 4
console = Console(highlight=False)

url_option = click.option(
    "--url", help=f"The server.  [the one that `dev` runs from this folder, or {DEFAULT_ADDRESS}]"
)
json_option = click.option("--json", "as_json", is_flag=True, help="The whole answer as JSON.")


@click.command()
@click.argument("question")
@click.option("--conversation", metavar="ID", help="Go on with a conversation.")
@click.option("--selected", metavar="TEXT", help="Ask about this text of the book.")
@click.option("--page", help="The page being read, which is preferred: its address, or its source file.")
@url_option
@json_option
def ask(
    question: str, conversation: str | None, selected: str | None, page: str | None, url: str | None, as_json: bool
) -> None:
    """Ask a running server a question; the answer streams in, then its sources.

    A connection that breaks is taken up again. Ctrl-C cancels the answer.

    Exit code: 0 answered or refused, 1 failed, 2 no server or a request that it does not take.
    """
    given = {"content": question, "conversation_id": conversation, "selected_text": selected, "page": page}
    body = {name: value for name, value in given.items() if value is not None}
    with _server(url) as server:
        answer = _streamed(TurnStream(server, body), aloud=not as_json)
    if as_json:
        answer.pop("type", None)
        click.echo(msgspec.json.encode(answer).decode())
    else:
        _print_end(answer)
    sys.exit(0 if answer.get("status") in {"answered", "refused"} else FAILED)


def _streamed(stream: TurnStream, *, aloud: bool) -> dict[str, Any]:
    """The last event's data."""
    answer: dict[str, Any] = {}
    try:
        for answer in stream.events():
            if answer["type"] == "answer.delta" and aloud:
                click.echo(answer["text"], nl=False)
    except KeyboardInterrupt:
        stream.cancel()
        console.print(f"\ncancelled; conversation {stream.conversation_id}", style="dim")
        raise
    return answer


@click.command()
@click.argument("query")
@click.option("--limit", default=6, show_default=True, type=click.IntRange(1, 50))
@click.option("--source", help="Only from this source file.")
@click.option("--section", help="Only from under this heading.")
@url_option
@json_option
def search(query: str, limit: int, source: str | None, section: str | None, url: str | None, as_json: bool) -> None:
    """Show the passages that a running server finds, with their scores, best first."""
    filters = {name: value for name, value in (("source", source), ("section", section)) if value}
    with _server(url) as server:
        response = server.post("/api/v1/retrieve", json={"query": query, "limit": limit, "filters": filters})
        check(response)
    if as_json:
        click.echo(response.text)
        return
    table = Table("#", "cosine", "BM25", "fused", "where", "passage")
    table.columns[WHERE].overflow = "fold"
    for n, passage in enumerate(response.json()["passages"], 1):
        scores = [_score(passage["scores"][name]) for name in ("cosine", "bm25", "fused")]
        where = f"{' > '.join(passage['heading_path'])}\n{passage['source']}:{passage['start']}-{passage['end']}"
        snippet = " ".join(passage["text"].split())
        table.add_row(str(n), *scores, where, snippet[:SNIPPET] + ("…" if len(snippet) > SNIPPET else ""))
    if table.row_count:
        console.print(table, markup=False)
    else:
        console.print("nothing was found")


@contextmanager
def _server(url: str | None) -> Iterator[httpx.Client]:
    address = url or _running_address()
    address = address if "://" in address else f"http://{address}"
    try:
        with httpx.Client(base_url=address, timeout=TIMEOUT) as client:
            yield client
    except httpx.ConnectError as error:
        raise UnavailableError(
            f"nothing answers at {address}: start `book-agent dev`, or name a server with --url"
        ) from error
    except httpx.InvalidURL as error:
        raise ConfigurationError(f"{address} is not a URL such as {DEFAULT_ADDRESS}") from error
    except httpx.HTTPError as error:
        raise UnavailableError(f"the connection to {address} broke: {type(error).__name__}") from error


def _running_address() -> str:
    try:
        address: str = msgspec.json.decode(SERVER_FILE.read_bytes())["address"]
    except (OSError, msgspec.DecodeError, KeyError):
        return DEFAULT_ADDRESS
    return address


def _print_end(answer: dict[str, Any]) -> None:
    if error := answer.get("error"):
        console.print(f"\n{error['detail']}", style="red", markup=False)
    elif refusal := answer.get("refusal"):
        console.print(f"\n{refusal['message']}" if answer["answer"] else refusal["message"], markup=False)
        _print_sections("Nearest sections", [(None, section) for section in refusal["nearest"]])
    else:
        click.echo()
        _print_sections("Sources", [(citation["n"], citation) for citation in answer.get("citations", [])])
    console.print(f"\nconversation {answer.get('conversation_id')}", style="dim")


def _print_sections(title: str, sections: list[tuple[int | None, dict[str, Any]]]) -> None:
    if sections:
        console.print(f"\n{title}", style="bold")
    for n, section in sections:
        number = f"[{n}] " if n else "- "
        where = section["source"]
        if n:
            where += f", characters {section['start']}-{section['end']}"
        console.print(f"  {number}{' > '.join(section['heading_path'])}  ({where})", markup=False, soft_wrap=True)


def _score(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
