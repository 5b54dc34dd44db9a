"""A stand-in for a Qdrant server over real HTTP, with faults on demand.

It proves that our requests parse as the server's models, and our client settings, retries and error handling. It
proves nothing about the server's ranking, recall of its approximate search, or consistency.
"""

import asyncio
import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from litestar import Litestar, Request, Response
from litestar.exceptions import HTTPException, SerializationException
from litestar.handlers import HTTPRouteHandler, get
from pydantic_core import to_jsonable_python

from tests.fakes.qdrant_engine import ROUTES, Answer, Call, Engine

OPEN_PATHS = ("/", "/healthz", "/readyz")
ALIASES_PATH = "/collections/aliases"
HttpRequest = Request[Any, Any, Any]
HttpResponse = Response[Any]


@dataclass
class Fault:
    """What the next `times` requests meet. With neither `status` nor `body` they are only late."""

    path: str = ""
    """Part of the path; empty is any request."""
    times: float = 1
    """`math.inf`: until it is taken from the list."""
    status: int | None = None
    delay_s: float = 0.0
    body: str | None = None
    """Sent as it is: a proxy's HTML page, JSON that was cut."""
    headers: Mapping[str, str] | None = None
    after: bool = False
    """The server does what it is asked, and then answers so."""

    def take(self, path: str, *, after: bool = False) -> bool:
        taken = self.times > 0 and self.path in path and self.after is after
        self.times -= taken
        return taken

    def response(self) -> HttpResponse | None:
        if self.body is not None:
            return Response(self.body, status_code=self.status or 200, media_type="text/html", headers=self.headers)
        return _error(self.status, "injected", self.headers) if self.status else None


class Seen(NamedTuple):
    method: str
    path: str


class FakeQdrant:
    """Serve `app`; add to `faults` at any time, from any thread; read `seen`."""

    def __init__(self, api_key: str | None = None, version: str = "1.20.0") -> None:
        self.api_key, self.version = api_key, version
        self.faults: list[Fault] = []
        self.seen: list[Seen] = []
        self.engine = Engine()
        self.app = Litestar(
            [
                get("/")(self._root),
                get(["/healthz", "/readyz"], media_type="text/plain")(self._health),
                *(
                    HTTPRouteHandler(path, http_method=verb, status_code=200)(self._route(do))
                    for verb, path, do in ROUTES
                ),
            ],
            before_request=self._gate,
            exception_handlers={
                HTTPException: _no_route,
                SerializationException: _refused,
                ValueError: _refused,
                KeyError: _refused,
            },
            openapi_config=None,
            logging_config=None,
        )

    async def _root(self) -> dict[str, str]:
        return {"title": "qdrant - vector search engine", "version": self.version}

    async def _health(self) -> str:
        return "healthz check passed"

    def _route(self, answer: Answer) -> Any:
        async def handler(request: HttpRequest) -> dict[str, Any] | HttpResponse:
            body = await request.json() if await request.body() else None
            result = await answer(Call(self.engine, request.path_params.get("name", ""), body))
            fault = next((fault for fault in self.faults if fault.take(request.url.path, after=True)), None)
            if fault and (response := fault.response()):
                return response
            return {"result": to_jsonable_python(result), "status": "ok", "time": 0.0}

        return handler

    async def _gate(self, request: HttpRequest) -> HttpResponse | None:
        path = request.url.path
        self.seen.append(Seen(request.method, path))
        fault = next((fault for fault in self.faults if fault.take(path)), None)
        if fault:
            await _wait(request, fault.delay_s)
        return (fault and fault.response()) or self._unauthorized(request)

    def _unauthorized(self, request: HttpRequest) -> HttpResponse | None:
        key = request.headers.get("api-key")
        if self.api_key in (None, key) or request.url.path in OPEN_PATHS:
            return None
        text = "Invalid API key or JWT" if key else "Must provide an API key or an Authorization bearer token"
        return Response(text, status_code=401, media_type="text/plain")


async def _wait(request: HttpRequest, delay_s: float) -> None:
    """Sleeps, unless the client hangs up first."""
    await request.body()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(delay_s):
            while (await request.receive())["type"] != "http.disconnect":
                pass


def _error(status: int, text: str, headers: Mapping[str, str] | None = None) -> HttpResponse:
    return Response({"status": {"error": text}, "time": 0.0}, status_code=status, headers=headers)


def _no_route(_: HttpRequest, error: HTTPException) -> HttpResponse:
    """As the server does, without a word. Litestar's 404 and 405 are ValueErrors too."""
    return Response("", status_code=error.status_code, media_type="text/plain")


def _refused(request: HttpRequest, error: Exception) -> HttpResponse:
    """The server's status and words for what the in-memory engine raises."""
    if isinstance(error, KeyError):
        return _error(404, f"Not found: No point with id {error.args[0]} found")
    text = str(error).removeprefix("Wrong input: ")
    if missing := re.fullmatch(r"Collection (.+) not found", text):
        return _error(404, f"Not found: Collection `{missing[1]}` doesn't exist!")
    if taken := re.fullmatch(r"Collection (.+) already exists", text):
        conflict = request.url.path != ALIASES_PATH  # an alias that would have a collection's name is a wrong input
        return _error(409 if conflict else 400, f"Wrong input: Collection `{taken[1]}` already exists!")
    return _error(400, f"Wrong input: {text}")
