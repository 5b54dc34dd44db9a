"""msgspec's findings, as they are told to operators and clients."""

from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import pytest
from msgspec import Meta

from app.plain_words import in_plain_words


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    size: Annotated[int, Meta(ge=1)] = 1
    name: str | None = None


class Outer(msgspec.Struct):
    inner: Inner


@pytest.mark.parametrize(
    ("value", "kind", "words"),
    [
        ("x", float, "must be a number"),
        ("x", int, "must be a whole number"),
        ("x", bool, "must be true or false"),
        (1, str, "must be a text"),
        (1, str | None, "must be a text or null"),
        ("x", UUID, "must be a UUID"),
        (61, Annotated[float, Meta(gt=0, le=60)], "must be at most 60"),
        (0, Annotated[float, Meta(gt=0, le=60)], "must be more than 0"),
        ("", Annotated[str, Meta(min_length=1)], "must have at least 1 character"),
        ("abc", Annotated[str, Meta(max_length=2)], "must have at most 2 characters"),
        ("a b", Annotated[str, Meta(pattern=r"^[\w.'-]{1,9}$")], r"must match ^[\w.'-]{1,9}$"),
        (" ", Annotated[str, Meta(pattern=r"\S")], "must not be blank"),
        ({}, Outer, "`inner` is missing"),
        ({"inner": 3}, Outer, "inner: must be an object"),
        ({"inner": {"size": 0}}, Outer, "inner.size: must be at least 1"),
        ({"inner": {"colour": 0}}, Outer, "inner: `colour` is not known here"),
        ("c", Literal["a", "b"], "Invalid enum value 'c'"),
    ],
    ids=str,
)
def test_what_is_wrong_is_told_without_python(value: Any, kind: Any, words: str):
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(value, kind)
    assert in_plain_words(str(caught.value)) == words
