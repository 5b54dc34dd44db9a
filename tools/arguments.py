"""What a model is told of a call whose arguments are wrong, so that it can make it again."""

import json
from collections.abc import Iterator
from typing import Any

from agents import FunctionTool, ModelBehaviorError, RunContextWrapper
from agents.tool_context import ToolContext

JSON_TYPES = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    list: "array",
    dict: "object",
    type(None): "null",
}


def told(tool: FunctionTool, context: RunContextWrapper[Any], error: Exception) -> str:
    """One sentence on the arguments of a call. Raises the error if they are not what is wrong."""
    if not (isinstance(error, ModelBehaviorError) and isinstance(context, ToolContext)):
        raise error
    problem = next(problems_of(tool.params_json_schema, context.tool_arguments), "its arguments do not fit")
    return f"{tool.name} was not run, because {problem}; call it again with the right arguments."


def problems_of(schema: dict[str, Any], arguments: str) -> Iterator[str]:
    """By a schema that is flat; fields that it does not name are no problem."""
    try:
        given = json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        yield "its arguments are not JSON"
        return
    if not isinstance(given, dict):
        yield "its arguments are not a JSON object"
        return
    for name, field in schema["properties"].items():
        kinds = [each["type"] for each in field.get("anyOf", [field])]
        if name not in given and "null" not in kinds:
            yield f"`{name}` is missing"
        elif name in given and (kind := JSON_TYPES[type(given[name])]) not in kinds:
            yield f"`{name}` is of the type {kind} and not {' or '.join(kinds)}"
