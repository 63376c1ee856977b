"""The wording of refusals: our own, with the path of the field in front.

pydantic's messages are about Python and change between versions, so they are never shown.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, LiteralString

from pydantic_core import ErrorDetails, PydanticCustomError

_OURS: Final = "expected"
"""The type of errors raised by our own validators."""
_EXPECTED: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "missing": lambda _: "a value",
    "string_type": lambda _: "text",
    "string_too_short": lambda _: "text that is not empty",
    "string_too_long": lambda bound: f"text of at most {bound['max_length']:,} characters",
    "bool_type": lambda _: "true or false",
    "int_type": lambda _: "a whole number",
    "int_from_float": lambda _: "a whole number",
    "float_type": lambda _: "a number",
    "greater_than": lambda bound: f"a number greater than {bound['gt']:,}",
    "greater_than_equal": lambda bound: f"a number of at least {bound['ge']:,}",
    "less_than": lambda bound: f"a number less than {bound['lt']:,}",
    "less_than_equal": lambda bound: f"a number of at most {bound['le']:,}",
    "list_type": lambda _: "a list",
    "too_long": lambda bound: f"at most {bound['max_length']:,} items",
    "dict_type": lambda _: "an object",
    "model_type": lambda _: "an object",
    "literal_error": lambda bound: str(bound["expected"]).replace("'", ""),
}
"""What was expected, by pydantic's error type."""


def wanted(expected: LiteralString) -> PydanticCustomError:
    """The error that our own validators raise. It must not contain braces, which pydantic
    formats."""
    return PydanticCustomError(_OURS, expected)


def expected(error: ErrorDetails) -> str:
    """What was expected at the place of a pydantic error."""
    if error["type"] == _OURS:
        return error["msg"]
    words = _EXPECTED.get(error["type"])
    return "another value" if words is None else words(error.get("ctx", {}))


def with_path(path: str | None, message: str) -> str:
    """The message with its field in front, unless it begins with that already."""
    if path is None or message == path or message.startswith(f"{path}: "):
        return message
    return f"{path}: {message}"
