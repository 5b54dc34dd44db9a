"""What is said of every request: its id, one line in the log, its metrics. Routing errors come through here too."""

import re
import time
import uuid
from typing import Any

import structlog
from litestar.datastructures import MutableScopeHeaders
from litestar.enums import HttpMethod, ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import ClientGoneError
from app.metrics import Metrics

REQUEST_ID = "X-Request-ID"
ACCEPTABLE_ID = re.compile(r"[\w.:-]{1,64}", re.ASCII)
UNROUTED = "(none)"
OBSERVATION = "observation"
PROBES = {"/health/live", "/health/ready", "/api/v1/health"}
QUIET_ROUTES = {"/health/live", "/health/ready", "/metrics"}
"""Asked every few seconds by machines: logged at debug level."""

log = structlog.get_logger("request")


class Observation:
    """One request's: what handlers add to its log line, and to the headers of its response."""

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        self.fields: dict[str, Any] = {}
        self.headers: dict[str, str] = {}
        self.status = 0


class Observed:
    """Wraps the whole application, so that nothing is answered unseen."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        observation, method = Observation(_request_id(scope)), scope["method"]
        if method == HttpMethod.HEAD and scope["path"] in PROBES:  # the server leaves the body out
            scope = {**scope, "method": HttpMethod.GET}
        scope.setdefault("state", {})[OBSERVATION] = observation

        async def observed_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                observation.status = message["status"]
                headers = MutableScopeHeaders(message)
                for name, value in {REQUEST_ID: observation.request_id, **observation.headers}.items():
                    headers[name] = value
            await send(message)

        started = time.perf_counter()
        with structlog.contextvars.bound_contextvars(request_id=observation.request_id):
            try:
                await self._app(scope, receive, observed_send)
            finally:
                self._record(method, _route(scope), observation, time.perf_counter() - started)

    def _record(self, method: str, route: str, observation: Observation, seconds: float) -> None:
        status = observation.status or ClientGoneError.status
        self._metrics.requests.labels(method, route, status).inc()
        self._metrics.request_seconds.labels(method, route).observe(seconds)
        write = log.debug if route in QUIET_ROUTES else log.info
        write(
            "request",
            method=method,
            route=route,
            status=status,
            duration_ms=round(seconds * 1000, 1),
            **observation.fields,
        )


def observation_of(scope: Scope) -> Observation:
    observation: Observation = scope["state"][OBSERVATION]
    return observation


def request_id_of(scope: Scope) -> str:
    return observation_of(scope).request_id


def _request_id(scope: Scope) -> str:
    """The client's own, if it is a harmless one."""
    given = dict(scope["headers"]).get(REQUEST_ID.lower().encode(), b"").decode("latin-1")
    return given if ACCEPTABLE_ID.fullmatch(given) else uuid.uuid4().hex


def _route(scope: Scope) -> str:
    """The route's template, never the path: paths are without bound."""
    if "route_handler" not in scope:
        return UNROUTED
    template: str = scope.get("path_template") or next(iter(sorted(scope["route_handler"].paths)), UNROUTED)
    return template
