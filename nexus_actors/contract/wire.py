"""The fields of a request on the wire, validated by pydantic. `messages.py` checks the
conversation.

If APIs have several names for one thing, all of them are accepted, and `spellings.py` unifies them.
Errors say what was expected, never what was found, which may be a prompt or a secret.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self, TypeVar, cast

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    FailFast,
    Field,
    PlainValidator,
    StringConstraints,
    model_validator,
)

from nexus_actors.contract.request import (
    ApiVersion,
    ReasoningEffort,
    ReasoningSummary,
    Verbosity,
)
from nexus_actors.contract.wording import wanted

MAX_ID_LENGTH: Final = 255
MAX_TOKENS: Final = 2**31 - 1
MAX_TIMEOUT_MS: Final = 7 * 24 * 3600 * 1000

_Name = Annotated[str, StringConstraints(min_length=1, max_length=2000)]
_Word = Annotated[str, StringConstraints(min_length=1, max_length=64)]
_T = TypeVar("_T")
_List = Annotated[list[_T] | None, FailFast()]
"""Stops at the first fault, since only that is reported, and each error takes 300 times its
text."""


def _whole(value: Any) -> Any:
    """Accept 4000.0 as 4000: JSON has one type of number, and some encoders write the fraction."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _nothing(value: Any) -> Any:
    return None if value == "" else value


def _tool_choice(value: Any) -> str | dict[str, Any] | None:
    """Not a union type: pydantic would add its members' names to the path of an error."""
    if value is None or isinstance(value, dict) or value in ("auto", "none", "required"):
        return cast("str | dict[str, Any] | None", value)
    raise wanted("auto, none, required or an object")


def _function_call(value: Any) -> str | dict[str, Any] | None:
    match value:
        case None | "auto" | "none" | {"name": str()}:
            return cast("str | dict[str, Any] | None", value)
        case _:
            raise wanted("auto, none or a function's name")


def _one_answer(value: Any) -> int | None:
    if value is None or (value == 1 and not isinstance(value, bool)):
        return None
    raise wanted("1: a request has one answer")


_Limit = Annotated[int | None, Field(ge=1, le=MAX_TOKENS), BeforeValidator(_whole)]
_Answers = Annotated[int | None, PlainValidator(_one_answer)]
_Texts = Annotated[_List[_Name], BeforeValidator(_one_or_many), Field(max_length=16)]


class McpServer(BaseModel):
    """One item of `mcp_servers`. Further keys are passed on."""

    model_config = ConfigDict(extra="allow", strict=True)

    server_label: _Name
    server_url: _Name
    allowed_tools: _List[str] = None


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
            raise wanted("a schema")
        return self


class Reasoning(BaseModel):
    """The Responses API's `reasoning`. Further keys are reported."""

    model_config = ConfigDict(extra="allow", strict=True)

    effort: ReasoningEffort | None = None
    summary: ReasoningSummary | None = None
    generate_summary: ReasoningSummary | None = None
    """The older name of `summary`."""


class TextOptions(BaseModel):
    """The Responses API's `text`. Further keys are reported."""

    model_config = ConfigDict(extra="allow", strict=True)

    format: ResponseFormat | None = None
    verbosity: Verbosity | None = None


class OutputConfig(BaseModel):
    """Anthropic's `output_config`. Further keys are reported."""

    model_config = ConfigDict(extra="allow", strict=True)

    effort: ReasoningEffort | None = None
    format: ResponseFormat | None = None


class Thinking(BaseModel):
    """Anthropic's `thinking`. Further keys are passed on."""

    model_config = ConfigDict(extra="allow", strict=True)

    type: _Word
    budget_tokens: _Limit = None


class CacheControl(BaseModel):
    """Anthropic's `cache_control`. Further keys are passed on."""

    model_config = ConfigDict(extra="allow", strict=True)

    type: _Word


class WireRequest(BaseModel):
    """All fields but `complexity`, `messages`, `input` and `system`. Others are reported by name.

    Absent lists are None: pydantic would copy an empty one for each request.
    """

    model_config = ConfigDict(extra="ignore", strict=True)

    request_id: Annotated[str, StringConstraints(min_length=1, max_length=MAX_ID_LENGTH)]
    agent_id: str | None = None
    task_type: str | None = None
    model: str = "auto"
    provider: str = "auto"
    api_version: ApiVersion = "responses"
    max_tokens: _Limit = None
    max_output_tokens: _Limit = None
    max_completion_tokens: _Limit = None
    temperature: Annotated[float | None, Field(ge=0)] = None
    stream: bool = False
    capabilities: Annotated[_List[str], BeforeValidator(_one_or_many)] = None
    previous_response_id: _Name | None = None
    mcp_servers: _List[McpServer] = None
    store: bool | None = None
    tools: _List[dict[str, Any]] = None
    tool_choice: Annotated[str | dict[str, Any] | None, PlainValidator(_tool_choice)] = None
    parallel_tool_calls: bool | None = None
    functions: _List[dict[str, Any]] = None
    """The older name of `tools`; `function_call` is that of `tool_choice`."""
    function_call: Annotated[str | dict[str, Any] | None, PlainValidator(_function_call)] = None
    response_format: ResponseFormat | None = None
    text: TextOptions | None = None
    verbosity: Verbosity | None = None
    reasoning_effort: ReasoningEffort | None = None
    reasoning: Reasoning | None = None
    output_config: OutputConfig | None = None
    thinking: Thinking | None = None
    top_p: Annotated[float | None, Field(ge=0, le=1)] = None
    top_k: Annotated[int | None, Field(ge=0, le=MAX_TOKENS), BeforeValidator(_whole)] = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    stop: _Texts = None
    stop_sequences: _Texts = None
    seed: Annotated[int | None, Field(ge=-(2**63), lt=2**63), BeforeValidator(_whole)] = None
    n: _Answers = None
    candidate_count: _Answers = None
    include: Annotated[_List[_Name], BeforeValidator(_one_or_many), Field(max_length=64)] = None
    cache_control: CacheControl | None = None
    prompt_cache_key: Annotated[_Name | None, BeforeValidator(_nothing)] = None
    service_tier: Annotated[_Word | None, BeforeValidator(_nothing)] = None
    user: Annotated[_Name | None, BeforeValidator(_nothing)] = None
    safety_identifier: Annotated[_Name | None, BeforeValidator(_nothing)] = None
    """OpenAI's newer name of `user`."""
    metadata: dict[str, Any] | None = None
    instructions: str | None = None
    """The Responses API's system message, before all others."""
    timeout: Annotated[float | None, Field(gt=0, le=MAX_TIMEOUT_MS)] = None
    """Milliseconds."""


FIELDS: Final = frozenset(WireRequest.model_fields) | {
    "complexity",
    "messages",
    "input",
    "system",
}
"""All known fields of a request."""
