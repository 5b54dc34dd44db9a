"""A TCP forwarder that misbehaves on demand: in front of Qdrant, Postgres and the model alike."""

import asyncio
import struct
import threading
from asyncio import StreamReader, StreamWriter
from contextlib import closing
from dataclasses import dataclass
from socket import SO_LINGER, SOL_SOCKET
from typing import Literal, Self

from tests.fakes.loopback import HOST, bind, port_of, race

Mode = Literal["pass", "refuse", "blackhole", "cut", "delay"]
NO_LINGER = struct.pack("ii", 1, 0)
PIECE_BYTES = 65536


@dataclass(frozen=True)
class _Fault:
    mode: Mode = "pass"
    cut_after: int = 0
    delay_s: float = 0.0


class FaultProxy:
    """Forwards a port of its own to the upstream's. Use `async with`, or `with in_thread(FaultProxy(...))`.

    - refuse: a new connection is reset; the open ones go on
    - blackhole: nothing goes either way and nothing is closed
    - cut: a connection is reset after `cut_after` more bytes of replies
    - delay: each piece of a reply is `delay_s` late

    Besides, `lose_reply_to` resets one connection at a chosen place.

    `switch` and `drop_all` may be called from any thread.
    """

    def __init__(self, port: int, host: str = HOST) -> None:
        self.upstream = (host, port)
        self.port = 0
        self.accepted = 0
        """Connections so far, refused ones included."""
        self._fault = _Fault()
        self._lost = b""
        self._clients: set[StreamWriter] = set()
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def switch(self, mode: Mode, *, cut_after: int = 0, delay_s: float = 0.0) -> None:
        self._fault = _Fault(mode, cut_after, delay_s)

    def lose_reply_to(self, request: bytes) -> None:
        """The next connection that sends this is reset when the upstream has answered; once."""
        self._lost = request

    @property
    def has_lost_reply(self) -> bool:
        return not self._lost

    def drop_all(self) -> None:
        """Resets every open connection, as a failover does.

        From another thread they are closed when it returns; from the proxy's own, after the next `await`.
        """
        if threading.get_ident() == self._thread:
            self._reset_all()
        else:
            asyncio.run_coroutine_threadsafe(self._reset_soon(), self._loop).result()

    async def _reset_soon(self) -> None:
        self._reset_all()
        await asyncio.sleep(0)

    def _reset_all(self) -> None:
        for client in list(self._clients):
            _reset(client)

    async def __aenter__(self) -> Self:
        self._loop, self._thread = asyncio.get_running_loop(), threading.get_ident()
        listener = bind()
        self.port = port_of(listener)
        self._server = await asyncio.start_server(self._accept, sock=listener)
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.accepted += 1
        if self._fault.mode == "refuse":
            _reset(writer)
            return
        connection = asyncio.ensure_future(self._forward(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _forward(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Until either side ends."""
        self._clients.add(writer)
        try:
            upstream_reader, upstream_writer = await asyncio.open_connection(*self.upstream)
            with closing(upstream_writer):
                lost = asyncio.Event()
                await race(self._requests(reader, upstream_writer, lost), self._replies(upstream_reader, writer, lost))
        except OSError:
            _reset(writer)
        finally:
            self._clients.discard(writer)
            writer.close()

    async def _requests(self, client: StreamReader, upstream: StreamWriter, lost: asyncio.Event) -> None:
        while piece := await client.read(PIECE_BYTES):
            if self._lost and self._lost in piece:
                self._lost = b""
                lost.set()
            if self._fault.mode != "blackhole":
                upstream.write(piece)
                await upstream.drain()

    async def _replies(self, upstream: StreamReader, client: StreamWriter, lost: asyncio.Event) -> None:
        counted_for, sent = self._fault, 0
        while piece := await upstream.read(PIECE_BYTES):
            if lost.is_set():
                _reset(client)
                return
            fault = self._fault
            if fault is not counted_for:
                counted_for, sent = fault, 0
            if fault.mode == "blackhole":
                continue
            if fault.mode == "cut":
                piece = piece[: fault.cut_after - sent]
            if fault.mode == "delay":
                await asyncio.sleep(fault.delay_s)
            client.write(piece)
            await client.drain()
            sent += len(piece)
            if fault.mode == "cut" and sent >= fault.cut_after:
                _reset(client)
                return


def _reset(writer: StreamWriter) -> None:
    """Closes with RST instead of FIN."""
    if not writer.transport.is_closing():
        writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, NO_LINGER)
    writer.transport.abort()
