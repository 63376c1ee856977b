"""Writes a request in the form of Gemini's generateContent.

Source: https://ai.google.dev/api/generate-content, and the types of the official client.

These are the rules:

- System messages, wherever they were, become the `systemInstruction`. Without any other message
  they become a user turn, since the API requires a turn.
- `generate_content/turns.py` writes the turns.
- `reasoning_effort` is a level for Gemini 3 and later, and a budget of tokens for Gemini 2.5. If
  the model does not accept it, the nearest is sent and reported. So is Anthropic's `thinking`, if
  there is no effort beside it.
- A schema for the answer always applies, `strict` or not. If the API ignores a part of it, the
  answer is validated on our side.

Dropped and reported:

- `previous_response_id`, `store`, `mcp_servers` (Responses API only), `parallel_tool_calls`, and
  all else that the API lacks; `cache_control`, since prompts are cached automatically;
- samplers and penalties that the model does not accept;
- items of an `input` that have no message; tools that are not functions; `tool_choice` if no
  function is left, or if it does not concern functions;
- `tools.strict`: only the mode decides whether the model must follow a function's schema;
- `seed` beyond 32 bits; efforts for models that do not think.

Refused: parts and calls that have no form here (ids of other servers' uploads, …), and the result
of a function whose name is not in the conversation.

If there are too many stop sequences, the first ones are sent, which is reported.

If the model accepts no prefilled answer, it is instructed to continue, which is reported.

Names of files and of response schemas do not exist in the API and mean nothing to the model: they
are left out and not reported.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

from nexus_actors.contract.request import LLMRequest, ReasoningEffort
from nexus_actors.providers.apis.conversation import (
    Allowed,
    Conversation,
    Function,
    JsonSchema,
    Named,
    names_of_speakers,
    read_conversation,
)
from nexus_actors.providers.apis.generate_content.output import is_known, with_words
from nexus_actors.providers.apis.generate_content.turns import Unsayable, contents
from nexus_actors.providers.apis.messages.content import GO_ON
from nexus_actors.providers.apis.omitted import omitted_in_generate_content
from nexus_actors.providers.http.api import Prepared, refused
from nexus_actors.providers.port import ProviderFailure
from nexus_actors.providers.takes import EFFORTS, Takes, nearest

_NEVER: Final = (
    "previous_response_id",
    "store",
    "mcp_servers",
    "parallel_tool_calls",
    "verbosity",
    "reasoning_summary",
    "include",
    "cache_control",
    "prompt_cache_key",
    "user",
    "metadata",
)
_LEVELS: Final[tuple[ReasoningEffort, ...]] = ("minimal", "low", "medium", "high", "xhigh")
"""The levels of `thinkingLevel`."""
_BUDGETS: Final[Mapping[ReasoningEffort, int]] = {
    "none": 0,
    "minimal": 1024,
    "low": 1024,
    "medium": 8192,
    "high": 24576,
    "xhigh": 24576,
    "max": 24576,
}
"""Tokens for each effort, as in Google's own chat API."""
_TIERS: Final = {"flex": "flex", "priority": "priority", "standard": "standard"} | {
    "default": "standard",
    "auto": None,
}
"""A request's service tier → the API's name. None: the default, which is not sent."""
_FIELDS: Final = {
    "temperature": "temperature",
    "topP": "top_p",
    "topK": "top_k",
    "presencePenalty": "presence_penalty",
    "frequencyPenalty": "frequency_penalty",
    "seed": "seed",
}
"""Optional members of `generationConfig` → our names."""
_NOT_TAKEN: Final = "the model does not take it"


def _names() -> Iterator[tuple[str, str]]:
    """Optional members by the names that a refusal may use: with or without the path, in the
    spelling of JSON or of Protocol Buffers."""
    thinking = "thinkingConfig"
    members = {
        **_FIELDS,
        thinking: "reasoning_effort",
        f"{thinking}.thinkingLevel": "reasoning_effort",
        f"{thinking}.thinkingBudget": "reasoning_effort",
    }
    inner = {"thinkingLevel": "reasoning_effort", "thinkingBudget": "reasoning_effort"}
    for name, field in {**members, **inner, "serviceTier": "service_tier"}.items():
        for path in (name, f"generationConfig.{name}") if name in members else (name,):
            yield path, field
            yield _snake(path), field


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


_NAMES: Final[Mapping[str, str]] = dict(_names())


def generate_content_call(
    request: LLMRequest, model: str, takes: Takes, *, stream: bool
) -> Prepared | ProviderFailure:
    """`POST /models/{model}:generateContent`, or `:streamGenerateContent` as server-sent events."""
    name = model.removeprefix("models/")
    conversation = read_conversation(request)
    conversation, worded = with_words(conversation, takes)
    dropped = [field for field in _NEVER if getattr(request, field) not in (None, ())]
    dropped += names_of_speakers(request)
    dropped += omitted_in_generate_content(request)
    if worded is not None:
        dropped.append("response_format: asked in words, the model takes none beside functions")
    try:
        body = _body(request, takes, conversation, dropped)
    except Unsayable as reason:
        return refused(str(reason))
    method = "streamGenerateContent?alt=sse" if stream else "generateContent"
    output = worded or conversation.output
    schema = output.schema if isinstance(output, JsonSchema) else None
    return Prepared(
        path=f"/models/{quote(name, safe='')}:{method}",
        body=body,
        dropped=tuple(dropped),
        names=_named_otherwise(request),
        check=None if schema is None or (worded is None and is_known(schema)) else schema,
    )


def _named_otherwise(request: LLMRequest) -> Mapping[str, str]:
    thinking = request.thinking
    disabled = thinking is not None and thinking.get("type") == "disabled"
    if thinking is None or (request.reasoning_effort is not None and not disabled):
        return _NAMES
    asked = {it: "thinking" for it, field in _NAMES.items() if field == "reasoning_effort"}
    return {**_NAMES, **asked}


def _body(
    request: LLMRequest, takes: Takes, conversation: Conversation, dropped: list[str]
) -> dict[str, Any]:
    for path in conversation.unsaid:
        if path.startswith("messages"):
            raise Unsayable(f"the API has no form for {path}")
        dropped.append(path)
    marked = zip(conversation.system, conversation.system_paths, strict=True)
    dropped += dict.fromkeys(f"{path}.cache_control" for text, path in marked if text.cache)
    system: list[dict[str, Any]] = [
        {"text": text.text} for text in conversation.system if text.text
    ]
    said = contents(conversation.turns, takes, dropped)
    if not said and not system:
        raise Unsayable("the API wants a message that says something")
    if not said:
        dropped.append("messages: the system's words are asked as the user's")
    if not takes.prefill and _is_begun(conversation):
        path = conversation.turns[-1].path
        dropped.append(f"{path}: the model takes no answer that is begun, it is asked to go on")
        said.append({"role": "user", "parts": [{"text": GO_ON}]})
    body: dict[str, Any] = {"contents": said or [{"role": "user", "parts": system}]}
    if said and system:
        body["systemInstruction"] = {"parts": system}
    _add_tools(body, conversation, takes, dropped)
    config = _config(request, takes, conversation, dropped)
    thinking = _thinking(request, takes, dropped)
    if thinking:
        config["thinkingConfig"] = thinking
    if config:
        body["generationConfig"] = config
    _add_tier(body, request, dropped)
    return body


def _is_begun(conversation: Conversation) -> bool:
    """Whether the conversation ends with a prefilled answer."""
    last = conversation.turns[-1] if conversation.turns else None
    return last is not None and last.role == "assistant" and bool(last.parts) and not last.calls


def _add_tools(
    body: dict[str, Any], conversation: Conversation, takes: Takes, dropped: list[str]
) -> None:
    functions, choice = conversation.functions, conversation.choice
    if any(function.strict for function in functions):
        dropped.append("tools.strict")
    dropped += [f"{function.path}.cache_control" for function in functions if function.cache]
    if functions:
        declared = [_declaration(function) for function in functions]
        body["tools"] = [{"functionDeclarations": declared}]
    if choice is None:
        return
    if not functions or not takes.tool_choice:
        dropped.append("tool_choice")
        return
    match choice:
        case Named(name):
            config: dict[str, Any] = {"mode": "ANY", "allowedFunctionNames": [name]}
        case Allowed(mode, names):
            # AUTO accepts no names: https://ai.google.dev/api/caching#FunctionCallingConfig
            word = "ANY" if mode == "required" else "VALIDATED"
            config = {"mode": word, "allowedFunctionNames": list(names)}
        case word:
            config = {"mode": {"auto": "AUTO", "none": "NONE", "required": "ANY"}[word]}
    body["toolConfig"] = {"functionCallingConfig": config}


def _declaration(function: Function) -> dict[str, Any]:
    declaration: dict[str, Any] = {"name": function.name}
    if function.description:
        declaration["description"] = function.description
    if function.parameters:
        declaration["parametersJsonSchema"] = function.parameters
    return declaration


def _config(
    request: LLMRequest, takes: Takes, conversation: Conversation, dropped: list[str]
) -> dict[str, Any]:
    config: dict[str, Any] = {}
    if request.max_tokens is not None:
        config["maxOutputTokens"] = sent = min(
            request.max_tokens, takes.max_output_tokens or request.max_tokens
        )
        if sent < request.max_tokens:
            dropped.append(f"max_tokens: sent as {sent}, the most that the model answers with")
    if request.stop:
        config["stopSequences"] = _stops(request, takes, dropped)
    for member, name in _FIELDS.items():
        if (value := getattr(request, name)) is None:
            continue
        why = _why_not(name, value, request, takes)
        if why is None:
            config[member] = value
        else:
            dropped.append(f"{name}: {why}" if why else name)
    output = conversation.output
    if output is not None:
        config["responseMimeType"] = "application/json"
    if isinstance(output, JsonSchema):
        described = {"description": output.description} if output.description else {}
        config["responseJsonSchema"] = {**described, **output.schema}
    return config


def _stops(request: LLMRequest, takes: Takes, dropped: list[str]) -> list[str]:
    most = takes.most_stops
    if most is not None and len(request.stop) > most:
        dropped.append(f"stop: the first {most}, as many as are taken")
    return list(request.stop[:most])


def _why_not(name: str, value: Any, request: LLMRequest, takes: Takes) -> str | None:
    """Why this field is not sent; "" if its name says enough, None if it is sent."""
    match name:
        case "temperature" | "top_p":
            second = name == "top_p" and request.temperature is not None
            if takes.samplers == "one" and second:
                return "the model takes one of temperature and top_p"
            taken = takes.samplers in ("both", "one")
        case "top_k":
            taken = takes.top_k
        case "seed":
            if not -(2**31) <= value < 2**31:
                return ""
            taken = takes.seed
        case _:
            taken = takes.penalties
    return None if taken else _NOT_TAKEN


def _thinking(request: LLMRequest, takes: Takes, dropped: list[str]) -> dict[str, Any]:
    """The `thinkingConfig` for the effort, or for Anthropic's `thinking`."""
    effort, thinking = request.reasoning_effort, request.thinking
    if thinking is not None and thinking.get("type") == "disabled":
        if effort not in (None, "none"):
            dropped.append("reasoning_effort: thinking is disabled")
    elif effort is not None:
        if thinking is not None:
            dropped.append("thinking: reasoning_effort stands beside it")
        return _by_effort(effort, "reasoning_effort", takes, dropped)
    match thinking:
        case None:
            return {}
        case {"type": "disabled"}:
            return _by_effort("none", "thinking", takes, dropped)
        case {"type": "enabled", "budget_tokens": int(tokens)} if takes.efforts:
            if takes.thinking_budget is not None and "budget" in takes.thinking:
                return _budget(tokens, "thinking", takes.thinking_budget, dropped)
            near = min(_BUDGETS, key=lambda it: abs(_BUDGETS[it] - tokens))
            dropped.append("thinking: sent as the nearest level, the model takes no budget")
            return _by_effort(near, "thinking", takes, [])
        case _:
            dropped.append("thinking")
            return {}


def _by_effort(
    effort: ReasoningEffort, name: str, takes: Takes, dropped: list[str]
) -> dict[str, Any]:
    if not takes.efforts:
        if effort != "none":  # the model does not think, as requested
            dropped.append(f"{name}: {_NOT_TAKEN}")
        return {}
    if "budget" in takes.thinking:
        sent = nearest(effort, takes.efforts)
        if sent == "none":
            return {"thinkingBudget": 0}
        if effort in ("xhigh", "max"):
            dropped.append(f"{name}: sent as the budget of high, the nearest that there is")
        return _budget(_BUDGETS[effort], name, takes.thinking_budget or (0, 2**31 - 1), dropped)
    sent = nearest(effort, tuple(it for it in takes.efforts if it in _LEVELS) or EFFORTS[2:5])
    if sent != effort:
        dropped.append(f"{name}: sent as {sent}, the nearest that the model takes")
    return {"thinkingLevel": sent.upper()}


def _budget(tokens: int, name: str, allowed: tuple[int, int], dropped: list[str]) -> dict[str, Any]:
    sent = min(max(tokens, allowed[0]), allowed[1])
    if sent != tokens:
        dropped.append(f"{name}: sent as a budget of {sent}, the nearest that the model takes")
    return {"thinkingBudget": sent}


def _add_tier(body: dict[str, Any], request: LLMRequest, dropped: list[str]) -> None:
    asked = request.service_tier
    if asked is None:
        return
    if asked not in _TIERS:
        dropped.append("service_tier: not one of the API's")
    elif (tier := _TIERS[asked]) is not None:
        body["serviceTier"] = tier
