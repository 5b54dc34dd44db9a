"""Sentences of a book that speak to an assistant rather than to a reader: they prove nothing."""

import re

from app.grounding.spans import sentence_spans

ORDERS = re.compile(
    r"""
      \b(?:ignore|disregard|forget|override|bypass)\b [^.!?]{0,20}
        \b(?:previous|prior|above|earlier|preceding|all|any|your)\b [^.!?]{0,20}
        \b(?:instructions?|prompts?|rules|guidelines)\b
    | \b(?:system|initial|hidden|original|starting|developer)\ (?:prompt|instructions)\b | \bsystem\ message\b
    | \b(?:reveal|print|output|repeat|show|display|leak)\b [^.!?]{0,30}
        \b(?:your|the)\ (?:prompt|instructions|api\ keys?)\b
    | \byou\ are\ (?:now|no\ longer)\ an?\b [^.!?]{0,30} \b(?:assistant|ai|bot|chatbot|model|agent)\b
    | \bas\ an?\ (?:ai|language\ model)\b
    | \byour\s(?:(?:next|final|own|whole)\s)?(?:answer|reply|replies|response|responses)\b
    | \b(?:begin|start|end|finish|close|conclude|preface|prefix|in)\s(?:each|every|all|any)
        \s(?:answers?|repl(?:y|ies)|responses?)\b
    | \b(?:assistants?|chatbots?|models?|ai)\s(?:must|shall|should|has\ to|have\ to)\s(?:always\s|now\s)?
        (?:(?:answer|reply|respond)\s(?:to\s)?(?:every|each|all|any|with)\b|recommend\b|tell\s(?:the|every)\s(?:reader|user)s?\b)
    | \b(?:do\ not|don't|never|without)\ (?:cite|citing|use\ citations)\b
    | <\|?\s*/?\s*(?:system|user|assistant|im_start|im_end|inst)\b | \[/?INST\] | ^[ \t]*(?:system|assistant)[ \t]*:
    """,
    re.VERBOSE | re.IGNORECASE | re.MULTILINE,
)


def without_orders(text: str) -> str:
    """The text with such sentences blanked, so that offsets stay as they are."""
    if not ORDERS.search(text):
        return text
    kept, position = [], 0
    for start, end in sentence_spans(text):
        if ORDERS.search(text, start, end):
            kept += [text[position:start], " " * (end - start)]
            position = end
    return "".join((*kept, text[position:]))
