"""Every bad field of a request body, where the framework names only the first."""

from collections.abc import Iterator
from typing import Any, get_type_hints

import msgspec
from litestar import Request
from litestar.exceptions import InternalServerException

from app.errors import ClientGoneError, InvalidRequestError

NOT_BLANK = r"regex '\\S'"
"""How msgspec words the pattern of a text that must not be blank."""


async def check_body(request: Request[Any, Any, Any]) -> None:
    """Raises InvalidRequestError before the handler sees the body."""
    field = request.route_handler.parsed_data_field
    if field is None:
        return
    try:
        body = await request.body()
    except InternalServerException as error:  # all that the framework says of a disconnect
        raise ClientGoneError from error
    try:
        errors = _body_errors(body, field.annotation)
    except (msgspec.DecodeError, UnicodeError, RecursionError, OverflowError) as error:
        errors = {"body": "is empty" if not body else f"is not JSON: {error}"}
    if errors:
        raise InvalidRequestError(errors)


def _body_errors(body: bytes, kind: type[msgspec.Struct]) -> dict[str, str]:
    try:
        msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError:
        return field_errors(msgspec.json.decode(body), kind)
    return {}


def field_errors(value: Any, kind: type[msgspec.Struct]) -> dict[str, str]:
    """Field path -> what is wrong with it."""
    return dict(_struct_errors(value, kind, "") if isinstance(value, dict) else _not_an_object(value, "body"))


def _not_an_object(value: Any, path: str) -> Iterator[tuple[str, str]]:
    yield path, f"Expected `object`, got `{_json_type(value)}`"


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
        yield from (_struct_errors(value, hint, f"{path}.") if isinstance(value, dict) else _not_an_object(value, path))
        return
    try:
        msgspec.convert(value, hint)
    except msgspec.ValidationError as error:
        yield path, "must not be blank" if NOT_BLANK in str(error) else str(error)


def _json_type(value: Any) -> str:
    return {list: "array", str: "str", int: "int", float: "float", bool: "bool"}.get(type(value), "null")
