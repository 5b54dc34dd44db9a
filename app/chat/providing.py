"""The models that may reply, in the order in which they are asked."""

from collections.abc import Sequence
from dataclasses import dataclass

import openai
from agents import Model, ModelSettings

from app.breaker import Breaker
from app.metrics import Metrics


@dataclass(frozen=True, slots=True, eq=False)
class ProvidedModel:
    provider: str
    name: str
    model: Model
    breaker: Breaker
    """The provider's, which its models share."""
    client: openai.AsyncOpenAI | None = None
    """None for the offline model."""
    settings: ModelSettings | None = None
    """The provider's own, over those of the prompt."""


@dataclass(frozen=True, slots=True)
class Models:
    """Those of MODEL_PROVIDER and MODEL_FALLBACK, and how they may be asked."""

    provided: Sequence[ProvidedModel]
    attempts: int
    timeout_s: float
    max_calls: int
    metrics: Metrics

    @property
    def breakers(self) -> list[Breaker]:
        """One of each provider that is asked over the network."""
        return list({one.provider: one.breaker for one in self.provided if one.client is not None}.values())

    async def close(self) -> None:
        for provided in self.provided:
            if provided.client is not None:
                await provided.client.close()
