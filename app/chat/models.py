"""The agent, and the models behind it, by the settings."""

from typing import Any

import agents
from agents import Agent, Model, ModelSettings, OpenAIChatCompletionsModel
from openai import DefaultAsyncHttpxClient

from app.book.bm25 import TermEncoder
from app.book.embedding import Embedder
from app.breaker import Breaker
from app.chat.extraction import Extractor
from app.chat.lean_client import LeanClient
from app.chat.model_errors import is_outage
from app.chat.offline import OfflineModel
from app.chat.prompts import Prompt
from app.chat.providing import Models, ProvidedModel
from app.errors import ModelUnavailableError
from app.metrics import Metrics
from app.settings import Provider, Settings
from tools.context import TurnContext
from tools.lookup_history import lookup_history
from tools.search_book import search_book

OWN: dict[Provider, dict[str, Any]] = {"openai": {"store": False}, "gemini": {}}
"""Settings of a request; Gemini refuses the field."""


def open_models(settings: Settings, metrics: Metrics, terms: TermEncoder, embedder: Embedder) -> Models:
    """Connects on first use."""
    provided = [_offline(settings, terms, embedder)] if settings.model_provider == "offline" else _over_http(settings)
    return Models(provided, settings.model_attempts, settings.model_timeout_s, settings.model_max_calls, metrics)


def _offline(settings: Settings, terms: TermEncoder, embedder: Embedder) -> ProvidedModel:
    model = OfflineModel(Extractor(terms.stems, embedder.embed_texts))
    return ProvidedModel("offline", settings.model, model, _breaker("offline"))


def _over_http(settings: Settings) -> list[ProvidedModel]:
    """A provider's models share its client and its breaker."""
    shared: dict[Provider, tuple[LeanClient, Breaker]] = {}
    provided = []
    for provider, name in settings.models:
        if provider not in shared:
            shared[provider] = open_client(settings, provider), _breaker(provider)
        client, breaker = shared[provider]
        model: Model = OpenAIChatCompletionsModel(name, client)
        provided.append(ProvidedModel(provider, name, model, breaker, client, ModelSettings(**OWN[provider])))
    return provided


def open_client(settings: Settings, provider: Provider) -> LeanClient:
    key, base_url = {
        "openai": (settings.openai_api_key, settings.openai_base_url),
        "gemini": (settings.gemini_api_key, settings.gemini_base_url),
    }[provider]
    return LeanClient(
        api_key=key.reveal(),
        base_url=base_url,
        max_retries=0,
        timeout=settings.model_timeout_s,
        http_client=DefaultAsyncHttpxClient(follow_redirects=False),  # what is asked is for this provider alone
    )


def _breaker(provider: Provider) -> Breaker:
    def refusal(retry_after_s: int) -> ModelUnavailableError:
        return ModelUnavailableError(retry_after_s=retry_after_s)

    return Breaker(provider, refusal, is_outage)


def configure_tracing(settings: Settings) -> None:
    """The SDK sends its traces to OpenAI unless told otherwise; here it does so only when asked."""
    agents.set_tracing_disabled(not settings.openai_tracing)
    if settings.openai_tracing:
        agents.set_tracing_export_api_key(settings.openai_api_key.reveal())


def make_agent(prompt: Prompt, settings: Settings) -> Agent[TurnContext]:
    """Without a model: each turn brings its own."""
    return Agent(
        name=prompt.name,
        instructions=prompt.render(book_title=settings.book_title),
        model_settings=model_settings(prompt),
        tools=[search_book, lookup_history],
    )


def model_settings(prompt: Prompt) -> ModelSettings:
    wanted = prompt.model_settings
    return ModelSettings(
        temperature=wanted.temperature,
        top_p=wanted.top_p,
        max_tokens=wanted.max_tokens,
        tool_choice=wanted.tool_choice,
        include_usage=True,
    )
