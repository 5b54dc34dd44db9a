"""Whether the process lives, whether it can serve, and how each dependency does."""

import asyncio
import time
from importlib import metadata

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import SkipValidation

from app import probes
from app.http.schemas import DependencyHealth, Health
from app.probes import Probe
from app.resources import Resources

VERSION = metadata.version("book-agent")
MODEL_TTL_S = 30.0
"""The provider is not asked more often: anybody may call this route."""

DEGRADED = {503: ResponseSpec(Health, description="A dependency is down", media_type="application/json")}


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
    return _response(await _stores(resources))


@get("/api/v1/health", summary="Each dependency, with its latency", tags=["health"], responses=DEGRADED)
async def health(
    resources: NamedDependency[SkipValidation[Resources]], model_health: NamedDependency[SkipValidation[ModelHealth]]
) -> Response[Health]:
    return _response([*await _stores(resources), await model_health.get(resources)])


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


def _response(found: list[Probe]) -> Response[Health]:
    ok = all(probe.ok for probe in found)
    dependencies = {
        probe.name: DependencyHealth("ok" if probe.ok else "down", probe.latency_ms, probe.detail) for probe in found
    }
    body = Health("ok" if ok else "degraded", VERSION, dependencies)
    return Response(body, status_code=200 if ok else 503, headers={} if ok else {"Retry-After": "5"})
