"""What a reply is made of once it is repaired. What becomes of it: tests/http/test_model_quirks.py."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.chat.chunk_repair import ChunkRepair, objects_in
from app.chat.wire import Chunk, read_chunk
from tests.fakes.completions import piece
from tests.fakes.quirks import ARGUMENTS, OTHERS, call

Calls = list[tuple[str, str]]


def repaired(*parts: object) -> list[Chunk]:
    """The chunks that are given on, and the last one."""
    repair = ChunkRepair()
    fed = [repair.feed(read_chunk(json.dumps(part).encode())) for part in parts]
    return [*(chunk for chunk in fed if chunk), repair.finish()]


def calls_of(*parts: object) -> Calls:
    (choice,) = repaired(*(piece({"tool_calls": [part]}) for part in parts))[-1].choices
    found = choice.delta.tool_calls or []
    assert [each.index for each in found] == list(range(len(found)))
    assert all(each.id for each in found)
    assert len({each.id for each in found}) == len(found)
    return [(each.function.name, each.function.arguments) for each in found]


A = ("search_book", ARGUMENTS)
B = ("search_book", OTHERS)
LOOK = ("lookup_history", "{}")


@pytest.mark.parametrize(
    ("parts", "calls"),
    [
        ([call(index=0, id="a")], [A]),
        ([call(ARGUMENTS[:4], index=0, id="a"), call(ARGUMENTS[4:], index=0, name=None)], [A]),
        ([call("", index=0, id="a"), call(index=0, id="a")], [A]),
        ([call("", index=0), call(None, index=0, name=None, id="a"), call(index=0, name=None)], [A]),
        ([call("", id="a"), call(name=None)], [A]),
        ([call(index=1, id="a"), call(OTHERS, index=0, id="b")], [A, B]),
        (
            [
                call("", index=0, id="a"),
                call("", index=1, id="b"),
                call(ARGUMENTS, index=0, name=None),
                call(OTHERS, index=1, name=None),
            ],
            [A, B],
        ),
        ([call(index=0, id="a"), call(OTHERS, index=0, id="b")], [A, B]),
        ([call(index=0, id="a"), call("", index=0, id="b"), call(OTHERS, index=0, name=None)], [A, B]),
        ([call(index=0), call(OTHERS, index=0)], [A, B]),
        ([call(), call(OTHERS)], [A, B]),
        ([call("", name="lookup_history", index=0), call(index=0)], [LOOK, A]),
        ([call(index=0, id="a"), call("{}", name="lookup_history", index=0, id="a")], [A, LOOK]),
        ([call("{}", index=0, id="a"), call(index=0, name=None)], [A]),
        ([call("{}", index=0), call(index=0)], [A]),
        ([call("{}{}", index=0, id="a", name="lookup_history")], [LOOK]),
        ([call("{}", index=0, id="a", name="lookup_history")], [LOOK]),
        ([call("", index=0, id="a", name="lookup_history")], [LOOK]),
        ([call(ARGUMENTS + " \n" + OTHERS, index=0, id="a")], [A, B]),
        ([call(ARGUMENTS + "{}" + ARGUMENTS, index=0, id="a")], [A]),
        ([call('{"query": "}{"}', index=0, id="a")], [("search_book", '{"query": "}{"}')]),
        ([call("{} and more", index=0, id="a")], [("search_book", "{} and more")]),
        ([call(ARGUMENTS[:9], index=0, id="a")], [("search_book", ARGUMENTS[:9])]),
        ([call(index=0, name=None)], []),
        ([{"index": 0, "id": "a"}, {}], []),
        ([call({"query": "stilling well"}, index=0, id="a")], [A]),
    ],
    ids=[
        "whole",
        "in fragments",
        "named again",
        "its id comes late",
        "without an index",
        "in another order",
        "two at once, in turns",
        "two on one index",
        "two on one index, in fragments",
        "two on one index without ids",
        "two without index or id",
        "another name after none",
        "another name with the same id",
        "empty, then whole",
        "empty, then whole with the name again",
        "empty twice",
        "empty",
        "without arguments",
        "two objects",
        "the same object twice",
        "braces in a string",
        "an object and words",
        "half",
        "without a name",
        "without a function",
        "parsed",
    ],
)
def test_tool_calls_come_whole_each_with_an_index_and_an_id_of_its_own(parts, calls):
    assert calls_of(*parts) == calls


def test_ids_and_signatures_are_kept_with_the_first_of_what_was_one_call():
    signed = call(ARGUMENTS + OTHERS, index=0, id="a", extra_content={"google": {"thought_signature": "s"}})
    (choice,) = repaired(piece({"tool_calls": [signed]}))[-1].choices
    first, second = choice.delta.tool_calls
    assert (first.id, first.extra_content) == ("a", {"google": {"thought_signature": "s"}})
    assert second.id.startswith("call_")
    assert second.extra_content is None


def test_text_goes_on_as_it_comes_and_calls_wait_for_the_end():
    told, calls, end = repaired(
        piece({"content": "A"}), piece({"tool_calls": [call(index=0, id="a")]}), {"choices": None}
    )
    assert told.choices[0].delta.content == "A"
    assert calls.choices[0].delta.tool_calls is None
    assert end.choices[0].finish_reason == "tool_calls"


@pytest.mark.parametrize(
    ("reason", "has_call", "repaired_to"),
    [
        (None, False, "stop"),
        (None, True, "tool_calls"),
        ("stop", True, "tool_calls"),
        ("stop", False, "stop"),
        ("tool_calls", True, "tool_calls"),
        ("length", True, "length"),
        ("content_filter", False, "content_filter"),
        ("content_filter: SAFETY", False, "content_filter"),
        ("PROHIBITED_CONTENT", False, "content_filter"),
        ("MAX_TOKENS", False, "length"),
        ("STOP", True, "tool_calls"),
    ],
)
def test_the_finish_reason_comes_last_and_fits_the_reply(reason, has_call, repaired_to):
    calls = [call(index=0, id="a")] if has_call else None
    *told, end = repaired(piece({"content": "A", "tool_calls": calls}), piece({}, reason))
    assert [choice.finish_reason for chunk in told for choice in chunk.choices] == [None, None]
    assert end.choices[0].finish_reason == repaired_to


def test_it_is_known_whether_the_provider_gave_a_finish_reason():
    repair = ChunkRepair()
    repair.feed(read_chunk(json.dumps(piece({"content": "A"})).encode()))
    assert repair.finish_reason is None
    repair.feed(read_chunk(json.dumps(piece(None, "stop")).encode()))
    assert repair.finish_reason == "stop"


@pytest.mark.parametrize(
    "part",
    [
        {},
        {"choices": None},
        {"choices": []},
        piece(None),
        {"choices": [{}]},
        {"choices": [{"index": 1, "delta": {"content": "B"}}]},
    ],
    ids=str,
)
def test_a_chunk_that_says_nothing_is_left_out(part):
    assert len(repaired(part)) == 1


def test_usage_is_given_on_whatever_comes_with_it():
    (usage, _) = repaired({"choices": None, "usage": {"prompt_tokens": 3, "completion_tokens_details": None}})
    assert (usage.usage.prompt_tokens, usage.choices) == (3, [])


@settings(deadline=None)
@given(st.lists(st.dictionaries(st.text(), st.text() | st.none() | st.lists(st.integers()))), st.text(" \n\t\r"))
def test_objects_are_found_as_they_are_written(values, space):
    written = [json.dumps(value) for value in values]
    assert objects_in(space.join(written)) == written


@settings(deadline=None)
@given(st.text('{}[]":,ab1 \\'))
def test_what_is_no_sequence_of_objects_has_none(text):
    found = objects_in(text)
    assert not found or "".join(found).replace(" ", "") == text.replace(" ", "")


@settings(deadline=None)
@given(st.lists(st.integers(1, 12)), st.booleans(), st.booleans())
def test_where_arguments_are_cut_is_no_matter(cuts, has_index, has_id):
    given_fields = ({"index": 0} if has_index else {}) | ({"id": "a"} if has_id else {})
    parts, rest = [call("", **given_fields)], ARGUMENTS
    for cut in [*cuts, len(ARGUMENTS)]:
        parts.append(call(rest[:cut], name=None, **given_fields))
        rest = rest[cut:]
    assert calls_of(*parts) == [A]
