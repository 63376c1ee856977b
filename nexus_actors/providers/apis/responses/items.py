"""Converts a conversation to items of the Responses API.

Source: https://developers.openai.com/api/docs/api-reference/responses/create

These are the rules:

- every message has `"type": "message"`, since llama.cpp refuses those without it;
- a system message keeps its place, as an item of role `system`: `instructions` would move it to the
  front, and would not apply to an answer that continues this one;
- content parts in the forms of other APIs are converted. All others are sent unchanged, and the API
  reports an error if it does not know them: to drop one would change the question. Audio is
  refused, since the API has no form for it. Another provider's thoughts are dropped and reported;
- a single text is a plain string; an assistant's texts become one text, the only form without an id
  of an earlier answer;
- the thoughts of an answer return to their places (`responses/state.py`);
- ids of calls that are too long or not unique are rewritten, alike in a call and its result;
- the `name` of a message and `cache_control` are dropped and reported; unknown keys of a message
  are dropped and not reported.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from nexus_actors.contract.json_text import Parsed, parse
from nexus_actors.contract.provider_state import STATE, UNREADABLE
from nexus_actors.contract.request import LLMRequest, Message
from nexus_actors.providers.apis.call_ids import OPENAI_RESPONSES, Use, uses_in_messages
from nexus_actors.providers.apis.conversation import thoughts_in_words
from nexus_actors.providers.apis.omitted import omitted_in_responses
from nexus_actors.providers.apis.parts import (
    Media,
    Text,
    Thought,
    file_name,
    has_odd_data,
    read_part,
)
from nexus_actors.providers.apis.responses.state import Thoughts, read_thoughts

Item = Mapping[str, Any]
_CACHE: Final = "cache_control"


class NoForm(Exception):
    """A part of the request has no form in the API. The message is meant for the producer."""


def message_items(request: LLMRequest, dropped: list[str]) -> list[Item]:
    """Convert `request.messages` to items."""
    writer = _Writer(OPENAI_RESPONSES.rewritten(uses_in_messages(request.messages)), dropped)
    items: list[Item] = []
    dropped += omitted_in_responses(request)
    for index, message in enumerate(request.messages):
        path = f"messages[{index}]"
        if message.get("name") is not None:
            dropped.append(f"{path}.name")
        if _CACHE in message:
            dropped.append(f"{path}.{_CACHE}")
        dropped += thoughts_in_words(message, path)
        state = message.get(STATE)
        thoughts = read_thoughts(state)
        if state is not None and thoughts == Thoughts():
            dropped.append(f"{path}.{STATE}: {UNREADABLE}")
        if request.previous_response_id is not None and thoughts.items:
            dropped.append(f"{path}.{STATE}: the API goes on from the answer that it has stored")
            thoughts = Thoughts()
        items += writer.items(message, path, thoughts)
    return items


def input_items(given: Sequence[Item], dropped: list[str]) -> list[Item]:
    """The producer's `input`, without what the API would refuse."""
    ids = OPENAI_RESPONSES.rewritten(_uses(given))
    return [_input_item(item, f"input[{place}]", ids, dropped) for place, item in enumerate(given)]


def _input_item(item: Item, path: str, ids: Mapping[str, str], dropped: list[str]) -> Item:
    sent = dict(item)
    for key in (_CACHE, STATE):
        if sent.pop(key, None) is not None:
            dropped.append(f"{path}.{key}")
    if "role" in sent and "type" not in sent:
        sent = {"type": "message", **sent}
    if path in ids:
        sent["call_id"] = ids[path]
    for key in ("content", "output"):
        parts = sent.get(key)
        if isinstance(parts, list | tuple):
            sent[key] = [
                _input_part(part, f"{path}.{key}[{place}]", dropped)
                for place, part in enumerate(parts)
            ]
    return sent


def _input_part(part: Any, path: str, dropped: list[str]) -> Any:
    """The producer's part, without cache marks and invalid data."""
    match part:
        case {"type": "input_image" | "input_file"}:
            written = _media(part, path)
            # Unknown keys are the producer's, and are kept in an `input`.
            part = part if written is None else {**part, **written}
        case {"type": "input_audio"}:
            raise NoForm(f"{path} has no form in the Responses API: it takes no recordings")
        case _:
            pass
    return _uncached(part, path, dropped)


def _uncached(part: Any, path: str, dropped: list[str]) -> Any:
    if not isinstance(part, Mapping) or _CACHE not in part:
        return part
    dropped.append(f"{path}.{_CACHE}")
    return {key: value for key, value in part.items() if key != _CACHE}


def _uses(items: Sequence[Item]) -> Iterator[Use]:
    turn = 0
    for place, item in enumerate(items):
        kind = str(item.get("type", "message"))
        is_result, call_id = kind.endswith("_output"), item.get("call_id")
        if isinstance(call_id, str):
            yield Use(f"input[{place}]", call_id, turn, is_result)
        turn += is_result or item.get("role", "assistant") != "assistant"


class _Writer:
    """Converts the messages of one request in order."""

    def __init__(self, ids: Mapping[str, str], dropped: list[str]) -> None:
        self._ids = ids
        self._dropped = dropped
        self._custom: set[str] = set()
        """Ids of calls of custom tools."""

    def items(self, message: Message, path: str, thoughts: Thoughts) -> list[Item]:
        role, content = message["role"], message.get("content")
        if role == "tool":
            call_id = self._ids[path]
            kind = "custom_tool_call_output" if call_id in self._custom else "function_call_output"
            output = self._content(content, path)
            return [{"type": kind, "call_id": call_id, "output": output}]
        if role == "assistant":
            return self._assistant(message, path, thoughts)
        return [{"type": "message", "role": role, "content": self._content(content, path)}]

    def _assistant(self, message: Message, path: str, thoughts: Thoughts) -> list[Item]:
        said = self._said(message, path)
        calls = [
            self._call(call, f"{path}.tool_calls[{place}]")
            for place, call in enumerate(message.get("tool_calls") or ())
        ]
        spoken: dict[str, Any] = {"type": "message", "role": "assistant", "content": said}
        if thoughts.phase is not None:
            spoken["phase"] = thoughts.phase
        # A thought must be followed by what it led to.
        followed = [*([spoken] if said or not calls else []), *calls]
        first = 0 if said or not calls else 1
        items: list[Item] = []
        for place, item in enumerate(followed, start=first):
            items += thoughts.before(place) if place > first else thoughts.up_to(place)
            items.append(item)
        return items

    def _said(self, message: Message, path: str) -> Any:
        """An assistant's content: one text, unless it has other parts."""
        content = message.get("content")
        if not isinstance(content, list | tuple):
            refusal = message.get("refusal")
            return content or (refusal if isinstance(refusal, str) else "")
        parts: list[Any] = []
        texts: list[str] = []
        for place, part in enumerate(content):
            known = read_part(part)
            where = f"{path}.content[{place}]"
            if isinstance(known, Thought):
                self._dropped.append(f"{where}: another provider's thoughts")
            elif isinstance(known, Text):
                _uncached(part, where, self._dropped)
                parts.append({"type": "output_text", "text": known.text})
                texts.append(known.text)
            elif has_odd_data(part):
                raise NoForm(f"{where}: expected base64, or a data: URL")
            else:
                parts.append(_uncached(part, where, self._dropped))
        return "".join(texts) if len(texts) == len(parts) else parts

    def _content(self, content: Any, path: str) -> Any:
        if not isinstance(content, list | tuple):
            return content if content is not None else ""
        parts: list[Any] = []
        for place, part in enumerate(content):
            where = f"{path}.content[{place}]"
            if isinstance(read_part(part), Thought):
                self._dropped.append(f"{where}: another provider's thoughts")
            else:
                parts.append(_part(_uncached(part, where, self._dropped), where))
        if all(isinstance(it, Mapping) and it.keys() == {"type", "text"} for it in parts):
            return "".join(str(it["text"]) for it in parts)
        return parts

    def _call(self, call: Any, path: str) -> Item:
        if not isinstance(call, Mapping) or not isinstance(call.get("id"), str | None):
            raise NoForm(f"{path} has no form in the Responses API")
        match call:
            case {"function": {"name": str(name), **more}}:
                text = _arguments(more.get("arguments"), path)
                sent = self._ids[path]
                return {"type": "function_call", "call_id": sent, "name": name, "arguments": text}
            case {"custom": {"name": str(name), "input": str(text)}}:
                sent = self._ids[path]
                self._custom.add(sent)
                return {"type": "custom_tool_call", "call_id": sent, "name": name, "input": text}
            case _:
                raise NoForm(f"{path} has no form in the Responses API")


def _arguments(given: Any, path: str) -> str:
    """The arguments as text; none are an empty object. Raises `NoForm` for JSON with a value that
    cannot be sent. Text that is not JSON at all is the model's, and is kept."""
    text = given if isinstance(given, str) else json.dumps(given or {})
    text = text if text.strip() else "{}"
    parsed = parse(text)
    if not isinstance(parsed, Parsed) and not parsed.reason.startswith("not JSON"):
        raise NoForm(f"{path}: the arguments hold {parsed.reason}")
    return text


def _part(part: Any, path: str) -> Any:
    known = read_part(part)
    if isinstance(known, Text):
        return {"type": "input_text", "text": known.text}
    written = _media(part, path)
    if written is not None:
        return written
    match part:  # the API validates unknown forms
        case {"type": "input_image"}:
            return {"detail": "auto", **part}
        case {"type": "file", "file": Mapping() as file}:
            return {"type": "input_file", **file}
        case _:
            return part


def _media(part: Any, path: str) -> dict[str, Any] | None:
    """An image or a document in this API's form; None for other parts."""
    known = read_part(part)
    if has_odd_data(part):
        raise NoForm(f"{path}: expected base64, or a data: URL")
    if not isinstance(known, Media):
        return None
    if known.kind == "audio":
        raise NoForm(f"{path} has no form in the Responses API: it takes no recordings")
    data = None if known.data is None else f"data:{known.media_type};base64,{known.data}"
    if known.kind == "image":
        source = {"image_url": data or known.url, "file_id": known.file_id}
        said = {key: value for key, value in source.items() if value is not None}
        return {"type": "input_image", **said, "detail": known.detail or "auto"}
    source = {
        "filename": known.name if data is None else file_name(known),
        "file_data": data,
        "file_url": known.url,
        "file_id": known.file_id,
    }
    return {"type": "input_file", **{k: v for k, v in source.items() if v is not None}}
