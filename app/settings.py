"""The settings of the service: read once, from one mapping, with every problem told at once."""

import ipaddress
import os
import re
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
import psycopg
from dotenv import dotenv_values
from msgspec import Meta, field
from psycopg.conninfo import conninfo_to_dict

from app.errors import SettingsError
from app.plain_words import in_plain_words

Provider = Literal["openai", "gemini", "offline"]
Rerank = Literal["off", "compact", "full"]
GroundingMode = Literal["strict", "flag", "off"]
RetrievalMode = Literal["first", "agentic"]
DisconnectPolicy = Literal["continue", "cancel"]
LogLevel = Literal["debug", "info", "warning", "error"]

HOST_NAME = re.compile(r"(?!-)(?!(.*\.)?\d+\.?$)[\w-]{1,63}(\.[\w-]{1,63})*\.?", re.ASCII)
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
DEFAULT_MODELS: Mapping[Provider, str] = {
    "openai": "gpt-4.1-mini",
    "gemini": "gemini-2.5-flash",
    "offline": "offline-extractive",
}


class Secret:
    """A text that shows itself only when asked to."""

    __slots__ = ("_text",)

    def __init__(self, text: str = "") -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __repr__(self) -> str:
        return "Secret(***)" if self._text else "Secret(unset)"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Every setting; the environment variable has the field's name in capitals."""

    qdrant_cluster_endpoint: Annotated[str, Meta(description="URL of the Qdrant server or Qdrant Cloud cluster")] = ""
    qdrant_api_key: Annotated[Secret, Meta(description="API key of the Qdrant cluster")] = field(default_factory=Secret)
    qdrant_collection: Annotated[
        str, Meta(description="collection that holds the book", pattern=r"^[\w.-]{1,255}$")
    ] = "textbook_content"
    qdrant_timeout_s: Annotated[
        float, Meta(description="seconds for one Qdrant operation, its retries included", gt=0, le=60)
    ] = 10.0
    qdrant_attempts: Annotated[int, Meta(description="tries of one Qdrant operation", ge=1, le=10)] = 3

    database_url: Annotated[Secret, Meta(description="PostgreSQL URL (Neon: the pooled one)")] = field(
        default_factory=Secret
    )
    database_direct_url: Annotated[
        Secret, Meta(description="PostgreSQL URL without a pooler, for migrations; DATABASE_URL when empty")
    ] = field(default_factory=Secret)
    database_pool_size: Annotated[int, Meta(description="connections held at the most", ge=1, le=200)] = 10
    database_timeout_s: Annotated[
        float, Meta(description="seconds for one database operation, its retries included", gt=0, le=60)
    ] = 5.0

    model_provider: Annotated[Provider, Meta(description="`openai`, `gemini` or `offline`")] = "openai"
    model_name: Annotated[
        str,
        Meta(description=f"the provider's model; by default {', '.join(DEFAULT_MODELS.values())}", max_length=200),
    ] = ""
    model_fallback: Annotated[
        str,
        Meta(
            description="who is asked when MODEL_PROVIDER fails, in order: `gemini`, or `gemini:gemini-2.5-pro,openai`"
        ),
    ] = ""
    openai_api_key: Annotated[Secret, Meta(description="key of OpenAI")] = field(default_factory=Secret)
    openai_base_url: Annotated[str, Meta(description="OpenAI's endpoint, or a compatible one")] = (
        "https://api.openai.com/v1"
    )
    gemini_api_key: Annotated[Secret, Meta(description="key of Gemini")] = field(default_factory=Secret)
    gemini_base_url: Annotated[str, Meta(description="Gemini's OpenAI-compatible endpoint")] = (
        "https://generativelanguage.googleapis.com/v1beta/openai/"
    )
    model_timeout_s: Annotated[float, Meta(description="seconds without a byte from the model", gt=0, le=600)] = 20.0
    model_attempts: Annotated[
        int, Meta(description="tries of one model request, until a reply begins", ge=1, le=10)
    ] = 3
    model_max_calls: Annotated[int, Meta(description="model calls in one turn at the most", ge=2, le=20)] = 6
    openai_tracing: Annotated[bool, Meta(description="send the Agents SDK's traces to OpenAI")] = False

    embedding_model: Annotated[
        str,
        Meta(description="`all-MiniLM-L6-v2-int8` (in the package), or a name that fastembed knows", min_length=1),
    ] = "all-MiniLM-L6-v2-int8"
    rerank: Annotated[
        Rerank,
        Meta(
            description="`compact`: by 128-dim token vectors, 45 KB a chunk; `full`: by 384-dim ones, 135 KB; `off`: "
            "no rerank, no token vectors"
        ),
    ] = "compact"
    embedding_threads: Annotated[int, Meta(description="threads of the embedding model", ge=1, le=64)] = 1

    book_title: Annotated[str, Meta(description="what the assistant calls the book", min_length=1, max_length=200)] = (
        "the book"
    )
    book_base_url: Annotated[str, Meta(description="address of the published book, put before citations' paths")] = ""
    prompt_version: Annotated[str, Meta(description="file in `prompts/book_agent/`", pattern=r"^[\w.-]{1,64}$")] = "v2"
    retrieval: Annotated[
        RetrievalMode,
        Meta(
            description="`first`: the question is searched before the model is asked, so that most answers take one "
            "model call; `agentic`: the model calls the search"
        ),
    ] = "first"
    grounding: Annotated[
        GroundingMode,
        Meta(
            description="`strict`: only sentences that a passage supports are told; `flag`: all are, and events say "
            "which are not supported; `off`: nothing is measured"
        ),
    ] = "strict"
    search_limit: Annotated[int, Meta(description="passages given to the model per search", ge=1, le=30)] = 6
    search_cache_s: Annotated[
        float,
        Meta(
            description="seconds for which a search may be answered with what it found before, while Qdrant does not "
            "answer; 0 is never",
            ge=0,
            le=86_400,
        ),
    ] = 300.0
    history_tokens: Annotated[
        int, Meta(description="tokens of earlier exchanges given to the model at the most", ge=0, le=100_000)
    ] = 2000
    turn_timeout_s: Annotated[float, Meta(description="seconds for one answer", gt=0, le=900)] = 60.0

    disconnect: Annotated[
        DisconnectPolicy,
        Meta(
            description="when the last reader of an answer leaves: `continue` it, for who comes back or reads the "
            "conversation later, or `cancel` it"
        ),
    ] = "continue"
    disconnect_grace_s: Annotated[
        float,
        Meta(description="seconds after which an answer that nobody reads is cancelled all the same", ge=0, le=900),
    ] = 60.0
    journal_hours: Annotated[
        float, Meta(description="hours for which the events of an answer can be read again", gt=0, le=8760)
    ] = 24.0

    host: Annotated[str, Meta(description="address to listen on", min_length=1)] = "127.0.0.1"
    port: Annotated[int, Meta(description="port to listen on; 0 takes a free one", ge=0, le=65535)] = 8000
    forwarded_allow_ips: Annotated[
        str, Meta(description="proxies whose X-Forwarded-For is believed, separated by commas", min_length=1)
    ] = "127.0.0.1"
    rate_limit_per_minute: Annotated[
        int,
        Meta(description="requests per client address and minute, in each process; 0 is no limit", ge=0, le=1_000_000),
    ] = 60
    shutdown_grace_s: Annotated[int, Meta(description="seconds that answers in flight get at a stop", ge=0, le=600)] = (
        10
    )
    log_level: Annotated[LogLevel, Meta(description="`debug`, `info`, `warning` or `error`")] = "info"

    @property
    def model(self) -> str:
        return self.model_name or DEFAULT_MODELS[self.model_provider]

    @property
    def models(self) -> list[tuple[Provider, str]]:
        """Providers with a model each, in the order in which they are asked; each once."""
        return list(dict.fromkeys([(self.model_provider, self.model), *_fallbacks(self)]))

    @property
    def migrations_url(self) -> str:
        return (self.database_direct_url or self.database_url).reveal()


REQUIRED = ("qdrant_cluster_endpoint", "qdrant_api_key", "database_url")
PROVIDER_KEYS: Mapping[Provider, str] = {"openai": "openai_api_key", "gemini": "gemini_api_key"}
HTTP_URLS: Mapping[str, str | None] = {
    "qdrant_cluster_endpoint": "qdrant_api_key",
    "openai_base_url": "openai_api_key",
    "gemini_base_url": "gemini_api_key",
    "book_base_url": None,
}
"""Settings that are HTTP addresses, with the key that is sent there."""
POSTGRES_URLS = ("database_url", "database_direct_url")


def _fallbacks(settings: Settings) -> Iterator[tuple[Provider, str]]:
    """Those that MODEL_FALLBACK names; MODEL_PROVIDER's name alone stands for the model that it has already."""
    for entry in settings.model_fallback.split(","):
        provider, _, model = entry.strip().partition(":")
        if provider in PROVIDER_KEYS and not (provider == settings.model_provider and not model):
            known = typing.cast("Provider", provider)
            yield known, model or DEFAULT_MODELS[known]


def environment(folder: Path) -> dict[str, str]:
    """The process environment over the `.env` of a folder: the only place that reads either."""
    try:
        from_file = {name: value for name, value in dotenv_values(folder / ".env").items() if value is not None}
    except (OSError, UnicodeError) as error:
        raise SettingsError([f".env cannot be read: {error}"]) from error
    return from_file | dict(os.environ)


def load_settings(
    environ: Mapping[str, str],
    *,
    required: tuple[str, ...] = REQUIRED,
    provider_key: bool = True,
    also: Callable[[Settings], Iterable[tuple[str, str]]] = lambda _: (),
) -> Settings:
    """Settings from a mapping; an empty value counts as unset. `provider_key`: the model provider's is required too.

    `also`: finds further problems, each with the name of its setting.

    Raises SettingsError with every problem, each naming its variable and never showing a secret.
    """
    problems: dict[str, str] = {}
    values: dict[str, Any] = {}
    for name, hint in _hints().items():
        if raw := environ.get(name.upper(), "").strip():
            try:
                values[name] = _parse(raw, hint)
            except ValueError as error:
                problems[name] = str(error)
    settings = Settings(**values)
    found = (
        *_missing(settings, required, provider_key=provider_key),
        *_bad_fallbacks(settings),
        *_bad_addresses(settings),
        *_bad_hosts(settings),
        *also(settings),
    )
    for name, problem in found:
        if name not in problems and not ("model_provider" in problems and name in PROVIDER_KEYS.values()):
            problems[name] = problem
    if problems:
        raise SettingsError([f"{name.upper()}: {problem}" for name, problem in problems.items()])
    return settings


def describe() -> Iterator[tuple[str, str, str]]:
    """(variable, default, description) of every setting, in order."""
    defaults = Settings()
    for name, hint in _hints().items():
        default = getattr(defaults, name)
        shown = "" if isinstance(default, Secret) else str(default).lower() if default is False else str(default)
        yield name.upper(), shown, _description(hint)


def _hints() -> dict[str, Any]:
    return typing.get_type_hints(Settings, include_extras=True)


def _description(hint: Any) -> str:
    return next(meta.description for meta in typing.get_args(hint)[1:] if isinstance(meta, Meta)) or ""


def _parse(raw: str, hint: Any) -> Any:
    kind = typing.get_args(hint)[0]
    if kind is Secret:
        if not (raw.isascii() and raw.isprintable()):
            raise ValueError("has a character that no key and no URL has")
        return Secret(raw)
    try:
        return msgspec.convert(raw, hint, strict=False)
    except msgspec.ValidationError as problem:
        if choices := typing.get_args(kind):
            raise ValueError(f"is none of {', '.join(choices)}") from None
        raise ValueError(in_plain_words(str(problem))) from None


def _missing(settings: Settings, required: tuple[str, ...], *, provider_key: bool) -> Iterator[tuple[str, str]]:
    for name in required:
        if not getattr(settings, name):
            yield name, "is missing"
    for provider, _ in settings.models if provider_key else ():
        name = PROVIDER_KEYS.get(provider, "")
        if name and not getattr(settings, name):
            is_first = provider == settings.model_provider
            yield (
                name,
                f"is missing ({f'MODEL_PROVIDER is {provider}' if is_first else f'MODEL_FALLBACK names {provider}'})",
            )


def _bad_fallbacks(settings: Settings) -> Iterator[tuple[str, str]]:
    entries = [entry.strip() for entry in settings.model_fallback.split(",")] if settings.model_fallback else []
    for entry in entries:
        provider, colon, model = entry.partition(":")
        if provider not in PROVIDER_KEYS:
            yield "model_fallback", f"`{provider}` is none of {', '.join(PROVIDER_KEYS)}"
        elif colon and not model:
            yield "model_fallback", f"`{entry}` names no model after the colon"
    if entries and settings.model_provider == "offline":
        yield "model_fallback", "is of no use while MODEL_PROVIDER is offline"


def _bad_addresses(settings: Settings) -> Iterator[tuple[str, str]]:
    for name, key in HTTP_URLS.items():
        url = getattr(settings, name)
        has_key = key is not None and bool(getattr(settings, key))
        if url and (problem := _http_problem(url, key if has_key else None)):
            yield name, problem
    for name in POSTGRES_URLS:
        if (url := getattr(settings, name)) and not _is_postgres(url.reveal()):
            yield name, "is not a PostgreSQL URL such as postgresql://user:password@host/name"


def _bad_hosts(settings: Settings) -> Iterator[tuple[str, str]]:
    if not _is_address(settings.host) and not HOST_NAME.fullmatch(settings.host):
        yield "host", "is not an address or a name of this machine, such as 127.0.0.1"
    proxies = [entry.strip() for entry in settings.forwarded_allow_ips.split(",")]
    if bad := [entry for entry in proxies if proxies != ["*"] and not _is_network(entry)]:
        wrong = ", ".join(f"`{entry}`" for entry in bad)
        yield "forwarded_allow_ips", f"{wrong}: is not an IP address, nor a network such as 10.0.0.0/8, nor * alone"


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


def _http_problem(url: str, key: str | None) -> str | None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is not a URL such as https://host:port"
    if parts.scheme not in {"http", "https"} or not host:
        return "is not a URL such as https://host:port"
    if parts.username or parts.password:
        return "must not contain a user name or password"
    if parts.scheme == "http" and key and host not in LOOPBACK:
        return f"would send {key.upper()} over plain http; use https"
    return None


def _is_postgres(url: str) -> bool:
    try:
        return bool(conninfo_to_dict(url).get("host"))
    except psycopg.ProgrammingError:
        return False
