"""What can go wrong, as a tree: an HTTP status per class, and its docstring as the sentence a client reads.

A library's exception is translated into one of these once, at the adapter that called the library.
"""

import inspect
from typing import ClassVar


class BookAgentError(Exception):
    """Something went wrong inside book-agent."""

    status: ClassVar[int] = 500
    """The HTTP status of the answer."""
    hint: ClassVar[str] = ""
    """What an operator can do about it."""
    retry_after_s: int | None = None
    """When asking again makes sense, in seconds; None where it doesn't."""

    def __init__(self, detail: str | None = None, *, retry_after_s: int | None = None, reason: str = "") -> None:
        """`reason`: what a dependency says of it, in one line; never for a client."""
        self.detail = detail or inspect.cleandoc(type(self).__doc__ or "")
        self.reason = reason
        if retry_after_s is not None:
            self.retry_after_s = retry_after_s
        super().__init__(self.detail)

    @property
    def for_operator(self) -> str:
        """What is wrong, and what to do about it."""
        wrong = f"{self.detail.removesuffix('.')}: {self.reason}" if self.reason else self.detail
        return f"{wrong.removesuffix('.')}. {self.hint}" if self.hint else wrong


class ConfigurationError(BookAgentError):
    """The configuration is wrong."""


class SettingsError(ConfigurationError):
    """One or more settings are missing or wrong."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class MissingExtraError(ConfigurationError):
    """A package that this command needs is not installed."""


class PromptError(ConfigurationError):
    """A prompt file is missing, malformed, or uses an unknown variable."""


class MigrationError(ConfigurationError):
    """The database's migrations and the migration files disagree."""


class IndexMismatchError(ConfigurationError):
    """The index was made by another embedding model or with other vector settings."""


class IndexLockedError(ConfigurationError):
    """Another indexer is at work on this index."""


class DeletionRefusedError(ConfigurationError):
    """Most of the index would be deleted, and nobody said that it should."""


class EmbeddedPostgresError(ConfigurationError):
    """The embedded PostgreSQL could not be found, created or started."""


class EmbeddingError(BookAgentError):
    """The embedding model failed."""


class DocumentError(BookAgentError):
    """A source file cannot be read."""


class NotForReadersError(DocumentError):
    """The file is a page that was not made to be read, such as a redirect: nothing is wrong with it."""


class RequestError(BookAgentError):
    """The request cannot be served as it is."""

    status = 400


class InvalidRequestError(RequestError):
    """The request has invalid fields."""

    def __init__(self, errors: dict[str, str]) -> None:
        self.errors = errors
        super().__init__("; ".join(f"{field}: {problem}" for field, problem in errors.items()))


class ClientGoneError(RequestError):
    """The client left."""

    status = 499


class NotFoundError(RequestError):
    """There is no such thing here."""

    status = 404


class ConflictError(RequestError):
    """The request contradicts an earlier one."""

    status = 409


class KeyTakenError(ConflictError):
    """This Idempotency-Key was used for another request: take a new key."""


class RateLimitedError(RequestError):
    """Too many requests from this address."""

    status = 429


LONGEST_RETRY_AFTER_S = 3600
"""Of what a dependency asks for, that is passed on."""


class UnavailableError(BookAgentError):
    """Something this service depends on is not available; nothing is wrong with the question."""

    status = 503
    retry_after_s = 5


class DatabaseUnavailableError(UnavailableError):
    """The database is not available."""

    hint = "Check DATABASE_URL, and that the server runs."


class DatabaseBusyError(DatabaseUnavailableError):
    """The database has too much to do."""

    hint = "More DATABASE_POOL_SIZE, or more servers, if this happens often."


class OutcomeUnknownError(DatabaseUnavailableError):
    """The database is not available, and what was being stored may be stored or not."""


class VectorStoreUnavailableError(UnavailableError):
    """The book search is not available."""

    hint = "Check QDRANT_CLUSTER_ENDPOINT, and that the cluster runs."


class EmbeddedStoreError(VectorStoreUnavailableError):
    """The embedded vector store failed."""

    hint = "Check that the data folder can be written, and that its disk is not full."


class EmbeddedStoreHeldError(EmbeddedStoreError):
    """Another process has this book's embedded index open."""

    hint = "End the other `book-agent dev` first."


class VectorStoreUnauthorizedError(VectorStoreUnavailableError):
    """Qdrant refused the API key."""

    hint = "Check QDRANT_API_KEY."


class VectorStoreRefusedError(VectorStoreUnavailableError):
    """Qdrant did not accept a request."""

    hint = "Check that it is 1.16 or newer."


class CollectionMissingError(VectorStoreUnavailableError):
    """The book is not indexed yet."""

    hint = "Check QDRANT_COLLECTION, or run `book-agent index`."


class ModelUnavailableError(UnavailableError):
    """The model provider is not available."""

    hint = "Check the provider's base URL, and its status."


class ModelUnauthorizedError(ModelUnavailableError):
    """The model provider refused the API key."""

    hint = "Check OPENAI_API_KEY or GEMINI_API_KEY."


class ModelBehaviourError(ModelUnavailableError):
    """The model answered in a way that cannot be used."""


class TurnTimeoutError(UnavailableError):
    """The answer took too long."""


class TurnLostError(UnavailableError):
    """The server that was answering was not heard of for a while, and its answer was given up."""


class StoppingError(UnavailableError):
    """The server is stopping; ask again."""

    retry_after_s = 1


class UnfinishedError(UnavailableError):
    """The answer is not finished, and its end is not told here: ask for the turn's events, or read the conversation."""

    retry_after_s = 1
