"""What providers have been seen to do, and what each of it must end in."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from tests.fakes.completions import Flavour, Json, Reply, piece

WELL = "A stilling well is a vertical pipe with a small opening that filters out waves [1]."
FLOAT = "Its float follows the mean level [1]."
HALF = " A harbour's gauge is of"
QUERY, OTHER = "stilling well", "spring tides"
ARGUMENTS, OTHERS = json.dumps({"query": QUERY}), json.dumps({"query": OTHER})
BOTH = ("openai", "gemini")
Says = Reply | Callable[[Json], Reply]


class End(NamedTuple):
    status: Literal["answered", "refused", "failed"]
    detail: str = ""
    """The answer; the reason of a refusal; words of an error."""
    requests: int = 1
    """That the provider has seen."""
    searches: tuple[str, ...] | None = None
    """By the model; None where it is of no matter."""
    cut: str | None = None
    retry_after: str | None = None


class Quirk(NamedTuple):
    replies: Sequence[Says]
    end: End
    retrieval: Sequence[str] = ("first",)
    flavours: Sequence[Flavour] = BOTH
    settings: Mapping[str, Any] = {}
    only: Literal["stream"] | None = None
    """There is nothing like it in a reply that is no stream."""


def call(arguments: str | None = ARGUMENTS, *, name: str | None = "search_book", **fields: Any) -> Json:
    function: Json = {"arguments": arguments} | ({"name": name} if name else {})
    return {"type": "function", "function": function, **fields}


def calls(*parts: Json, reason: str | None = "tool_calls", **delta: Any) -> Reply:
    """Each in a chunk of its own."""
    return Reply.pieces(
        piece({"role": "assistant", **delta}), *(piece({"tool_calls": [each]}) for each in parts), piece({}, reason)
    )


def says(*texts: str, reason: str | None = "stop", **rest: Any) -> Reply:
    return Reply.pieces(*(piece({"role": "assistant", "content": text}) for text in texts), piece({}, reason), **rest)


def searching(*queries: str) -> Reply:
    return Reply.tool_calls([("search_book", {"query": query}) for query in queries])


def unless_told(request: Json) -> Reply:
    """Searches for ever, but for a call that may not."""
    return ANSWER if request.get("tool_choice") == "none" else searching(QUERY)


def error(status: int, message: str = "no") -> Json:
    return {"error": {"message": message, "code": status}}


def sse(*events: object) -> list[bytes]:
    return [f"data: {each if isinstance(each, str) else json.dumps(each)}\n\n".encode() for each in events]


ANSWER = Reply.text(WELL)
FOUND = End("answered", WELL, 2, (QUERY,))
TOLD = End("answered", WELL)
AGAIN = End("answered", WELL, 2)
MENDED = End("answered", WELL, 3, (QUERY,))
EMPTY = End("refused", "empty_answer")
AGENTIC: Any = {"retrieval": ("agentic",)}
EVERYWHERE: Any = {"retrieval": ("first", "agentic")}
GEMINI: Any = {"flavours": ("gemini",)}
STREAM: Any = {"only": "stream"}
TEXT = piece({"role": "assistant", "content": WELL})
STOP = piece({}, "stop")
BEGUN = sse(piece({"role": "assistant", "content": "A stilling "}))
HARBOUR = Reply.raw(sse(TEXT, piece({"content": f" {FLOAT} "})))
LONG = {"retry-after": "60"}
DELAY = [{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": [{"retryDelay": "41s"}]}}]
INVALID_KEY = [{"error": {"code": 400, "status": "INVALID_ARGUMENT", "details": [{"reason": "API_KEY_INVALID"}]}}]

REPAIRED = {
    "arguments {}, then the whole": Quirk(
        [calls(call("{}", index=0, id="a"), call(index=0, name=None)), ANSWER], FOUND, **EVERYWHERE
    ),
    "arguments {}, then the whole with its id again": Quirk(
        [calls(call("{}", index=0, id="a"), call(index=0, id="a")), ANSWER], FOUND, **AGENTIC
    ),
    "arguments {}, then the whole without an id": Quirk(
        [calls(call("{}", index=0), call(index=0)), ANSWER], FOUND, **AGENTIC
    ),
    "two objects in one call's arguments": Quirk(
        [calls(call(ARGUMENTS + OTHERS, index=0, id="a")), ANSWER], FOUND._replace(searches=(QUERY, OTHER)), **AGENTIC
    ),
    "two calls on one index": Quirk(
        [calls(call(index=0, id="a"), call(OTHERS, index=0, id="b")), ANSWER],
        FOUND._replace(searches=(QUERY, OTHER)),
        **EVERYWHERE,
    ),
    "two calls on one index without ids": Quirk(
        [calls(call(index=0, id=""), call(OTHERS, index=0, id="")), ANSWER],
        FOUND._replace(searches=(QUERY, OTHER)),
        **AGENTIC,
    ),
    "two calls with one id": Quirk(
        [calls(call(index=0, id="a"), call("{}", name="lookup_history", index=1, id="a")), ANSWER], FOUND, **AGENTIC
    ),
    "no index": Quirk([calls(call(id="a")), ANSWER], FOUND, **AGENTIC),
    "no index, in fragments": Quirk(
        [calls(call(ARGUMENTS[:5], id="a"), call(ARGUMENTS[5:], name=None)), ANSWER], FOUND, **AGENTIC
    ),
    "an empty id": Quirk([calls(call(index=0, id="")), ANSWER], FOUND, **EVERYWHERE),
    "no id": Quirk([calls(call(index=0)), ANSWER], FOUND, **AGENTIC),
    "parsed arguments": Quirk([calls(call({"query": QUERY}, index=0, id="a")), ANSWER], FOUND, **AGENTIC),  # type: ignore[arg-type]
    "calls without a finish reason": Quirk([calls(call(index=0, id="a"), reason=None), ANSWER], FOUND, **AGENTIC),
    "calls and finish_reason stop": Quirk([calls(call(index=0, id="a"), reason="stop"), ANSWER], FOUND, **EVERYWHERE),
    "prose before a call": Quirk(
        [calls(call(index=0, id="a"), content="Let me look that up."), ANSWER], FOUND, **EVERYWHERE
    ),
    "a text without a finish reason": Quirk([says(WELL, reason=None)], TOLD),
    "empty content": Quirk([says("")], EMPTY, **EVERYWHERE),
    "nothing but an end": Quirk([Reply.pieces(STOP)], EMPTY),
    "reasoning": Quirk(
        [Reply.pieces(piece({"reasoning_content": "Lisbon?"}), piece({"reasoning": " Quandt."}), TEXT, STOP)], TOLD
    ),
    "no usage": Quirk([Reply.pieces(TEXT, STOP)], TOLD),
    "usage of nulls": Quirk(
        [Reply.pieces(TEXT, STOP, {"choices": [], "usage": {"prompt_tokens": None, "prompt_tokens_details": None}})],
        TOLD,
    ),
    "chunks without choices": Quirk(
        [Reply.pieces({}, {"choices": None}, {"choices": []}, piece(None), piece({"content": None}), TEXT, STOP)], TOLD
    ),
}
ENDED = {
    "a content filter after text": Quirk(
        [says(f"{WELL} {FLOAT}", HALF, reason="content_filter")],
        End("answered", f"{WELL} {FLOAT}", cut="content_filter"),
    ),
    "a content filter without text": Quirk(
        [Reply.pieces(piece({}, "content_filter"))], EMPTY._replace(cut="content_filter")
    ),
    "a filter in Gemini's words": Quirk(
        [says(WELL, HALF, reason="content_filter: PROHIBITED")], TOLD._replace(cut="content_filter"), **GEMINI
    ),
    "a filter in Gemini's words alone": Quirk(
        [says(WELL, HALF, reason="SAFETY")], TOLD._replace(cut="content_filter"), **GEMINI
    ),
    "a quota that is used up": Quirk(
        [Reply.error(429, {"error": {"message": "no", "code": "insufficient_quota"}})],
        End("failed", "too many requests"),
        ("first",),
        ("openai",),
    ),
    "a refusal": Quirk([Reply.pieces(piece({"refusal": "I cannot help with Lisbon."}), STOP)], EMPTY),
    "the limit of tokens": Quirk([says(WELL, HALF, reason="length")], TOLD._replace(cut="length")),
    "the limit of tokens at a full stop": Quirk([says(WELL, reason="length")], TOLD._replace(cut="length")),
    "the limit of tokens in the first sentence": Quirk([says(HALF, reason="length")], EMPTY._replace(cut="length")),
    "the limit of tokens in a call": Quirk(
        [calls(call(ARGUMENTS[:12], index=0, id="a"), reason="length"), searching(QUERY), ANSWER], MENDED, **AGENTIC
    ),
    "the limit of tokens in a call, as a 500": Quirk([Reply.error(500), searching(QUERY), ANSWER], MENDED, **AGENTIC),
    "the limit of tokens before anything": Quirk([Reply.pieces(piece({}, "length"))], End("failed", "cannot be used")),
}
CALLED = {
    "an unknown tool": Quirk([Reply.tool_calls([("web_search", {"q": "?"})]), ANSWER], AGAIN),
    "an unknown tool, then a search": Quirk(
        [Reply.tool_calls([("web_search", {"q": "?"})]), searching(QUERY), ANSWER], MENDED, **AGENTIC
    ),
    "arguments that are not JSON": Quirk(
        [calls(call("query: wells", index=0, id="a")), searching(QUERY), ANSWER], MENDED, **AGENTIC
    ),
    "arguments that are a list": Quirk(
        [calls(call('["wells"]', index=0, id="a")), searching(QUERY), ANSWER], MENDED, **AGENTIC
    ),
    "arguments with unknown fields": Quirk(
        [Reply.tool_calls([("search_book", {"query": QUERY, "language": "en"})]), ANSWER], FOUND, **AGENTIC
    ),
    "arguments of a wrong type": Quirk(
        [Reply.tool_calls([("search_book", {"query": ["wells"]})]), searching(QUERY), ANSWER], MENDED, **AGENTIC
    ),
    "arguments without the required one": Quirk(
        [Reply.tool_calls([("search_book", {"section": None})]), searching(QUERY), ANSWER], MENDED, **AGENTIC
    ),
    "an endless loop": Quirk([unless_told] * 6, End("answered", WELL, 6, (QUERY,) * 5), **EVERYWHERE),
    "an endless loop of a model that does not obey": Quirk(
        [searching(QUERY)] * 6, End("failed", "kept calling tools", 6), **EVERYWHERE
    ),
    "eleven searches at once": Quirk(
        [searching(*[QUERY] * 11), ANSWER], End("answered", WELL, 2, (QUERY,) * 5), **AGENTIC
    ),
    "eleven searches one after another": Quirk(
        [*[searching(QUERY)] * 11, ANSWER],
        End("answered", WELL, 12, (QUERY,) * 5),
        settings={"model_max_calls": 13},
        **AGENTIC,
    ),
}
FAILED = {
    "400 for a keyword of the schema": Quirk(
        [Reply.error(400, error(400, "Unknown name 'default'"))], End("failed", "refused the request"), **AGENTIC
    ),
    "400 for the key": Quirk([Reply.error(400, INVALID_KEY)], End("failed", "refused the API key"), **GEMINI),
    "401": Quirk([Reply.error(401)], End("failed", "refused the API key")),
    "403": Quirk([Reply.error(403)], End("failed", "refused the API key")),
    "404": Quirk([Reply.error(404)], End("failed", "MODEL_NAME")),
    "408": Quirk([Reply.error(408), ANSWER], AGAIN),
    "409": Quirk([Reply.error(409), ANSWER], AGAIN),
    "429": Quirk([Reply.error(429), ANSWER], AGAIN),
    "429 for ever": Quirk([Reply.error(429)] * 3, End("failed", "too many requests", 3, retry_after="5")),
    "429 with a short Retry-After": Quirk([Reply.error(429, headers={"retry-after": "0.05"}), ANSWER], AGAIN),
    "429 with a long Retry-After": Quirk(
        [Reply.error(429, headers=LONG), ANSWER], End("failed", "too many requests", retry_after="60")
    ),
    "429 with a delay in its body": Quirk(
        [Reply.error(429, DELAY), ANSWER], End("failed", "too many requests", retry_after="41"), **GEMINI
    ),
    "500": Quirk([Reply.error(500), ANSWER], AGAIN),
    "503": Quirk([Reply.error(503), Reply.error(503, "<html>"), ANSWER], End("answered", WELL, 3)),
    "503 for ever": Quirk([Reply.error(503)] * 3, End("failed", "not available", 3, retry_after="5")),
    "503 with a long Retry-After": Quirk(
        [Reply.error(503, headers=LONG), ANSWER], End("failed", "not available", retry_after="60")
    ),
    "a late first byte": Quirk([ANSWER.paced(first_byte_s=30), ANSWER], AGAIN),
    "a page in place of a reply": Quirk([Reply.json("<html>Gateway</html>"), ANSWER], AGAIN),
    "bytes that are no reply": Quirk([Reply.raw([b"\x00\xff\xfe{{{\n\n"]), ANSWER], AGAIN),
    "an error in a 200": Quirk([Reply.json(error(503)), ANSWER], AGAIN),
    "an error in a call's stream": Quirk(
        [Reply.pieces(piece({"tool_calls": [call("{", index=0, id="a")]}), error(500)), searching(QUERY), ANSWER],
        MENDED,
        **AGENTIC,
        **STREAM,
    ),
    "an error in a stream before any text": Quirk([Reply.raw(sse(error(503))), ANSWER], AGAIN, **STREAM),
    "an error of ours in a stream": Quirk([Reply.raw(sse(error(400)))], End("failed", "refused the request"), **STREAM),
    "a list of errors in a stream": Quirk([Reply.raw(sse([error(503)])), ANSWER], AGAIN, **GEMINI, **STREAM),
    "an error in a stream after text": Quirk(
        [Reply.raw([*BEGUN, *sse(error(503))])], End("failed", "not available"), **STREAM
    ),
    "garbage before any text": Quirk([Reply.raw([b"data: \xff\xfe{{{\n\n"]), ANSWER], AGAIN, **STREAM),
    "garbage after text": Quirk([Reply.raw([*BEGUN, b"data: {{{\n\n"])], End("failed", "cannot be read"), **STREAM),
    "a stall after text": Quirk(
        [Reply.raw([*BEGUN, b": \n\n"]).paced(chunk_s=30)], End("failed", "not available"), **STREAM
    ),
    "cut off before any text": Quirk([ANSWER.paced(cut_after=1), ANSWER], AGAIN, ("first",), ("openai",)),
    "cut off before anything": Quirk([Reply.raw([b": \n\n"]).paced(cut_after=1), ANSWER], AGAIN, **STREAM),
    "cut off in a call": Quirk(
        [
            Reply.raw(sse(piece({"tool_calls": [call("{", index=0, id="a")]}))).paced(cut_after=1),
            searching(QUERY),
            ANSWER,
        ],
        MENDED,
        **AGENTIC,
        **STREAM,
    ),
    "cut off in the first sentence": Quirk([ANSWER.paced(cut_after=4)], End("failed", "not available"), **STREAM),
    "cut off after the first sentence": Quirk([HARBOUR.paced(cut_after=2)], End("failed", "not available"), **STREAM),
    "an end that is none": Quirk([Reply.raw(sse(TEXT))], End("failed", "not available"), **STREAM),
    "an end that is none, before any text": Quirk([Reply.raw([b": \n\n"]), ANSWER], AGAIN, **STREAM),
    "cut off after the end": Quirk([Reply.raw(sse(TEXT, "[DONE]")).paced(cut_after=2)], TOLD, **STREAM),
    "cut off after the finish reason": Quirk([Reply.raw(sse(TEXT, STOP)).paced(cut_after=2)], TOLD, **STREAM),
}
QUIRKS: dict[str, Quirk] = REPAIRED | ENDED | CALLED | FAILED
