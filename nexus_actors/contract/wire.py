"""A request's fields on the wire as pydantic checks them; the conversation is `messages.py`'s.

Errors say what was expected, never what was found: that may be a prompt or a secret.
"""

from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from nexus_actors.contract.request import ApiVersion

MAX_ID_LENGTH: Final = 255
_MAX_TOKENS: Final = 2**31 - 1
_MAX_TIMEOUT_MS: Final = 7 * 24 * 3600 * 1000

_Name = Annotated[str, StringConstraints(min_length=1, max_length=2000)]


def _whole(value: Any) -> Any:
    """4000.0 is 4000: JSON has one kind of number, and some encoders write the fraction."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class McpServer(BaseModel):
    """One item of `mcp_servers`. Further keys are passed on."""

    model_config = ConfigDict(extra="allow", strict=True)

    server_label: _Name
    server_url: _Name
    allowed_tools: list[str] | None = None


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
    timeout: Annotated[float | None, Field(gt=0, le=_MAX_TIMEOUT_MS)] = None
    """Milliseconds."""
