"""Writes a request in the form of the Responses API.

Source: https://developers.openai.com/api/docs/api-reference/responses/create

A producer's `input` is sent unchanged except for what the API would refuse, with `instructions`
beside it. `messages` become items (`responses/items.py`). The nested forms of chat completions,
`{"type": T, T: {…}}` (tools, `tool_choice`, a schema), become flat; flat forms, including built-in
tools, are sent unchanged. A nested function without `strict` is not strict, as in chat completions;
the default of the Responses API is the opposite. `mcp_servers` become tools of type `mcp` that need
no approval, unless they say otherwise.

What the API or the model cannot honour is dropped, or sent in the nearest form, and reported:

- `stop`, `seed`, `top_k` and penalties, which the API lacks; `tool_choice` without tools, which it
  refuses; `cache_control` everywhere;
- `temperature` and `top_p` if the model thinks; efforts and limits that it does not accept;
- `thinking`, which is Anthropic's: disabled thinking becomes an effort, any other is dropped;
- a `max_tokens` below 16, the API's minimum, is sent as 16;
- JSON without a schema is refused unless a message contains the word, so one is added.

`previous_response_id` and `store` are sent unchanged; the API refuses the first together with
`store: false`. Without `store` the API stores the answer. `user` is sent as `safety_identifier`,
which replaced it.

A model's encrypted thoughts are requested if a later request may need to send them: with tools, or
if the API stores nothing, but not if the API itself continues an earlier answer.
"""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final

from nexus_actors.contract.foreign import bounded, clean_name
from nexus_actors.contract.json_text import dump
from nexus_actors.contract.request import LLMRequest, ReasoningEffort
from nexus_actors.providers.apis.chat.output import wanted_output
from nexus_actors.providers.apis.responses.items import NoForm, input_items, message_items
from nexus_actors.providers.http.api import Prepared, refused
from nexus_actors.providers.port import ProviderFailure
from nexus_actors.providers.takes import Takes, nearest

LEAST_TOKENS: Final = 16
ENCRYPTED: Final = "reasoning.encrypted_content"
_LONGEST_KEY: Final = 64
"""The most characters of a `safety_identifier`, and of a `prompt_cache_key`."""
_NEVER: Final = ("stop", "seed", "top_k", "presence_penalty", "frequency_penalty", "cache_control")
_OF_FUNCTION: Final = ("name", "description", "parameters", "strict")
_OF_CUSTOM: Final = ("name", "description", "format")
"""Keys of a custom tool in its nested form."""
_MOST_METADATA: Final = 16
_LONGEST_VALUE: Final = 512
"""The most pairs of `metadata`, and characters of a value."""
DIGEST: Final = f"sent as a digest, for it is longer than {_LONGEST_KEY} characters"
_AS_IT_IS: Final = ("previous_response_id", "store")
_KEYS: Final = {"user": "safety_identifier", "prompt_cache_key": "prompt_cache_key"}
_TIERS: Final = {"standard": "default", "standard_only": "default"}
"""Other APIs' names of a service tier → this API's."""
_NAMES: Final[Mapping[str, str]] = {
    "reasoning": "reasoning_effort",
    "reasoning.effort": "reasoning_effort",
    "effort": "reasoning_effort",
    "reasoning.summary": "reasoning_summary",
    "summary": "reasoning_summary",
    "text.verbosity": "verbosity",
    "verbosity": "verbosity",
    "safety_identifier": "user",
}
"""Optional fields by the names that a refusal may use."""
_NOT_TAKEN: Final = "the model does not take it"


def responses_call(
    request: LLMRequest, model: str, takes: Takes, *, stream: bool
) -> Prepared | ProviderFailure:
    """`POST /responses`. Audio and invalid calls have no form here, and are refused."""
    dropped: list[str] = []
    body: dict[str, Any] = {"model": model}
    try:
        body |= _conversation(request, dropped)
        _add_limit(body, dropped, request, takes)
        effort = _add_reasoning(body, dropped, request, takes)
        _add_samplers(body, dropped, request, takes, effort)
        check = _add_text(body, dropped, request, takes)
        _add_tools(body, dropped, request, takes)
    except NoForm as why:
        return refused(str(why))
    _add_rest(body, dropped, request)
    _add_include(body, dropped, request, takes)
    if stream:
        body["stream"] = True
    return Prepared(path="/responses", body=body, dropped=tuple(dropped), names=_NAMES, check=check)


def _conversation(request: LLMRequest, dropped: list[str]) -> dict[str, Any]:
    if request.input is None:
        return {"input": message_items(request, dropped)}
    if isinstance(request.input, str):
        spoken: dict[str, Any] = {"input": request.input}
    else:
        spoken = {"input": input_items(request.input, dropped)}
    if request.instructions is not None:
        spoken["instructions"] = request.instructions
    return spoken


def _add_limit(body: dict[str, Any], dropped: list[str], request: LLMRequest, takes: Takes) -> None:
    asked = request.max_tokens
    if asked is None:
        return
    most = takes.max_output_tokens
    sent = max(asked, LEAST_TOKENS) if most is None else min(max(asked, LEAST_TOKENS), most)
    body["max_output_tokens"] = sent
    if sent > asked:
        dropped.append(f"max_tokens: sent as {sent}, the least that the API takes")
    elif sent < asked:
        dropped.append(f"max_tokens: sent as {sent}, the most that the model answers with")


def _asked_effort(request: LLMRequest, dropped: list[str]) -> tuple[ReasoningEffort | None, str]:
    """The requested effort, and the field that requests it. Disabled thinking overrides efforts."""
    asked, thinking = request.reasoning_effort, request.thinking
    if thinking is not None and thinking.get("type") == "disabled":
        if asked not in (None, "none"):
            dropped.append("reasoning_effort: thinking is disabled")
        return "none", "thinking"
    if thinking is not None:
        dropped.append("thinking")
    return asked, "reasoning_effort"


def _add_reasoning(
    body: dict[str, Any], dropped: list[str], request: LLMRequest, takes: Takes
) -> ReasoningEffort | None:
    """Add the reasoning effort. Returns the effort of the model; None if it is unknown."""
    reasoning: dict[str, Any] = {}
    asked, name = _asked_effort(request, dropped)
    if asked is not None:
        if takes.efforts:
            reasoning["effort"] = sent = nearest(asked, takes.efforts)
            if sent != asked:
                dropped.append(f"{name}: sent as {sent}, the nearest that the model takes")
        elif asked != "none":  # the model does not think, as requested
            dropped.append(f"{name}: {_NOT_TAKEN}")
    if request.reasoning_summary is not None:
        if takes.efforts:
            reasoning["summary"] = request.reasoning_summary
        else:
            dropped.append(f"reasoning_summary: {_NOT_TAKEN}")
    if reasoning:
        body["reasoning"] = reasoning
    effort: ReasoningEffort | None = reasoning.get("effort", takes.default_effort)
    return effort


def _add_samplers(
    body: dict[str, Any],
    dropped: list[str],
    request: LLMRequest,
    takes: Takes,
    effort: ReasoningEffort | None,
) -> None:
    given = [name for name in ("temperature", "top_p") if getattr(request, name) is not None]
    match takes.samplers:
        case "both":
            kept, why = given, ""
        case "one":
            kept, why = given[:1], "the model takes one of temperature and top_p"
        case "idle":
            kept = given if effort == "none" else []
            why = "the model takes it only where it does not think (reasoning_effort: none)"
        case "none":
            kept, why = [], _NOT_TAKEN
    body |= {name: getattr(request, name) for name in kept}
    dropped += [f"{name}: {why}" for name in given if name not in kept]


def _add_text(
    body: dict[str, Any], dropped: list[str], request: LLMRequest, takes: Takes
) -> Mapping[str, Any] | None:
    """Add the response format. Returns a schema that the model does not enforce."""
    text: dict[str, Any] = {}
    wanted = wanted_output(request, takes, dropped)
    if wanted.format is not None:
        text["format"] = _format(wanted.format)
    if wanted.instruction is not None:
        body["input"] = _instructed(body["input"], wanted.instruction)
    if request.verbosity is not None:
        if takes.verbosity:
            text["verbosity"] = request.verbosity
        else:
            dropped.append(f"verbosity: {_NOT_TAKEN}")
    if text:
        body["text"] = text
    return wanted.check


def _instructed(said: Any, instruction: str) -> list[Any]:
    """Add the instruction as a message: the API looks for "JSON" in messages only."""
    items = (
        [{"type": "message", "role": "user", "content": said}] if isinstance(said, str) else said
    )
    return [{"type": "message", "role": "system", "content": instruction}, *items]


def _add_tools(body: dict[str, Any], dropped: list[str], request: LLMRequest, takes: Takes) -> None:
    tools = [_tool(tool, f"tools[{place}]", dropped) for place, tool in enumerate(request.tools)]
    tools += [
        {"require_approval": "never", **server, "type": "mcp"} for server in request.mcp_servers
    ]
    if tools:
        body["tools"] = tools
    choice, parallel = request.tool_choice, request.parallel_tool_calls
    if choice is not None:
        if not tools:
            dropped.append("tool_choice")
        elif not takes.tool_choice:
            dropped.append(f"tool_choice: {_NOT_TAKEN}")
        else:
            body["tool_choice"] = choice if isinstance(choice, str) else _choice(choice)
    if parallel is not None:
        if takes.parallel_tool_calls:
            body["parallel_tool_calls"] = parallel
        else:
            dropped.append(f"parallel_tool_calls: {_NOT_TAKEN}")


def _tool(tool: Mapping[str, Any], path: str, dropped: list[str]) -> Mapping[str, Any]:
    inner = tool.get("function")
    if "cache_control" in tool or (isinstance(inner, Mapping) and "cache_control" in inner):
        dropped.append(f"{path}.cache_control")
        tool = _uncached(tool)
        if isinstance(inner, Mapping):
            tool = {**tool, "function": _uncached(inner)}
    kind = tool.get("type") or "function"
    match tool:
        case {"function": Mapping() as function} if kind == "function":
            usual = {"parameters": {"type": "object", "properties": {}}, "strict": False}
            said = {key: function[key] for key in _OF_FUNCTION if function.get(key) is not None}
            dropped += _others(tool, ("type", "function"), path)
            dropped += _others(function, _OF_FUNCTION, f"{path}.function")
            return {**usual, **said, "type": "function"}
        case {"custom": Mapping() as custom} if kind == "custom":
            dropped += _others(tool, ("type", "custom"), path)
            dropped += _others(custom, _OF_CUSTOM, f"{path}.custom")
            flat = {key: custom[key] for key in _OF_CUSTOM if custom.get(key) is not None}
            form = custom.get("format")
            if isinstance(form, Mapping):
                flat["format"] = _flat(form)
            return {**flat, "type": "custom"}
        case _:
            return {**tool, "type": kind}


def _others(holder: Mapping[str, Any], known: tuple[str, ...], path: str) -> list[str]:
    """Paths of keys that are not sent: a converted object only has known keys."""
    return [f"{path}.{name}" for name in bounded([key for key in holder if key not in known])]


def _uncached(holder: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in holder.items() if key != "cache_control"}


def _choice(choice: Mapping[str, Any]) -> Mapping[str, Any]:
    flat = _flat(choice)
    if flat.get("type") == "function" and flat is not choice:
        return {key: flat[key] for key in ("type", "name") if key in flat}
    tools = flat.get("tools")  # if the type is `allowed_tools`
    if not isinstance(tools, list | tuple):
        return flat
    return {**flat, "tools": [_flat(it) if isinstance(it, Mapping) else it for it in tools]}


def _format(wanted: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema with a name, which is required but may be missing in the flat form."""
    flat = _flat(wanted)
    return {"name": "answer", **flat} if flat["type"] == "json_schema" else flat


def _flat(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """`{"type": T, T: {…}}` as `{"type": T, …}`. Anything else is unchanged."""
    kind = value.get("type", "function")
    inner = value.get(kind) if isinstance(kind, str) else None
    return {**inner, "type": kind} if isinstance(inner, Mapping) else value


def _add_rest(body: dict[str, Any], dropped: list[str], request: LLMRequest) -> None:
    body |= {name: value for name in _AS_IT_IS if (value := getattr(request, name)) is not None}
    if request.service_tier is not None:
        body["service_tier"] = own_tier(request.service_tier)
    if request.metadata is not None:
        body["metadata"] = _metadata(request.metadata, dropped)
    for name, sent_as in _KEYS.items():
        if (asked := getattr(request, name)) is not None:
            body[sent_as] = sent = short_key(asked)
            if sent != asked:
                dropped.append(f"{name}: {DIGEST}")
    dropped += [name for name in _NEVER if getattr(request, name) not in (None, ())]


def _metadata(given: Mapping[str, Any], dropped: list[str]) -> dict[str, str]:
    """Texts unchanged, other values as JSON text. What is too long or too many is reported."""
    sent: dict[str, str] = {}
    for name, value in given.items():
        text = value if isinstance(value, str) else dump(value)
        if len(sent) == _MOST_METADATA or len(name) > _LONGEST_KEY or len(text) > _LONGEST_VALUE:
            dropped.append(f"metadata.{clean_name(name[:_LONGEST_KEY])}: more than the API keeps")
        else:
            sent[name] = text
    return sent


def own_tier(asked: str | None) -> str | None:
    """A service tier by OpenAI's own name."""
    return asked if asked is None else _TIERS.get(asked, asked)


def short_key(text: str) -> str:
    """A key as OpenAI accepts it: unchanged, or a digest if it is too long."""
    if len(text) <= _LONGEST_KEY:
        return text
    return blake2b(text.encode("utf-8", "replace"), digest_size=_LONGEST_KEY // 2).hexdigest()


def _add_include(
    body: dict[str, Any], dropped: list[str], request: LLMRequest, takes: Takes
) -> None:
    include = list(request.include)
    # A model without an entry is sent everything.
    if ENCRYPTED in include and not takes.encrypted_reasoning and not takes.efforts:
        include = [it for it in include if it != ENCRYPTED]
        dropped.append(f"include: without {ENCRYPTED}, for the model has none")
    goes_on = request.previous_response_id is not None
    wanted = "tools" in body or request.store is False
    if takes.encrypted_reasoning and wanted and not goes_on and ENCRYPTED not in include:
        include.append(ENCRYPTED)
    if include:
        body["include"] = include
