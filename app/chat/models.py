"""The model behind the agent, by setting; and the one place that knows how the SDK and the openai client fail."""

import json
import re
from typing import Any

import agents
import httpx2
import openai
from agents import Agent, Model, ModelSettings, OpenAIChatCompletionsModel

from app.book.bm25 import TermEncoder
from app.book.embedding import Embedder
from app.chat.extraction import Extractor
from app.chat.offline import OfflineModel
from app.chat.prompts import Prompt
from app.errors import (
    BookAgentError,
    ModelBehaviourError,
    ModelUnauthorizedError,
    ModelUnavailableError,
)
from app.settings import Provider, Settings
from tools.context import TurnContext
from tools.lookup_history import lookup_history
from tools.search_book import search_book

CONNECT_TIMEOUT_S = 3.0
LONGEST_RETRY_AFTER_S = 3600
SECONDS = re.compile(r"[0-9]{1,9}")


def open_client(settings: Settings) -> openai.AsyncOpenAI | None:
    """The client of the chosen provider; None for the offline model. Connects on first use."""
    if settings.model_provider == "offline":
        return None
    key, base_url = {
        "openai": (settings.openai_api_key, settings.openai_base_url),
        "gemini": (settings.gemini_api_key, settings.gemini_base_url),
    }[settings.model_provider]
    client = openai.AsyncOpenAI(
        api_key=key.reveal(),
        base_url=base_url,
        max_retries=settings.model_attempts - 1,
        timeout=httpx2.Timeout(settings.model_timeout_s, connect=min(CONNECT_TIMEOUT_S, settings.model_timeout_s)),
    )
    client.organization = client.project = None  # it reads them from the environment, for any provider
    return client


def make_model(settings: Settings, client: openai.AsyncOpenAI | None, terms: TermEncoder, embedder: Embedder) -> Model:
    if client is None:
        return OfflineModel(Extractor(terms.stems, embedder.embed_texts))
    return OpenAIChatCompletionsModel(settings.model, client)


def configure_tracing(settings: Settings) -> None:
    """The SDK sends its traces to OpenAI unless told otherwise; here it does so only when asked."""
    agents.set_tracing_disabled(not settings.openai_tracing)
    if settings.openai_tracing:
        agents.set_tracing_export_api_key(settings.openai_api_key.reveal())


def make_agent(prompt: Prompt, settings: Settings, model: Model) -> Agent[TurnContext]:
    return Agent(
        name=prompt.name,
        instructions=prompt.render(book_title=settings.book_title),
        model=model,
        model_settings=model_settings(prompt, settings.model_provider),
        tools=[search_book, lookup_history],
    )


def model_settings(prompt: Prompt, provider: Provider) -> ModelSettings:
    wanted = prompt.model_settings
    store: dict[str, Any] = {"store": False} if provider == "openai" else {}  # Gemini refuses the field
    return ModelSettings(
        temperature=wanted.temperature,
        top_p=wanted.top_p,
        max_tokens=wanted.max_tokens,
        tool_choice=wanted.tool_choice,
        include_usage=True,
        **store,
    )


def translate(error: Exception) -> BookAgentError:
    """Our error for what the SDK or the openai client raises; a tool's own error comes out as it went in."""
    if isinstance(error, BookAgentError):
        return error
    if isinstance(error, openai.OpenAIError):
        return _translate_client_error(error)
    if isinstance(error, agents.exceptions.AgentsException):
        return _translate_sdk_error(error)
    if isinstance(error, httpx2.TransportError):  # of an error's body, which the client does not wrap
        return ModelUnavailableError()
    if isinstance(error, json.JSONDecodeError):
        return ModelBehaviourError("The model provider did not answer in JSON.")
    return BookAgentError()


def _translate_sdk_error(error: agents.exceptions.AgentsException) -> BookAgentError:
    if isinstance(error, agents.UserError):  # a tool raised, or we misuse the SDK
        return error.__cause__ if isinstance(error.__cause__, BookAgentError) else BookAgentError()
    if isinstance(error, agents.MaxTurnsExceeded):
        return ModelBehaviourError("The model kept calling tools and never answered.")
    if isinstance(error, agents.exceptions.ModelTimeoutError):
        return ModelUnavailableError()
    return ModelBehaviourError()


def _translate_client_error(error: openai.OpenAIError) -> BookAgentError:
    if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError) or _is_invalid_key(error):
        return ModelUnauthorizedError()
    if isinstance(error, openai.RateLimitError):
        return ModelUnavailableError("The model provider has too many requests.", retry_after_s=_retry_after_s(error))
    if isinstance(error, openai.NotFoundError):
        return ModelUnavailableError("The model provider does not know this model: check MODEL_NAME.")
    if isinstance(error, openai.APIStatusError) and error.status_code < 500:  # noqa: PLR2004 - the class of the status
        return ModelBehaviourError("The model provider refused the request.")
    return ModelUnavailableError()


def _is_invalid_key(error: openai.OpenAIError) -> bool:
    """Gemini says 400 rather than 401, with a list for a body."""
    return isinstance(error, openai.BadRequestError) and "API_KEY_INVALID" in str(error.body)


def _retry_after_s(error: openai.APIStatusError) -> int | None:
    value = error.response.headers.get("retry-after", "")
    return min(int(value), LONGEST_RETRY_AFTER_S) if SECONDS.fullmatch(value) else None
