"""What a streamed reply costs in processor time: the lean client beside the openai client.

`uv run python benchmarks/model_client.py`. Both read the same bytes, from a provider in a process of its own that has
them ready, in turns, in one run: by themselves, and under the Agents SDK with two tools. The least of the rounds
counts, as whatever else the machine does only adds to it.
"""

import asyncio
import json
import multiprocessing
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import click
from agents import Agent, ModelSettings, OpenAIChatCompletionsModel, RunConfig, Runner
from openai import AsyncOpenAI
from processes import load
from rich.console import Console
from rich.table import Table

from app.chat.lean_client import LeanClient
from tools.lookup_history import lookup_history
from tools.search_book import search_book

MODEL = "gpt-benchmark"
CLIENTS: dict[str, type[AsyncOpenAI]] = {"openai": AsyncOpenAI, "lean": LeanClient}
WARM_UP = 5

Chat = Callable[[AsyncOpenAI], Awaitable[Any]]


def reply(tokens: int) -> bytes:
    """As OpenAI sends it."""
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": MODEL, "usage": None}
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}, *[{"content": " word"}] * tokens, {}]
    chunks = [
        base | {"choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None if delta else "stop"}]}
        for delta in deltas
    ]
    chunks.append(base | {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}})
    events = [*map(json.dumps, chunks), "[DONE]"]
    return b"".join(f"data: {event}\n\n".encode() for event in events)


def provide(ready: Connection, body: bytes) -> None:
    """Answers each request with the same bytes, until the process is ended."""
    head = f"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {len(body)}\r\n\r\n".encode()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                asked = await reader.readuntil(b"\r\n\r\n")
                length = next(line for line in asked.lower().split(b"\r\n") if line.startswith(b"content-length:"))
                await reader.readexactly(int(length.split(b":")[1]))
                writer.write(head + body)
                await writer.drain()
        except asyncio.IncompleteReadError:
            writer.close()

    async def serve() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        ready.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


@contextmanager
def provider(body: bytes) -> Iterator[str]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=provide, args=(theirs, body), daemon=True)
    process.start()
    yield f"http://127.0.0.1:{ours.recv()}/v1"
    process.terminate()


async def alone(client: AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "?"}], stream=True, stream_options={"include_usage": True}
    )
    async for _ in stream:
        pass


async def under_the_sdk(client: AsyncOpenAI) -> None:
    model = OpenAIChatCompletionsModel(MODEL, client)
    agent = Agent("reader", model=model, tools=[search_book, lookup_history], model_settings=ModelSettings(store=False))
    run = Runner.run_streamed(agent, "?", run_config=RunConfig(tracing_disabled=True))
    async for _ in run.stream_events():
        pass


async def milliseconds(chat: Chat, client: AsyncOpenAI, chats: int) -> float:
    started = time.process_time()
    for _ in range(chats):
        await chat(client)
    return (time.process_time() - started) / chats * 1000


async def measured(url: str, chat: Chat, chats: int, rounds: int) -> dict[str, float]:
    """Processor time of one chat with each client."""
    clients = {name: kind(base_url=url, api_key="k") for name, kind in CLIENTS.items()}
    found: dict[str, list[float]] = {name: [] for name in clients}
    for client in clients.values():
        await milliseconds(chat, client, WARM_UP)
    for _ in range(rounds):
        for name, client in clients.items():
            found[name].append(await milliseconds(chat, client, chats))
    for client in clients.values():
        await client.close()
    return {name: min(each) for name, each in found.items()}


@click.command()
@click.option("--tokens", default=150, show_default=True, help="Of a reply.")
@click.option("--chats", default=30, show_default=True, help="In a round.")
@click.option("--rounds", default=5, show_default=True)
def main(tokens: int, chats: int, rounds: int) -> None:
    table = Table("", *(f"{name} client, ms" for name in CLIENTS), "lean / openai")
    with provider(reply(tokens)) as url:
        for name, chat in {"the client alone": alone, "under the Agents SDK": under_the_sdk}.items():
            found = asyncio.run(measured(url, chat, chats, rounds))
            table.add_row(name, *(f"{each:.2f}" for each in found.values()), f"{found['lean'] / found['openai']:.2f}")
    console = Console()
    console.print(f"a reply of {tokens} tokens; load of the machine {load()}")
    console.print(table)


if __name__ == "__main__":
    main()
