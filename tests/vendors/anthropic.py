"""Anthropic's side. https://platform.claude.com/docs/en/api/messages/create"""

import re
from collections.abc import Callable
from typing import Any, Final

from tests.http_server import Recorded, Reply
from tests.vendors.anthropic_answers import answered
from tests.vendors.anthropic_blocks import Body, Wrong, must, thinks_by_request
from tests.vendors.anthropic_messages import caching_rule, messages_rule, thoughts_rule
from tests.vendors.anthropic_models import ALL, Claude, claude
from tests.vendors.anthropic_schemas import wrong_schema

_FIELDS: Final = frozenset(
    [
        "model",
        "max_tokens",
        "messages",
        "system",
        "stop_sequences",
        "stream",
        "tools",
        "tool_choice",
        "thinking",
        "output_config",
        "metadata",
        "service_tier",
        "cache_control",
        "container",
        "inference_geo",
        "speed",
        "diagnostics",
        "user_profile_id",
    ]
)
_SAMPLERS: Final = ("temperature", "top_p", "top_k")
# -- fields


def _fields(body: Body, model: Claude, version: str) -> None:
    # .../docs/en/api/versioning: 2026-10-21 has no samplers.
    known = _FIELDS if version >= "2026-10-21" else _FIELDS | set(_SAMPLERS)
    for key in body:
        must(key in known, f"{key}: Extra inputs are not permitted")
    for key in ("model", "max_tokens", "messages"):
        must(key in body, f"{key}: Field required")
    most = body["max_tokens"]
    must(type(most) is int and most >= 1, "max_tokens: must be greater than or equal to 1")
    must(
        most <= model.most,
        f"max_tokens: {most} > {model.most}, which is the maximum allowed number of output tokens",
    )
    must(isinstance(body.get("stream", False), bool), "stream: Input should be a valid boolean")


def _samplers(body: Body, model: Claude, version: str) -> None:
    # .../docs/en/about-claude/models/migration-guide
    given = [name for name in _SAMPLERS if name in body]
    for name in given:
        must(model.samplers != "none", f"`{name}` is deprecated for this model.")
        must(body[name] <= 1 or name == "top_k", f"{name}: range: 0..1")
    both = model.samplers == "one" and {"temperature", "top_p"} <= set(given)
    must(not both, "`temperature` and `top_p` cannot both be specified for this model.")
    if thinks_by_request(body):
        must(not given, f"`{(given or ['temperature'])[0]}` may only be set to 1 when thinking")


def _thinking(body: Body, model: Claude, version: str) -> None:
    # .../docs/en/build-with-claude/thinking-troubleshooting, .../extended-thinking
    thinking = body.get("thinking")
    if thinking is None:
        return
    kind = thinking.get("type")
    must(
        kind in model.thinking,
        f'"thinking.type.{kind}" is not supported for this model.',
    )
    known = {
        "adaptive": {"type", "display"},
        "enabled": {"type", "display", "budget_tokens"},
    }.get(kind, {"type"})
    must(thinking.keys() <= known, f"thinking.{kind}: Extra inputs are not permitted")
    must(thinking.get("display", "omitted") in ("summarized", "omitted"), "thinking.display")
    if kind == "enabled":
        budget = thinking.get("budget_tokens")
        must(type(budget) is int, "thinking.enabled.budget_tokens: Field required")
        must(budget >= 1024, "thinking.enabled.budget_tokens: should be at least 1024")
        must(
            budget < body["max_tokens"],
            "`max_tokens` must be greater than `thinking.budget_tokens`",
        )


def _effort(body: Body, model: Claude, version: str) -> None:
    # .../docs/en/build-with-claude/effort
    config = body.get("output_config", {})
    must(config.keys() <= {"effort", "format"}, "output_config: Extra inputs are not permitted")
    must("output_config" not in body or config, "output_config: empty")
    effort = config.get("effort")
    if effort is None:
        return
    must(model.efforts, "This model does not support the effort parameter.")
    must(effort in model.efforts, f"output_config.effort: '{effort}' is not supported")
    if body.get("thinking", {}).get("type") in ("disabled", "between_tools"):
        must(
            ALL.index(effort) <= ALL.index(model.off_most),
            f"thinking cannot be off at effort '{effort}'",
        )


def _stops(body: Body, model: Claude, version: str) -> None:
    for text in body.get("stop_sequences", ()):
        must(text.strip(), "stop_sequences: each stop sequence must contain non-whitespace")


def _account(body: Body, model: Claude, version: str) -> None:
    metadata = body.get("metadata", {})
    must(metadata.keys() <= {"user_id"}, "metadata: Extra inputs are not permitted")
    must(len(metadata.get("user_id", "")) <= 256, "metadata.user_id: at most 256 characters")
    must(
        body.get("service_tier", "auto") in ("auto", "standard_only"),
        "service_tier: Input should be 'auto' or 'standard_only'",
    )


# -- tools and schemas


def _tools(body: Body, model: Claude, version: str) -> None:
    # .../docs/en/agents-and-tools/tool-use/define-tools
    tools = body.get("tools")
    must(tools is None or tools, "tools: empty")
    names = [tool.get("name") for tool in tools or ()]
    must(len(set(names)) == len(names), "tools: Tool names must be unique.")
    known = {"name", "description", "input_schema", "cache_control", "strict", "type"}
    for tool in tools or ():
        must(tool.keys() <= known, "tools: Extra inputs are not permitted")
        must(re.fullmatch(r"[a-zA-Z0-9_-]{1,128}", tool.get("name", "")), "tools.name: pattern")
        schema = tool.get("input_schema")
        must(isinstance(schema, dict), "tools.input_schema: Field required")
        must(schema.get("type") == "object", "tools.input_schema.type: should be 'object'")
        if tool.get("strict"):
            must(model.schemas, "strict tools are not supported for this model")
            _schema(schema)
    _choice(body, model, names)


def _choice(body: Body, model: Claude, names: list[Any]) -> None:
    choice = body.get("tool_choice")
    if choice is None:
        return
    must(names, "tool_choice may only be specified while providing tools.")
    kind = choice.get("type")
    keys = {
        "auto": {"type", "disable_parallel_tool_use"},
        "any": {"type", "disable_parallel_tool_use"},
        "tool": {"type", "name", "disable_parallel_tool_use"},
        "none": {"type"},
    }
    must(kind in keys and choice.keys() <= keys[kind], "tool_choice: Extra inputs")
    must(kind != "tool" or choice.get("name") in names, "tool_choice.name: unknown tool")
    if kind in ("any", "tool"):
        # .../docs/en/models/opus-5-5/whats-new-opus-5-5#forced-tool-use-is-not-supported
        must(model.forced, 'tool_choice: type "tool" and "any" are not supported for this model.')
        must(
            not thinks_by_request(body),
            "Thinking may not be enabled when tool_choice forces tool use.",
        )


def _format(body: Body, model: Claude, version: str) -> None:
    wanted = body.get("output_config", {}).get("format")
    if wanted is None:
        return
    must(model.schemas, "structured outputs are not supported for this model")
    must(wanted.keys() == {"type", "schema"}, "output_config.format: type and schema")
    must(wanted["type"] == "json_schema", "output_config.format.type")
    _schema(wanted["schema"])
    must(body["messages"][-1]["role"] == "user", "prefill is incompatible with JSON outputs")


def _schema(schema: Any) -> None:
    wrong = wrong_schema(schema)
    must(wrong is None, f"output_config.format.schema: {wrong}")


RULES: Final[tuple[Callable[[Body, Claude, str], None], ...]] = (
    _fields,
    messages_rule,
    _samplers,
    _thinking,
    _effort,
    _stops,
    _account,
    _tools,
    _format,
    thoughts_rule,
    caching_rule,
)


def refusal(request: Recorded) -> Reply | None:
    body = request.json
    if not request.headers.get("x-api-key"):
        return _error(401, "authentication_error", "x-api-key header is required")
    version = request.headers.get("anthropic-version", "")
    if version not in ("2023-06-01", "2026-10-21"):
        return _error(400, "invalid_request_error", "anthropic-version: not a valid version")
    if not request.path.endswith("/v1/messages"):
        return _error(404, "not_found_error", request.path)
    if not isinstance(body, dict):
        return _error(400, "invalid_request_error", "the body is not an object")
    model = claude(str(body.get("model")))
    if model is None:
        return _error(404, "not_found_error", f"model: {body.get('model')}")
    try:
        for rule in RULES:
            rule(body, model, version)
    except Wrong as wrong:
        return _error(400, "invalid_request_error", str(wrong))
    return None


def _error(status: int, kind: str, message: str) -> Reply:
    error = {"type": kind, "message": message}
    return Reply(status=status, body={"type": "error", "error": error, "request_id": "req_1"})


def answer(request: Recorded) -> Reply:
    return refusal(request) or answered(request.json)
