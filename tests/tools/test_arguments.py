"""What a model is told of a call with wrong arguments."""

import pytest
from agents import FunctionTool, ModelBehaviorError
from agents.tool_context import ToolContext

from tests.fakes.sources import exchange, passage, turn_context
from tools import arguments
from tools.lookup_history import lookup_history
from tools.search_book import search_book


def sentence(tool: FunctionTool, problem: str) -> str:
    return f"{tool.name} was not run, because {problem}; call it again with the right arguments."


@pytest.mark.parametrize(
    ("tool", "given", "problem"),
    [
        (search_book, "tides", "its arguments are not JSON"),
        (search_book, '{"query": "ti', "its arguments are not JSON"),
        (search_book, '["tides"]', "its arguments are not a JSON object"),
        (search_book, "7", "its arguments are not a JSON object"),
        (search_book, "{}", "`query` is missing"),
        (search_book, "", "`query` is missing"),
        (search_book, '{"section": null}', "`query` is missing"),
        (search_book, '{"query": null}', "`query` is of the type null and not string"),
        (search_book, '{"query": ["tides"]}', "`query` is of the type array and not string"),
        (search_book, '{"query": {"text": "tides"}}', "`query` is of the type object and not string"),
        (search_book, '{"query": "tides", "page": 7}', "`page` is of the type integer and not string or null"),
        (lookup_history, '{"limit": "many"}', "`limit` is of the type string and not integer or null"),
        (lookup_history, '{"limit": 2.5}', "`limit` is of the type number and not integer or null"),
    ],
)
async def test_the_model_is_told_what_is_wrong_and_nothing_is_searched(shown, tool, given, problem):
    context = turn_context([passage()], exchanges=[exchange("Why?", "The Moon.")])
    assert await shown(tool, context, given) == [sentence(tool, problem)]
    assert (context.calls, context.book.searches, context.history.lookups) == ({}, [], [])


async def test_unknown_fields_are_passed_over(shown):
    context = turn_context([passage()])
    await shown(search_book, context, {"query": "tides", "language": "en", "k": 3})
    assert context.book.searches == [("tides", None)]


async def test_what_can_be_read_as_the_right_type_is(shown):
    context = turn_context(exchanges=[exchange("Why?", "The Moon.")])
    await shown(lookup_history, context, {"limit": "3"})
    assert context.history.lookups == [(None, 3)]


def test_what_fits_the_schema_and_is_refused_all_the_same_is_told_too():
    context = ToolContext(None, tool_name="search_book", tool_call_id="a", tool_arguments='{"query": "tides"}')
    told = arguments.told(search_book, context, ModelBehaviorError("no"))
    assert told == sentence(search_book, "its arguments do not fit")


def test_another_error_is_not_told():
    context = ToolContext(None, tool_name="search_book", tool_call_id="a", tool_arguments="{}")
    with pytest.raises(KeyError):
        arguments.told(search_book, context, KeyError("x"))
