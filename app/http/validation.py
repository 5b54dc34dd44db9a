"""Every bad field of a request body, where the framework names only the first."""

from collections.abc import Iterator
from typing import Any, get_type_hints

import msgspec
from litestar import Request

from app.errors import InvalidRequestError

JSON_TYPES = {"application/json", ""}


async def check_body(request: Request[Any, Any, Any]) -> None:
    """Raises InvalidRequestError before the handler sees the body."""
    field = request.route_handler.parsed_data_field
    if field is None:
        return
    body = await request.body()
    try:
        msgspec.json.decode(body, type=field.annotation)
    except msgspec.ValidationError:
        raise InvalidRequestError(field_errors(msgspec.json.decode(body), field.annotation)) from None
    except msgspec.DecodeError as error:
        raise InvalidRequestError({"body": "is empty" if not body else f"is not JSON: {error}"}) from None


def field_errors(value: Any, kind: type[msgspec.Struct], path: str = "") -> dict[str, str]:
    """Field path -> what is wrong with it."""
    if not isinstance(value, dict):
        return {path or "body": f"Expected `object`, got `{_json_type(value)}`"}
    return dict(_struct_errors(value, kind, path))


def _struct_errors(value: dict[str, Any], kind: type[msgspec.Struct], path: str) -> Iterator[tuple[str, str]]:
    hints = get_type_hints(kind, include_extras=True)
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for name, field in fields.items():
        if name in value:
            yield from _value_errors(value[name], hints[field.name], f"{path}{name}")
        elif field.required:
            yield f"{path}{name}", "is missing"
    if kind.__struct_config__.forbid_unknown_fields:
        yield from ((f"{path}{name}", "is not a field of this request") for name in value.keys() - fields.keys())


def _value_errors(value: Any, hint: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        yield from field_errors(value, hint, f"{path}.").items()
        return
    try:
        msgspec.convert(value, hint)
    except msgspec.ValidationError as error:
        yield path, str(error)


def _json_type(value: Any) -> str:
    return {list: "array", str: "str", int: "int", float: "float", bool: "bool"}.get(type(value), "null")
