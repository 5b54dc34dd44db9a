"""What a soak plays on: PostgreSQL, a fake Qdrant, a scripted provider, two servers, and fault proxies between them."""

import asyncio
import math
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from indexing import Silence
from psycopg.conninfo import make_conninfo

from app.book.bm25 import TermEncoder
from app.book.embedding import load_embedder
from app.book.identity import identity_of
from app.book.indexing import Indexer, IndexOptions
from app.book.qdrant_store import open_client
from app.book.qdrant_writer import QdrantWriter
from app.book.weights import PACKAGED_MODEL
from app.history.embedded_postgres import EmbeddedPostgres
from app.history.migrations import migrate
from app.settings import Secret, Settings
from tests.fakes.loopback import HOST, bind, port_of, serve
from tests.fakes.provider import ScriptedProvider
from tests.fakes.proxy import FaultProxy
from tests.fakes.qdrant import FakeQdrant
from tests.traffic.model import Moody

SMALL_BOOK = Path(__file__).parents[1] / "tests" / "books" / "small"
BOOK_AGENT = Path(sys.executable).parent / "book-agent"
KEY = "soak"
NAMES = ("one", "other")
PACE_S, STALL_S = 0.01, 60.0
TURN_TIMEOUT_S = 15.0
SETTINGS = {
    "TURN_TIMEOUT_S": str(TURN_TIMEOUT_S),
    "MODEL_PROVIDER": "openai",
    "MODEL_TIMEOUT_S": "3",
    "MODEL_ATTEMPTS": "1",  # a second call of the model for one question is then a fault of ours
    "DATABASE_TIMEOUT_S": "2",
    "QDRANT_TIMEOUT_S": "2",
    "DISCONNECT_GRACE_S": "3",
    "SHUTDOWN_GRACE_S": "3",
    "RATE_LIMIT_PER_MINUTE": "0",
    "LOG_LEVEL": "warning",
    "BOOK_TITLE": "A Small Book of Tides",
}
START_TIMEOUT_S, STOP_TIMEOUT_S = 60.0, 30.0


class Server:
    """A process of `book-agent serve`, or of another command that serves, on the same port after every start."""

    def __init__(
        self,
        name: str,
        environ: Mapping[str, str],
        log: Path,
        command: Sequence[str | Path] = ("serve",),
        prepare: Callable[[], None] | None = None,
    ) -> None:
        """`prepare` is called in the new process, before the command."""
        with bind() as free:
            self._port = port_of(free)
        self.name = name
        self.started_at = math.inf
        self._environ = {**os.environ, **environ, "HOST": HOST, "PORT": str(self._port)}
        self._log = log
        self._command = command
        self._prepare = prepare
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._port}"

    @property
    def pid(self) -> int | None:
        """None: it is not running."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def start(self) -> None:
        self.started_at = math.inf
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                BOOK_AGENT,
                *self._command,
                env=self._environ,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=self._prepare,
            )
        async with asyncio.timeout(START_TIMEOUT_S), httpx.AsyncClient(base_url=self.url) as client:
            while not await _is_live(client):
                if self.pid is None:
                    raise RuntimeError(f"the server did not start:\n{self._log.read_text()}")
                await asyncio.sleep(0.1)
        self.started_at = time.monotonic()

    async def kill(self) -> None:
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """Raises TimeoutError when it does not."""
        await self._end(signal.SIGTERM)

    async def _end(self, number: signal.Signals) -> None:
        if self.pid is not None and self._process is not None:
            self._process.send_signal(number)
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await self._process.wait()


async def _is_live(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/health/live")).is_success
    except httpx.HTTPError:
        return False


@dataclass(frozen=True)
class Stage:
    database_url: str
    """Past the proxies."""
    model: Moody
    provider: ScriptedProvider
    proxies: Mapping[str, FaultProxy]
    """By what is behind them; PostgreSQL has one for each server."""
    servers: Sequence[Server]


@asynccontextmanager
async def open_stage(folder: Path, seed: int) -> AsyncIterator[Stage]:
    async with AsyncExitStack() as stack:
        with bind() as free:
            port = port_of(free)
        database_url = stack.enter_context(EmbeddedPostgres(folder / "pg", durable=False, port=port))
        migrate(database_url)
        model = Moody(seed, pace_s=PACE_S, stall_s=STALL_S)
        provider, qdrant = ScriptedProvider(model), FakeQdrant(KEY)
        upstreams = {name: urlsplit(await stack.enter_async_context(serve(one.app))).port for name, one in
                     {"Qdrant": qdrant, "the provider": provider}.items()}  # fmt: skip
        upstreams |= {f"PostgreSQL of {name}": port for name in NAMES}
        proxies = {name: await stack.enter_async_context(FaultProxy(one or 0)) for name, one in upstreams.items()}
        await _index(proxies["Qdrant"].url)
        servers = []
        for name in NAMES:
            database = make_conninfo(database_url, host=HOST, port=proxies[f"PostgreSQL of {name}"].port)
            server = Server(name, _environ(proxies, provider, database), folder / f"{name}.log")
            stack.push_async_callback(server.kill)
            servers.append(server)
        await asyncio.gather(*(server.start() for server in servers))
        yield Stage(database_url, model, provider, proxies, servers)


def _environ(proxies: Mapping[str, FaultProxy], provider: ScriptedProvider, database: str) -> dict[str, str]:
    return SETTINGS | {
        "QDRANT_CLUSTER_ENDPOINT": proxies["Qdrant"].url,
        "QDRANT_API_KEY": KEY,
        "DATABASE_URL": database,
        "OPENAI_API_KEY": KEY,
        "OPENAI_BASE_URL": proxies["the provider"].url + provider.prefix,
    }


async def _index(qdrant_url: str) -> None:
    settings = Settings(qdrant_cluster_endpoint=qdrant_url, qdrant_api_key=Secret(KEY))
    embedder, client = load_embedder(PACKAGED_MODEL, threads=1), open_client(settings)
    try:
        writer = QdrantWriter(client, settings, identity_of(embedder))
        await Indexer(IndexOptions(source=SMALL_BOOK), embedder, TermEncoder(), Silence()).run(writer)
    finally:
        await client.close()
        embedder.close()
