"""What holds for every tool: a schema that each provider takes."""

from collections.abc import Iterator
from typing import Any

import pytest
from agents import FunctionTool

from tools.lookup_history import lookup_history
from tools.search_book import search_book

TOOLS = [search_book, lookup_history]
KEYWORDS = {"type", "properties", "required", "additionalProperties", "description", "title", "anyOf"}
"""That the strict mode of OpenAI and the schemas of Gemini both have."""


def keys_of(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from schema
        schema = list(schema.values())
    if isinstance(schema, list):
        for part in schema:
            yield from keys_of(part)


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_the_schema_is_strict(tool: FunctionTool):
    schema = tool.params_json_schema
    assert tool.strict_json_schema
    assert set(schema["required"]) == set(schema["properties"])
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_every_argument_is_one_value_or_null(tool: FunctionTool):
    """No objects or lists, and nothing to look up elsewhere: what each provider's strict mode takes."""
    for argument in tool.params_json_schema["properties"].values():
        kinds = [each["type"] for each in argument.get("anyOf", [argument])]
        assert set(kinds) <= {"string", "integer", "boolean", "null"}
    assert not {"$ref", "$defs", "allOf", "oneOf"} & set(keys_of(tool.params_json_schema))


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_the_schema_has_no_keyword_that_a_provider_refuses(tool: FunctionTool):
    """Such as `default`, `examples`, `format` or `$ref`."""
    arguments = set(tool.params_json_schema["properties"])
    assert set(keys_of(tool.params_json_schema)) - arguments <= KEYWORDS


def test_a_search_needs_a_query_and_may_have_the_rest_null():
    arguments = search_book.params_json_schema["properties"]
    may_be_null = {name for name, argument in arguments.items() if {"type": "null"} in argument.get("anyOf", [])}
    assert (set(arguments), may_be_null) == ({"query", "section", "source", "page"}, {"section", "source", "page"})


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_the_schema_has_no_default(tool: FunctionTool):
    assert "default" not in set(keys_of(tool.params_json_schema))


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_the_model_is_told_what_the_tool_and_its_arguments_are_for(tool: FunctionTool):
    assert tool.description
    assert all(argument["description"] for argument in tool.params_json_schema["properties"].values())


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_the_model_is_not_told_of_the_context(tool: FunctionTool):
    assert "context" not in tool.params_json_schema["properties"]
