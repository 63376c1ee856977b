"""The conversation of a request: checks `messages`, and converts the Responses API's `input` to
messages.

Equivalent forms are unified: the role `developer` becomes `system`, an assistant's refusal becomes
its content, an empty list of calls is removed, and calls are in the form of `calls.py`.
"""

from dataclasses import dataclass
from typing import Any, Final

from nexus_actors.contract.calls import read_arguments, read_calls
from nexus_actors.contract.provider_state import STATE, wrong_state
from nexus_actors.contract.request import Message
from nexus_actors.contract.wrong import Path, Wrong

_ROLES: Final = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
}
"""Roles as sent → roles as used."""
HAVE_MESSAGE: Final = ("message", "function_call", "function_call_output")
"""Types of `input` items that messages can express."""
_TEXTS: Final = ("text", "input_text", "output_text")
"""Types of parts that require a text."""
_WITHOUT_CONTENT: Final = (
    "tool_calls",
    STATE,
    "reasoning_content",
    "reasoning",
    "reasoning_details",
)
"""An assistant's message with one of these keys needs no content."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """The conversation: as messages, and as `input` for the Responses API."""

    messages: tuple[Message, ...]
    input: str | tuple[dict[str, Any], ...] | None = None
    """None if only the messages have all of it."""


def read_messages(value: Any) -> tuple[Message, ...] | Wrong:
    """Check `messages`: a list of objects with role and content. Further keys are kept."""
    if not isinstance(value, list):
        return Wrong(("messages",), "a list of messages", value)
    messages: list[Message] = []
    for index, item in enumerate(value):
        message = _read_message(item, ("messages", index))
        if isinstance(message, Wrong):
            return message
        messages.append(message)
    return tuple(messages)


def _read_message(item: Any, path: Path) -> dict[str, Any] | Wrong:
    if not isinstance(item, dict):
        return Wrong(path, "an object with role and content", item)
    role = item.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        return Wrong((*path, "role"), f"one of {', '.join(_ROLES)}", role)
    wrong = _check_keys(item, path)
    if wrong is not None:
        return wrong
    message = read_calls({**item, "role": _ROLES[role]}, path)
    if isinstance(message, Wrong):
        return message
    if role == "assistant":
        _fill_content(message)
    wrong = _check_content(message.get("content"), (*path, "content"))
    return message if wrong is None else wrong


def _check_keys(item: dict[str, Any], path: Path) -> Wrong | None:
    for key, expected in (("tool_call_id", "text"), ("refusal", "text")):
        if not isinstance(item.get(key), str | None):
            return Wrong((*path, key), expected, item[key])
    if item.get("function_call") is not None:
        # The form of calls before there were tools: current models do not know it.
        return Wrong((*path, "function_call"), "tool_calls", item["function_call"])
    if item.get(STATE) is not None and item["role"] != "assistant":
        return Wrong((*path, STATE), "none but in an assistant's message", item[STATE])
    return wrong_state(item, path)


def _fill_content(message: dict[str, Any]) -> None:
    """Fill in the content of the chat API's answers that have none."""
    if message.get("content") in (None, ""):
        refusal = message.pop("refusal", None)
        if refusal:
            message["content"] = refusal
        elif any(message.get(key) for key in _WITHOUT_CONTENT):
            message["content"] = ""


def _check_content(content: Any, path: Path) -> Wrong | None:
    if isinstance(content, str):
        return None
    if not isinstance(content, list):
        return Wrong(path, "text or a list of content parts", content)
    for index, part in enumerate(content):
        if not isinstance(part, dict):
            return Wrong((*path, index), "a content part (an object with a type)", part)
        if not isinstance(part.get("type"), str):
            return Wrong((*path, index, "type"), "the content part's type", part.get("type"))
        if part["type"] in _TEXTS and not isinstance(part.get("text"), str):
            return Wrong((*path, index, "text"), "text", part.get("text"))
    return None


def read_input(value: Any) -> Spoken | Wrong:
    """Convert `input` to messages. A text is one user message. Of a list of items, messages,
    function calls and their outputs are converted. Other items (reasoning, references) exist only
    in the Responses API, so they are kept in `LLMRequest.input` only."""
    if isinstance(value, str):
        return Spoken(({"role": "user", "content": value},), value)
    if not isinstance(value, list):
        return Wrong(("input",), "text or a list of Responses items", value)
    messages: list[dict[str, Any]] = []
    items: list[dict[str, Any]] = []
    for index, item in enumerate(value):
        read = _add_item(messages, item, ("input", index))
        if isinstance(read, Wrong):
            return read
        items.append(read)
    if not messages:
        return Wrong(("input",), "at least one message or function call output", value)
    return _spoken(tuple(messages), tuple(items))


def _spoken(messages: tuple[Message, ...], items: tuple[dict[str, Any], ...]) -> Spoken | Wrong:
    """Items are sent to the provider unchanged, but sealed states can only be in messages. If there
    is one, the messages must express everything, or the request is refused."""
    states = [index for index, item in enumerate(items) if item.get(STATE) is not None]
    if not states:
        return Spoken(messages, items)
    if any(item.get("type", "message") not in HAVE_MESSAGE for item in items):
        expected = "none beside items that only the Responses API has"
        return Wrong(("input", states[0], STATE), expected, items[states[0]][STATE])
    return Spoken(messages, None)


def _add_item(messages: list[dict[str, Any]], item: Any, path: Path) -> dict[str, Any] | Wrong:
    """Add the item to the messages. Returns the item as it is to be sent."""
    if not isinstance(item, dict):
        return Wrong(path, "a Responses item (an object)", item)
    match item.get("type", "message"):
        case "message":
            message = _read_message(item, path)
            if isinstance(message, Wrong):
                return message
            messages.append(_chat_message(message))
        case "function_call":
            return _add_function_call(messages, item, path)
        case "function_call_output":
            return _add_function_output(messages, item, path)
        case str():
            pass
        case found:
            return Wrong((*path, "type"), "the item's type", found)
    return item


def _chat_message(item: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in item.items() if key not in {"type", "id", "status"}}
    content = item["content"]
    if isinstance(content, list):
        content = [_chat_part(part) for part in content]
    return {**kept, "content": content}


def _chat_part(part: dict[str, Any]) -> dict[str, Any]:
    """Convert a Responses content part to the chat API's form, if it has one."""
    match part:
        case {"type": "input_text" | "output_text", "text": str(text)}:
            return {"type": "text", "text": text}
        case {"type": "refusal", "refusal": str(text)}:
            return {"type": "text", "text": text}
        case {"type": "input_image", "image_url": str(url)}:
            detail = {"detail": part["detail"]} if part.get("detail") else {}
            return {"type": "image_url", "image_url": {"url": url, **detail}}
        case {"type": "input_file"}:
            names = ("file_data", "file_id", "file_url", "filename")
            return {"type": "file", "file": {name: part[name] for name in names if name in part}}
        case _:
            return part


def _add_function_call(
    messages: list[dict[str, Any]], item: dict[str, Any], path: Path
) -> dict[str, Any] | Wrong:
    for key in ("call_id", "name"):
        if not isinstance(item.get(key), str):
            return Wrong((*path, key), "text", item.get(key))
    arguments = read_arguments(item.get("arguments"), (*path, "arguments"))
    if isinstance(arguments, Wrong):
        return arguments
    wrong = wrong_state(item, path)
    if wrong is not None:
        return wrong
    call = {
        "id": item["call_id"],
        "type": "function",
        "function": {"name": item["name"], "arguments": arguments},
        **({STATE: item[STATE]} if item.get(STATE) is not None else {}),
    }
    # The chat API requires all calls of one turn in one assistant message.
    if messages and messages[-1]["role"] == "assistant":
        # Our own list (`_chat_message`): copying it for each call would take quadratic time.
        last = messages[-1]
        if last.get("tool_calls") is None:
            last["tool_calls"] = []
        last["tool_calls"].append(call)
    else:
        messages.append({"role": "assistant", "content": "", "tool_calls": [call]})
    return {**item, "arguments": arguments}


def _add_function_output(
    messages: list[dict[str, Any]], item: dict[str, Any], path: Path
) -> dict[str, Any] | Wrong:
    if not isinstance(item.get("call_id"), str):
        return Wrong((*path, "call_id"), "text", item.get("call_id"))
    output = item.get("output")
    wrong = _check_content(output, (*path, "output"))
    if wrong is not None:
        return wrong
    if isinstance(output, list):
        output = [_chat_part(part) for part in output]
    messages.append({"role": "tool", "tool_call_id": item["call_id"], "content": output})
    return item
