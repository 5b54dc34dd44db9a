"""What is counted, for Prometheus. A registry per application, so that two can live in one process."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

from app.breaker import Breaker

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 20, 30, 60)


class Metrics:
    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self.requests = Counter(
            "book_agent_requests", "HTTP requests", ["method", "route", "status"], registry=registry
        )
        self.request_seconds = Histogram(
            "book_agent_request_seconds", "Until the last byte", ["method", "route"], buckets=SECONDS, registry=registry
        )
        self.turns = Counter(
            "book_agent_turns",
            "Answers, by how they ended and which prompt made them",
            ["status", "reason", "prompt", "model"],
            registry=registry,
        )
        self.turns_running = Gauge("book_agent_turns_running", "Answers being made", registry=registry)
        self.turn_seconds = Histogram(
            "book_agent_turn_seconds", "From question to answer", ["status"], buckets=SECONDS, registry=registry
        )
        self.first_text_seconds = Histogram(
            "book_agent_first_text_seconds", "From question to first text", buckets=SECONDS, registry=registry
        )
        self.search_seconds = Histogram(
            "book_agent_search_seconds", "A search of the book, embedding included", buckets=SECONDS, registry=registry
        )
        self.cached_searches = Counter(
            "book_agent_cached_searches",
            "Searches answered with what they found before, as Qdrant did not answer",
            registry=registry,
        )
        self.tokens = Counter("book_agent_tokens", "Tokens of the model", ["direction", "model"], registry=registry)
        self.model_retries = Counter(
            "book_agent_model_retries", "Model requests made again", ["provider", "model"], registry=registry
        )
        self.model_fallbacks = Counter(
            "book_agent_model_fallbacks", "Replies handed over to the next model", ["model", "to"], registry=registry
        )
        self.dropped_citations = Counter(
            "book_agent_dropped_citations", "Citations of passages that were not shown", registry=registry
        )

        self.sentences = Counter(
            "book_agent_sentences",
            "Sentences of the model's, by whether a passage supports them",
            ["verdict"],
            registry=registry,
        )
        self.disagreements = Counter(
            "book_agent_citation_disagreements",
            "Sentences that the passages cited by the model don't support, and others do",
            registry=registry,
        )

        self._breakers = Gauge(
            "book_agent_breaker_open",
            "1 while a dependency that keeps failing is not called",
            ["dependency"],
            registry=registry,
        )

    def watch(self, breaker: Breaker) -> None:
        self._breakers.labels(breaker.name).set_function(lambda: float(breaker.is_open))

    def exposition(self) -> bytes:
        return generate_latest(self._registry)
