"""An ASGI app on a real loopback socket: in the test's own event loop, or in a thread with a loop of its own."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, contextmanager
from socket import AF_INET, IPPROTO_TCP, SO_REUSEADDR, SO_REUSEPORT, SOCK_STREAM, SOL_SOCKET, socket
from typing import Any, Self, TypeVar

import uvicorn
from anyio.from_thread import start_blocking_portal

HOST = "127.0.0.1"
GRACE_S = 1.0

T = TypeVar("T")
App = Callable[..., Coroutine[Any, Any, None]]
"""ASGI."""


def bind(port: int = 0) -> socket:
    """A bound socket, not yet listening.

    It names IPPROTO_TCP because asyncio turns Nagle off only then; with Nagle each reply takes 40 ms.
    """
    bound = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)
    bound.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
    bound.setsockopt(SOL_SOCKET, SO_REUSEPORT, 1)
    bound.bind((HOST, port))
    return bound


def port_of(bound: socket) -> int:
    port: int = bound.getsockname()[1]
    return port


@asynccontextmanager
async def serve(app: App, port: int = 0) -> AsyncIterator[str]:
    """Runs `app`, lifespan included, and yields its base URL. Leaving resets what is still open."""
    with bind(port) as listener:
        server = await _started(app, listener)
        try:
            yield f"http://{HOST}:{port_of(listener)}"
        finally:
            await _shut_down(server)


async def _started(app: App, listener: socket) -> uvicorn.Server:
    """Uvicorn's own start, without the signal handlers and the polling loop of `Server.serve`."""
    config = uvicorn.Config(app, interface="asgi3", ws="none", log_config=None, access_log=False, date_header=False)
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    try:
        await server.startup(sockets=[listener])
    except SystemExit:  # would end pytest's event loop
        raise RuntimeError("the app's lifespan failed at startup; logger uvicorn.error has the traceback") from None
    return server


async def _shut_down(server: uvicorn.Server) -> None:
    """The clients are cut off; the requests have GRACE_S to notice before they are cancelled."""
    for listener in server.servers:
        listener.close()
    for connection in list(server.server_state.connections):
        connection.transport.abort()
    await asyncio.sleep(0)
    if requests := set(server.server_state.tasks):
        _, late = await asyncio.wait(requests, timeout=GRACE_S)
        for request in late:
            request.cancel()
        await asyncio.gather(*late, return_exceptions=True)
    await server.lifespan.shutdown()


@contextmanager
def in_thread(resource: AbstractAsyncContextManager[T]) -> Iterator[T]:
    """Opens `resource` in a thread's own event loop: for a test that blocks, and for a server in another process."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(resource) as opened:
        yield opened


class ThreadServer:
    """`serve` in a thread, on a port that stays ours while the server is down.

    While it is down a connection is refused by the operating system.
    """

    def __init__(self, app: App) -> None:
        self.app = app
        self.url = ""
        self._running = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            self._port = port_of(undo.enter_context(bind()))
            self.start()
            self._reserved = undo.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        with self._reserved:
            self.stop()

    def start(self) -> None:
        self.url = self._running.enter_context(in_thread(serve(self.app, self._port)))

    def stop(self) -> None:
        self._running.close()

    def restart(self) -> None:
        self.stop()
        self.start()


async def race(*runners: Coroutine[Any, Any, None]) -> int:
    """Runs all until one ends, and says which. Raises what that one raised; the others are cancelled."""
    tasks = [asyncio.ensure_future(runner) for runner in runners]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        winner = next(number for number, task in enumerate(tasks) if task.done())
        tasks[winner].result()
        return winner
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
