"""Runs the application on a socket of its own until it is told to stop."""

import asyncio
import contextlib
import errno
import gc
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator

import uvicorn
from litestar import Litestar
from uvicorn.importer import import_from_string

from app.book.embedding import Embedder
from app.chat.turn_parts import TurnParts
from app.errors import ConfigurationError
from app.resources import OpenStore, Resources, open_resources, open_server_store
from app.settings import Settings

COMPOSITION_ROOT = "app.main:create_app"
BACKLOG = 2048
OF_THE_PORT = {errno.EADDRINUSE, errno.EACCES}
"""Why a socket cannot be bound, where the address is right."""
LAST_EVENTS_S = 5
"""What turns that are ended get to say so."""


class AnnouncingServer(uvicorn.Server):
    """Says when it listens; at a stop, ends the turns that are not done within the grace time."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None], parts: TurnParts) -> None:
        super().__init__(config)
        self._announce = announce
        self._parts = parts

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        gc.collect()
        gc.freeze()  # what was made for good needs not be looked through again: that would hold up all answers at once
        if self.started:
            self._announce()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Who follows another server's turn can go on elsewhere; a turn of this one that nobody reads is waited for."""
        self._parts.followed.close()
        draining = asyncio.create_task(self._parts.running.drain(self._parts.settings.shutdown_grace_s))
        await super().shutdown(sockets)
        if self.force_exit:
            self._parts.running.stop_all()
        await draining
        if self.force_exit:  # uvicorn leaves it out, and cancels the application's lifespan later
            await self.lifespan.shutdown()


def listening_socket(host: str, port: int) -> socket.socket:
    """Raises ConfigurationError. The protocol is named because asyncio leaves Nagle's algorithm on without it."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with contextlib.ExitStack() as on_failure:
            listener = on_failure.enter_context(socket.socket(family, kind, socket.IPPROTO_TCP))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(BACKLOG)
            on_failure.pop_all()
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "no such address"
        advice = "choose another --port" if getattr(error, "errno", 0) in OF_THE_PORT else "check HOST or --host"
        raise ConfigurationError(f"cannot listen on {host} port {port}: {reason}; {advice}") from error
    return listener


def address_of(listener: socket.socket) -> str:
    """A URL that this machine can open."""
    host, port = listener.getsockname()[:2]
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - not bound here
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


async def serve_until_stopped(
    settings: Settings,
    listener: socket.socket,
    announce: Callable[[], None],
    *,
    open_store: OpenStore = open_server_store,
    embedder: Embedder | None = None,
    alone: bool = False,
) -> None:
    """Opens everything before it accepts a request, and closes it after the last answer.

    `alone`: no other process serves from this database, so an answer that is still running was left by a killed one.

    Raises ConfigurationError for what will not mend itself.
    """
    async with open_resources(settings, open_store=open_store, embedder=embedder, alone=alone) as resources:

        @contextlib.asynccontextmanager
        async def opened(_settings: Settings) -> AsyncIterator[Resources]:
            yield resources

        create_app: Callable[..., Litestar] = import_from_string(COMPOSITION_ROOT)
        config = uvicorn.Config(
            create_app(settings, open_resources=opened),
            log_config=None,
            log_level="warning",
            access_log=False,
            proxy_headers=True,
            forwarded_allow_ips=settings.forwarded_allow_ips,
            server_header=False,
            timeout_graceful_shutdown=settings.shutdown_grace_s + LAST_EVENTS_S,
        )
        with _signals_kept_for_the_server():
            await AnnouncingServer(config, announce, resources.turn_parts).serve(sockets=[listener])


@contextlib.contextmanager
def _signals_kept_for_the_server() -> Iterator[None]:
    """The server raises the signals it got once more when it is done: by then they must not end the process."""
    caught = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda *_: None) for number in caught}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
