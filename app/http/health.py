"""Whether the process lives, whether it can serve, and how each dependency does."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from importlib import metadata

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import SkipValidation

from app import probes
from app.breaker import Breaker
from app.http.schemas import DependencyHealth, Health
from app.probes import Probe
from app.resources import Resources

VERSION = metadata.version("book-agent")
MODEL_TTL_S = 30.0
"""The provider is not asked more often: anybody may call this route."""

DEGRADED = {
    503: ResponseSpec(Health, description="A dependency is down; see Retry-After", media_type="application/json")
}


class ModelHealth:
    """The last answer of the provider."""

    def __init__(self) -> None:
        self._probe: Probe | None = None
        self._until = 0.0

    async def get(self, resources: Resources) -> Probe:
        if self._probe is None or time.monotonic() > self._until:
            self._until = time.monotonic() + MODEL_TTL_S
            self._probe = await probes.probe("model", lambda: probes.ask_models(resources.models))
        return self._probe


@get("/health/live", summary="The process lives", tags=["health"], sync_to_thread=False)
def live() -> dict[str, str]:
    return {"status": "ok"}


@get("/health/ready", summary="Postgres and Qdrant can be used", tags=["health"], responses=DEGRADED)
async def ready(resources: NamedDependency[SkipValidation[Resources]]) -> Response[Health]:
    probed = by_probes(await _stores(resources))
    return _response(probed | by_breakers(probed, resources.breakers))


@get("/api/v1/health", summary="Each dependency, with its latency", tags=["health"], responses=DEGRADED)
async def health(
    resources: NamedDependency[SkipValidation[Resources]], model_health: NamedDependency[SkipValidation[ModelHealth]]
) -> Response[Health]:
    probed = by_probes([*await _stores(resources), await model_health.get(resources)])
    return _response(probed | by_breakers(probed, resources.breakers))


@get("/metrics", summary="Prometheus", tags=["health"], media_type="text/plain; version=0.0.4", sync_to_thread=False)
def metrics(resources: NamedDependency[SkipValidation[Resources]]) -> bytes:
    return resources.metrics.exposition()


async def _stores(resources: Resources) -> list[Probe]:
    return list(
        await asyncio.gather(
            probes.probe("postgres", lambda: probes.ask_postgres(resources.database)),
            probes.probe("qdrant", lambda: probes.ask_vector_store(resources.store, resources.embedder)),
        )
    )


def _response(dependencies: Mapping[str, DependencyHealth]) -> Response[Health]:
    statuses = {one.status for one in dependencies.values()}
    body = Health("ok" if statuses == {"ok"} else "degraded", VERSION, dict(dependencies))
    down = "down" in statuses
    return Response(body, status_code=503 if down else 200, headers={"Retry-After": "5"} if down else {})


def by_probes(found: Iterable[Probe]) -> dict[str, DependencyHealth]:
    return {one.name: DependencyHealth("ok" if one.ok else "down", one.latency_ms, one.detail) for one in found}


def by_breakers(probed: Mapping[str, DependencyHealth], breakers: Iterable[Breaker]) -> dict[str, DependencyHealth]:
    """What breakers know of dependencies that were not asked, or that answer a probe and fail at their work."""
    known: dict[str, DependencyHealth] = {}
    for breaker in breakers:
        asked = probed.get(breaker.name)
        if breaker.is_open and (asked is None or asked.status == "ok"):
            resting = f"resting after failures; tried again in {breaker.rests_s} s"
            known[breaker.name] = DependencyHealth("degraded", asked.latency_ms if asked else None, resting)
        elif asked is None:
            known[breaker.name] = DependencyHealth("ok", None, "no failures lately")
    return known
