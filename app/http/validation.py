"""Every bad field of a request body, where the framework names only the first."""

import re
from collections.abc import Iterator
from typing import Any, get_type_hints

import msgspec
from litestar import Request
from litestar.exceptions import InternalServerException

from app.errors import ClientGoneError, InvalidRequestError
from app.plain_words import in_plain_words

HALF_A_PAIR = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])")
ENDS_EARLY = "Input data was truncated"
"""How msgspec words it, also of half a surrogate pair at the end of a text."""


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
        errors = {"body": _undecodable(body, error) if body else "is empty"}
    if errors:
        raise InvalidRequestError(errors)


def _undecodable(body: bytes, error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "is not JSON that can be read: it is nested too deeply"
    if isinstance(error, UnicodeError):
        return "is not JSON: it is not UTF-8"
    if isinstance(error, msgspec.ValidationError):
        return "has a number that is too large"
    if HALF_A_PAIR.search(body):
        return "is not JSON: a text has the first half of a surrogate pair without the second"
    if str(error) == ENDS_EARLY:
        return "is not JSON: it ends too early"
    return f"is not JSON: {str(error).removeprefix('JSON is malformed: ')}"


def _body_errors(body: bytes, kind: type[msgspec.Struct]) -> dict[str, str]:
    try:
        msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError:
        return field_errors(msgspec.json.decode(body), kind)
    return {}


def field_errors(value: Any, kind: type[msgspec.Struct]) -> dict[str, str]:
    """Field path -> what is wrong with it."""
    return dict(_struct_errors(value, kind, "") if isinstance(value, dict) else _not_an_object("body"))


def _not_an_object(path: str) -> Iterator[tuple[str, str]]:
    yield path, "must be an object"


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
        yield from (_struct_errors(value, hint, f"{path}.") if isinstance(value, dict) else _not_an_object(path))
        return
    try:
        msgspec.convert(value, hint)
    except msgspec.ValidationError as error:
        yield path, in_plain_words(str(error))
