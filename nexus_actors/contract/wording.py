"""What a refusal says: our words, with the path of the field in front, once.

pydantic's own sentences speak of Python, and change with its versions. None is shown.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, LiteralString

from pydantic_core import ErrorDetails, PydanticCustomError

_OURS: Final = "expected"
"""The type of the errors that validators of ours raise."""
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
"""By pydantic's types of errors."""


def wanted(expected: LiteralString) -> PydanticCustomError:
    """What a validator of ours raises. No brace may be in it: pydantic would fill it in."""
    return PydanticCustomError(_OURS, expected)


def expected(error: ErrorDetails) -> str:
    """What was expected where pydantic found a fault."""
    if error["type"] == _OURS:
        return error["msg"]
    words = _EXPECTED.get(error["type"])
    return "another value" if words is None else words(error.get("ctx", {}))


def with_path(path: str | None, message: str) -> str:
    """The message as it is told, with the field it is about in front, and only once."""
    if path is None or message == path or message.startswith(f"{path}: "):
        return message
    return f"{path}: {message}"
