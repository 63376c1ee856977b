"""Converts the turns of a conversation to the form of Gemini's generateContent.

Source: https://ai.google.dev/api/caching#Content, and the types of the official client.

- Consecutive messages of one role become one turn: the API requires the results of all calls
  together, and calls directly after what they respond to. An empty message is no turn.
- A tool's text is sent as `{"output": text}`, its images as parts of the response.
- A signature is sent back with exactly its own part (`generate_content/state.py`). Gemini 3 refuses
  a turn of calls if the first call has none. If the producer lost it, or another model made the
  call, Google's own value for "do not check" replaces it.
- An image's `detail`, `cache_control` and another provider's thoughts are dropped and reported.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, Final

from nexus_actors.contract.json_text import Parsed, parse
from nexus_actors.contract.provider_state import STATE, UNREADABLE
from nexus_actors.providers.apis.conversation import ToolCall, Turn
from nexus_actors.providers.apis.generate_content.state import read_call_state, read_signed_texts
from nexus_actors.providers.apis.parts import Media, Part, Text, Thought, Unknown, kind_by_name
from nexus_actors.providers.takes import Takes

UNCHECKED: Final = "skip_thought_signature_validator"
"""Replaces a signature: https://ai.google.dev/gemini-api/docs/thought-signatures."""

_END_OF_PATH: Final = re.compile("[?#]")
"""The end of a URL's path."""


class Unsayable(Exception):
    """A part of the request has no form in the API. The message is meant for the producer."""


def contents(turns: tuple[Turn, ...], takes: Takes, dropped: list[str]) -> list[dict[str, Any]]:
    """The `contents` for these turns."""
    found: list[dict[str, Any]] = []
    for role, run in groupby(turns, lambda turn: turn.role):
        by_model = role == "assistant"
        said = tuple(run)
        parts = list(
            _model_parts(said, takes, dropped) if by_model else _user_parts(said, takes, dropped)
        )
        if parts:
            found.append({"role": "model" if by_model else "user", "parts": parts})
    if any(isinstance(part, Media) and part.detail for turn in turns for part in turn.parts):
        dropped.append("detail")
    for turn in turns:
        marked = any(isinstance(part, Text | Media) and part.cache for part in turn.parts)
        if marked or any(call.cache for call in turn.calls):
            dropped.append(f"{turn.path}.cache_control")
    return found


def _user_parts(
    turns: Iterable[Turn], takes: Takes, dropped: list[str]
) -> Iterator[dict[str, Any]]:
    moved: list[dict[str, Any]] = []
    for turn in turns:
        if turn.role != "tool":
            yield from map(_part, _said(turn))
            continue
        result = _function_response(turn)
        if not takes.result_media and (media := result.pop("parts", None)):
            moved += [{"text": f"From the result of {turn.tool_name}:"}, *media]
            dropped.append(f"{turn.path}.content: what is no text is moved behind the results")
        yield {"functionResponse": result}
    yield from moved


def _model_parts(
    turns: Iterable[Turn], takes: Takes, dropped: list[str]
) -> Iterator[dict[str, Any]]:
    calls: list[tuple[ToolCall, str]] = []
    for turn in turns:
        yield from _spoken(turn, dropped)
        calls += [(call, f"{turn.path}.tool_calls[{at}]") for at, call in enumerate(turn.calls)]
    for place, (call, path) in enumerate(calls):
        # One signature serves all parallel calls: it belongs to the first one.
        unsigned = UNCHECKED if place == 0 and takes.signatures else None
        sealed = read_call_state(call.state)
        if call.state is not None and sealed is None:
            dropped.append(f"{path}.{STATE}: {UNREADABLE}")
        signature = sealed or call.signature or unsigned
        signed = {"thoughtSignature": signature} if signature else {}
        yield {"functionCall": _function_call(call, path), **signed}


def _spoken(turn: Turn, dropped: list[str]) -> Iterator[dict[str, Any]]:
    """A model's text, split into its original parts if some of them were signed."""
    thoughts = sum(isinstance(part, Thought) for part in turn.parts)
    if thoughts:
        dropped.append(f"{turn.path}.content: another provider's thoughts")
    parts = [part for part in _said(turn) if not isinstance(part, Thought)]
    if turn.state is None or not all(isinstance(part, Text) for part in parts):
        yield from map(_part, parts)
        return
    signed = read_signed_texts(turn.state, turn.text)
    if signed is None:
        dropped.append(f"{turn.path}.{STATE}: the text is not the one that it came with")
        yield from map(_part, parts)
        return
    for text, signature in signed:
        yield {"text": text, **({"thoughtSignature": signature} if signature else {})}


def _said(turn: Turn) -> list[Part]:
    """The parts without empty texts, which may only be there for their cache marks."""
    return [part for part in turn.parts if not isinstance(part, Text) or part.text]


def _function_call(call: ToolCall, path: str) -> dict[str, Any]:
    parsed = parse(call.arguments or "{}")
    match parsed:
        case Parsed(dict() as arguments):
            pass
        case Parsed(value):
            arguments = {"arguments": value}
        case unparsable if unparsable.reason.startswith("not JSON"):
            arguments = {"arguments": call.arguments}
        case unparsable:
            raise Unsayable(f"{path}: the arguments hold {unparsable.reason}")
    return {**_id(call.id), "name": call.name, "args": arguments}


def _function_response(turn: Turn) -> dict[str, Any]:
    if not turn.tool_name:
        raise Unsayable("the API wants the function's name with each result of a tool")
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
            kind = kind_by_name(_END_OF_PATH.split(url, maxsplit=1)[0])
            return {"fileData": {"fileUri": url, **({"mimeType": kind} if kind else {})}}
        case Media():
            raise Unsayable("the API does not know a file by the id it has elsewhere")
        case Thought():
            raise Unsayable("the API has no form for a part of type thinking")
        case Unknown(kind):
            raise Unsayable(f"the API has no form for a part of type {kind}")
