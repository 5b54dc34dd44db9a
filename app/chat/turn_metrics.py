"""An answer, counted."""

from app.chat.events import Answer
from app.metrics import Metrics

MILLISECONDS = 1000


def count(metrics: Metrics, answer: Answer) -> None:
    grounding, first_text_ms = answer.grounding, answer.timings.first_text_ms
    reason = answer.refusal.reason if answer.refusal else ""
    prompt = f"{answer.prompt.name}/{answer.prompt.version}@{answer.prompt.digest}"
    metrics.turns.labels(answer.status, reason, prompt, answer.model).inc()
    metrics.turn_seconds.labels(answer.status).observe(answer.processing_time_ms / MILLISECONDS)
    if first_text_ms is not None:
        metrics.first_text_seconds.observe(first_text_ms / MILLISECONDS)
    metrics.tokens.labels("input", answer.model).inc(answer.usage.input_tokens)
    metrics.tokens.labels("output", answer.model).inc(answer.usage.output_tokens)
    metrics.dropped_citations.inc(grounding.dropped_citations)
    metrics.disagreements.inc(grounding.disagreements)
    metrics.sentences.labels("supported").inc(grounding.sentences - grounding.withheld)
    metrics.sentences.labels("unsupported").inc(grounding.withheld)
