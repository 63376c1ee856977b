"""A request in the form of Gemini's generateContent.

Source: https://ai.google.dev/api/generate-content, and the types of the official client.

How it is said:

- System messages, wherever they stood, are the `systemInstruction`. Where there is nothing else
  they are asked as the user's, for the API wants a turn.
- Messages of one role in a row become one turn: the API wants the results of all calls together,
  and calls right after what they answer to. A message that says nothing is no turn.
- A tool's text goes as `{"output": text}`, its images as parts of the response.
- Gemini 3 refuses a turn of calls whose first call lacks the signature the model gave it. Ours
  comes back in the chat form's `extra_content.google.thought_signature`; where the producer lost
  it, or another model made the call, Google's own word for "do not check" stands in its place.
  Signatures on texts, which the API does not ask for, are not kept.
- `reasoning_effort` is a level for Gemini 3 and later: `low` (also for `none` and `minimal`, which
  current models refuse), `medium`, `high` (also for `xhigh` and `max`). For Gemini 2.5 it is a
  budget of tokens; `none` is 0, and 128 for its pro models, which cannot but think. Where the
  nearest is sent in place of what was asked for, `reasoning_effort` is told as dropped too.

Dropped, and told:

- `previous_response_id`, `store`, `mcp_servers` (Responses API only), `parallel_tool_calls`;
- every item of an `input` that has no message; every tool that is no function; `tool_choice` where
  no function is left, or that is no choice among functions;
- the `name` of a message;
- `tools.strict`: the API's models are held to a function's schema or not by the mode alone;
- `detail` of an image; `seed` beyond 32 bits; `reasoning_effort` for models that do not think.

Refused: parts and calls that have no form here (audio, ids of uploads elsewhere, …), the result of
a function whose name the conversation does not tell, more than five stop sequences.

Names of files and of answer schemas have no place in the API and mean nothing to the model: left
out, not told. A schema for the answer always holds, `strict` or not.
"""

import mimetypes
import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any
from urllib.parse import quote, urlsplit

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.apis.conversation import (
    Conversation,
    Function,
    JsonSchema,
    Named,
    ToolCall,
    Turn,
    names_of_speakers,
    read_conversation,
)
from nexus_actors.providers.apis.parts import Media, Part, Text, Thought, Unknown
from nexus_actors.providers.http.api import Prepared, refused
from nexus_actors.providers.port import ProviderFailure
from nexus_actors.providers.takes import Takes

MOST_STOPS = 5
UNCHECKED = "skip_thought_signature_validator"
"""In place of a signature: https://ai.google.dev/gemini-api/docs/thought-signatures."""
_NEVER = ("previous_response_id", "store", "mcp_servers", "parallel_tool_calls")
_BY_BUDGET = re.compile(r"gemini-2\.5-(?P<pro>pro)?")
_BY_LEVEL = re.compile(r"gemini-(?![12][.-])")
"""Gemini 3 and later, also by names without a number (`gemini-flash-latest`)."""
_LEVELS = {
    "none": "LOW",
    "minimal": "LOW",
    "low": "LOW",
    "medium": "MEDIUM",
    "high": "HIGH",
    "xhigh": "HIGH",
    "max": "HIGH",
}
_BUDGETS = {
    "none": 0,
    "minimal": 1024,
    "low": 1024,
    "medium": 8192,
    "high": 24576,
    "xhigh": 24576,
    "max": 24576,
}
"""Tokens, as Google's own chat API translates efforts."""
_LEAST_OF_PRO = 128
_NO_OTHER = ("none", "minimal", "xhigh", "max")
"""Efforts for which there is a nearest level alone."""


class _Unsayable(Exception):
    """A part of the request has no form in the API."""


def generate_content_call(
    request: LLMRequest, model: str, takes: Takes, *, stream: bool
) -> Prepared | ProviderFailure:
    """`POST /models/{model}:generateContent`, or `:streamGenerateContent` as server-sent events."""
    name = model.removeprefix("models/")
    conversation = read_conversation(request)
    dropped = [field for field in _NEVER if getattr(request, field) not in (None, ())]
    dropped += names_of_speakers(request)
    try:
        body = _body(request, name, conversation, dropped)
    except _Unsayable as reason:
        return refused(str(reason))
    method = "streamGenerateContent?alt=sse" if stream else "generateContent"
    return Prepared(
        path=f"/models/{quote(name, safe='')}:{method}", body=body, dropped=tuple(dropped)
    )


def _body(
    request: LLMRequest, model: str, conversation: Conversation, dropped: list[str]
) -> dict[str, Any]:
    for path in conversation.unsaid:
        if path.startswith("messages"):
            raise _Unsayable(f"the API has no form for {path}")
        dropped.append(path)
    system: list[dict[str, Any]] = [{"text": text.text} for text in conversation.system]
    contents = _contents(conversation.turns, model, dropped)
    if not contents and not system:
        raise _Unsayable("the API wants a message that says something")
    body: dict[str, Any] = {"contents": contents or [{"role": "user", "parts": system}]}
    if contents and system:
        body["systemInstruction"] = {"parts": system}
    _add_tools(body, conversation, dropped)
    config = _config(request, conversation, dropped)
    if request.reasoning_effort is not None:
        config |= _thinking(request.reasoning_effort, model, dropped)
    if config:
        body["generationConfig"] = config
    return body


def _contents(turns: tuple[Turn, ...], model: str, dropped: list[str]) -> list[dict[str, Any]]:
    contents: list[dict[str, Any]] = []
    for role, run in groupby(turns, lambda turn: turn.role):
        by_model = role == "assistant"
        said = tuple(run)
        parts = list(_model_parts(said, model) if by_model else _user_parts(said))
        if parts:
            contents.append({"role": "model" if by_model else "user", "parts": parts})
    if any(isinstance(part, Media) and part.detail for turn in turns for part in turn.parts):
        dropped.append("detail")
    return contents


def _user_parts(turns: Iterable[Turn]) -> Iterator[dict[str, Any]]:
    for turn in turns:
        if turn.role == "tool":
            yield {"functionResponse": _function_response(turn)}
        else:
            yield from map(_part, turn.parts)


def _model_parts(turns: Iterable[Turn], model: str) -> Iterator[dict[str, Any]]:
    calls: list[ToolCall] = []
    for turn in turns:
        yield from map(_part, turn.parts)
        calls += turn.calls
    for place, call in enumerate(calls):
        # One signature serves all calls made at once: it stands with the first.
        unsigned = UNCHECKED if place == 0 and _BY_LEVEL.match(model) else None
        signature = call.signature or unsigned
        signed = {"thoughtSignature": signature} if signature else {}
        yield {"functionCall": _function_call(call), **signed}


def _function_call(call: ToolCall) -> dict[str, Any]:
    return {**_id(call.id), "name": call.name, "args": call.arguments_object()}


def _function_response(turn: Turn) -> dict[str, Any]:
    if not turn.tool_name:
        raise _Unsayable("the API wants the function's name with each result of a tool")
    media = [_part(part) for part in turn.parts if not isinstance(part, Text)]
    return {
        **_id(turn.call_id),
        "name": turn.tool_name,
        "response": {"output": turn.text},
        **({"parts": media} if media else {}),
    }


def _id(call_id: str) -> dict[str, str]:
    return {"id": call_id} if call_id else {}


def _part(part: Part) -> dict[str, Any]:
    match part:
        case Text(text):
            return {"text": text}
        case Media(data=str(data), media_type=str(media_type)):
            return {"inlineData": {"mimeType": media_type, "data": data}}
        case Media(url=str(url)):
            kind, _ = mimetypes.guess_type(urlsplit(url).path)
            return {"fileData": {"fileUri": url, **({"mimeType": kind} if kind else {})}}
        case Media():
            raise _Unsayable("the API does not know a file by the id it has elsewhere")
        case Thought():
            raise _Unsayable("the API has no form for a part of type thinking")
        case Unknown(kind):
            raise _Unsayable(f"the API has no form for a part of type {kind}")


def _add_tools(body: dict[str, Any], conversation: Conversation, dropped: list[str]) -> None:
    functions, choice = conversation.functions, conversation.choice
    if any(function.strict for function in functions):
        dropped.append("tools.strict")
    if functions:
        declared = [_declaration(function) for function in functions]
        body["tools"] = [{"functionDeclarations": declared}]
    if choice is None:
        return
    if not functions:
        dropped.append("tool_choice")
        return
    match choice:
        case Named(name):
            config = {"mode": "ANY", "allowedFunctionNames": [name]}
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


def _config(request: LLMRequest, conversation: Conversation, dropped: list[str]) -> dict[str, Any]:
    if len(request.stop) > MOST_STOPS:
        raise _Unsayable(f"the API takes at most {MOST_STOPS} stop sequences")
    seed = request.seed
    if seed is not None and not -(2**31) <= seed < 2**31:
        dropped.append("seed")
        seed = None
    said: dict[str, Any] = {
        "maxOutputTokens": request.max_tokens,
        "temperature": request.temperature,
        "topP": request.top_p,
        "stopSequences": list(request.stop) or None,
        "seed": seed,
    }
    config = {name: value for name, value in said.items() if value is not None}
    output = conversation.output
    if output is not None:
        config["responseMimeType"] = "application/json"
    if isinstance(output, JsonSchema):
        described = {"description": output.description} if output.description else {}
        config["responseJsonSchema"] = {**described, **output.schema}
    return config


def _thinking(effort: str, model: str, dropped: list[str]) -> dict[str, Any]:
    budgeted = _BY_BUDGET.match(model)
    if budgeted is not None:
        budget = _BUDGETS[effort]
        if budgeted["pro"] and not budget:
            dropped.append("reasoning_effort")
            budget = _LEAST_OF_PRO
        return {"thinkingConfig": {"thinkingBudget": budget}}
    if _BY_LEVEL.match(model) is None:
        dropped.append("reasoning_effort")
        return {}
    if effort in _NO_OTHER:
        dropped.append("reasoning_effort")
    return {"thinkingConfig": {"thinkingLevel": _LEVELS[effort]}}
