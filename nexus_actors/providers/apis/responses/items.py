"""A conversation as the items of the Responses API.

Source: https://developers.openai.com/api/docs/api-reference/responses/create

By these rules:

- every message says that it is one (`"type": "message"`): llama.cpp refuses those that do not;
- a system message stays where it stood, as an item of role `system`: as `instructions` it would
  move to the front, and be forgotten by the answer that continues this one;
- of a content part, what other APIs write their way is translated; every other part goes as it is,
  and the API says so if it does not know it: to drop one would change the question. A recording is
  refused: the API has no place for one. Another provider's thoughts are dropped, and told;
- text alone is a plain string; an assistant's texts are one text, the only form that needs no id of
  an earlier answer;
- the thoughts that an answer came with go back where they stood (`responses/state.py`);
- ids of calls that are too long or stand twice are rewritten, the same in a call and in its result;
- the `name` of a message and `cache_control` are dropped, and told; a message's further keys are
  the producers' own, dropped and not told.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from nexus_actors.contract.json_text import Parsed, parse
from nexus_actors.contract.provider_state import STATE, UNREADABLE
from nexus_actors.contract.request import LLMRequest, Message
from nexus_actors.providers.apis.call_ids import OPENAI_RESPONSES, Use, uses_in_messages
from nexus_actors.providers.apis.conversation import thoughts_in_words
from nexus_actors.providers.apis.parts import (
    Media,
    Text,
    Thought,
    file_name,
    has_odd_data,
    read_part,
)
from nexus_actors.providers.apis.responses.state import Thoughts, read_thoughts
from nexus_actors.providers.apis.untold import untold_in_responses

Item = Mapping[str, Any]
_CACHE: Final = "cache_control"


class NoForm(Exception):
    """Something of the request cannot be said; the words are for the producer."""


def message_items(request: LLMRequest, dropped: list[str]) -> list[Item]:
    """The items that say `request.messages`."""
    writer = _Writer(OPENAI_RESPONSES.rewritten(uses_in_messages(request.messages)), dropped)
    items: list[Item] = []
    dropped += untold_in_responses(request)
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
    """`input` as the producer sent it, but for what the API would refuse."""
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
    """A part as the producer sent it, but for marks of caches and data in an odd form."""
    match part:
        case {"type": "input_image" | "input_file"}:
            written = _media(part, path)
            # Further keys are the producer's: of an `input` they go on.
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
    """Writes the messages of one request, in their order."""

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
        # A thought must be followed by what came of it.
        followed = [*([spoken] if said or not calls else []), *calls]
        first = 0 if said or not calls else 1
        items: list[Item] = []
        for place, item in enumerate(followed, start=first):
            items += thoughts.before(place) if place > first else thoughts.up_to(place)
            items.append(item)
        return items

    def _said(self, message: Message, path: str) -> Any:
        """An assistant's content: one text, unless there is more than text in it."""
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
    """As text; none are an empty object. Refuses what looks like JSON and that no JSON can carry.
    What a model wrote that is no JSON at all is its own affair."""
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
    match part:  # what is in no known form is the API's to judge
        case {"type": "input_image"}:
            return {"detail": "auto", **part}
        case {"type": "file", "file": Mapping() as file}:
            return {"type": "input_file", **file}
        case _:
            return part


def _media(part: Any, path: str) -> dict[str, Any] | None:
    """An image or a document in this API's form; None for what is neither."""
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
