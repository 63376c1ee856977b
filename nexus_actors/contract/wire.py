"""A request's fields on the wire as pydantic checks them; the conversation is `messages.py`'s.

Errors say what was expected, never what was found: that may be a prompt or a secret.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self, cast

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticCustomError

from nexus_actors.contract.request import ApiVersion, ReasoningEffort

MAX_ID_LENGTH: Final = 255
_MAX_TOKENS: Final = 2**31 - 1
_MAX_TIMEOUT_MS: Final = 7 * 24 * 3600 * 1000

_Name = Annotated[str, StringConstraints(min_length=1, max_length=2000)]


def _whole(value: Any) -> Any:
    """4000.0 is 4000: JSON has one kind of number, and some encoders write the fraction."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _tool_choice(value: Any) -> str | dict[str, Any] | None:
    """Not a union: pydantic would put the names of its members into the path of the fault."""
    if value is None or isinstance(value, dict) or value in ("auto", "none", "required"):
        return cast("str | dict[str, Any] | None", value)
    raise PydanticCustomError("tool_choice", "expected auto, none, required or an object")


class McpServer(BaseModel):
    """One item of `mcp_servers`. Further keys are passed on."""

    model_config = ConfigDict(extra="allow", strict=True)

    server_label: _Name
    server_url: _Name
    allowed_tools: list[str] | None = None


class ResponseFormat(BaseModel):
    """`response_format`, or the Responses API's `text.format`. Further keys are passed on."""

    model_config = ConfigDict(extra="allow", strict=True)

    type: Literal["text", "json_object", "json_schema"]
    json_schema: dict[str, Any] | None = None
    """The chat API's form."""
    schema_: Annotated[dict[str, Any] | None, Field(alias="schema")] = None
    """The Responses API's form."""

    @model_validator(mode="after")
    def _check_schema(self) -> Self:
        schema = self.schema_ if self.json_schema is None else self.json_schema.get("schema")
        if self.type == "json_schema" and not isinstance(schema, Mapping):
            raise ValueError("expected a schema")
        return self


class Reasoning(BaseModel):
    """The Responses API's `reasoning`."""

    model_config = ConfigDict(extra="ignore", strict=True)

    effort: ReasoningEffort | None = None


class TextOptions(BaseModel):
    """The Responses API's `text`."""

    model_config = ConfigDict(extra="ignore", strict=True)

    format: ResponseFormat | None = None


class WireRequest(BaseModel):
    """All fields but `complexity`, `messages` and `input`. Unknown ones are ignored."""

    model_config = ConfigDict(extra="ignore", strict=True)

    request_id: Annotated[str, StringConstraints(min_length=1, max_length=MAX_ID_LENGTH)]
    agent_id: str | None = None
    task_type: str | None = None
    model: str = "auto"
    provider: str = "auto"
    api_version: ApiVersion = "responses"
    max_tokens: Annotated[int | None, Field(ge=1, le=_MAX_TOKENS), BeforeValidator(_whole)] = None
    temperature: Annotated[float | None, Field(ge=0)] = None
    stream: bool = False
    capabilities: Annotated[list[str], BeforeValidator(_one_or_many)] = []
    previous_response_id: _Name | None = None
    mcp_servers: list[McpServer] = []
    store: bool | None = None
    tools: list[dict[str, Any]] = []
    tool_choice: Annotated[str | dict[str, Any] | None, PlainValidator(_tool_choice)] = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    text: TextOptions | None = None
    reasoning_effort: ReasoningEffort | None = None
    reasoning: Reasoning | None = None
    top_p: Annotated[float | None, Field(ge=0, le=1)] = None
    stop: Annotated[list[_Name], BeforeValidator(_one_or_many), Field(max_length=16)] = []
    seed: Annotated[int | None, Field(ge=-(2**63), lt=2**63), BeforeValidator(_whole)] = None
    instructions: str | None = None
    """The Responses API's: a system message before all others."""
    timeout: Annotated[float | None, Field(gt=0, le=_MAX_TIMEOUT_MS)] = None
    """Milliseconds."""
