"""The conversation of a request: `messages` checked, the Responses API's `input` made messages."""

from dataclasses import dataclass
from typing import Any, Final

from nexus_actors.contract.request import Message

ROLES: Final = ("system", "user", "assistant", "tool")
_INPUT_ROLES: Final = {**{role: role for role in ROLES}, "developer": "system"}
HAVE_MESSAGE: Final = ("message", "function_call", "function_call_output")
"""Types of items of an `input` that are told by messages."""
_Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with the conversation: where, and what was expected there."""

    path: _Path
    expected: str
    found: Any
    """Only its type may be told."""


def read_messages(value: Any) -> tuple[Message, ...] | Wrong:
    """`messages` as sent: a list of objects with role and content. Further keys are kept."""
    if not isinstance(value, list):
        return Wrong(("messages",), "a list of messages", value)
    messages: list[Message] = []
    for index, item in enumerate(value):
        message = _read_message(item, ("messages", index), ROLES)
        if isinstance(message, Wrong):
            return message
        messages.append(message)
    return tuple(messages)


def _read_message(item: Any, path: _Path, roles: Any) -> dict[str, Any] | Wrong:
    if not isinstance(item, dict):
        return Wrong(path, "an object with role and content", item)
    role = item.get("role")
    if not isinstance(role, str) or role not in roles:
        return Wrong((*path, "role"), f"one of {', '.join(roles)}", role)
    wrong = _check_calls(item, path)
    if wrong is not None:
        return wrong
    content = item.get("content")
    if content is None and role == "assistant" and item.get("tool_calls"):
        # The chat API's own form of an answer that consists of tool calls.
        return {**item, "content": ""}
    wrong = _check_content(content, (*path, "content"))
    return wrong if wrong is not None else item


def _check_calls(item: dict[str, Any], path: _Path) -> Wrong | None:
    calls, call_id = item.get("tool_calls"), item.get("tool_call_id")
    if calls is not None and not isinstance(calls, list):
        return Wrong((*path, "tool_calls"), "a list of calls", calls)
    for index, call in enumerate(calls or ()):
        if not isinstance(call, dict):
            return Wrong((*path, "tool_calls", index), "a call (an object)", call)
    if call_id is not None and not isinstance(call_id, str):
        return Wrong((*path, "tool_call_id"), "text", call_id)
    return None


def _check_content(content: Any, path: _Path) -> Wrong | None:
    if isinstance(content, str):
        return None
    if not isinstance(content, list):
        return Wrong(path, "text or a list of content parts", content)
    for index, part in enumerate(content):
        if not isinstance(part, dict):
            return Wrong((*path, index), "a content part (an object with a type)", part)
        if not isinstance(part.get("type"), str):
            return Wrong((*path, index, "type"), "the content part's type", part.get("type"))
    return None


def read_input(value: Any) -> tuple[Message, ...] | Wrong:
    """`input` as messages: a text is one user message; of a list of Responses items, messages,
    function calls and their outputs are translated. Other items (reasoning, references) exist
    only in that API: they have no message and stay in `LLMRequest.input` alone."""
    if isinstance(value, str):
        return ({"role": "user", "content": value},)
    if not isinstance(value, list):
        return Wrong(("input",), "text or a list of Responses items", value)
    messages: list[dict[str, Any]] = []
    for index, item in enumerate(value):
        wrong = _add_item(messages, item, ("input", index))
        if wrong is not None:
            return wrong
    if not messages:
        return Wrong(("input",), "at least one message or function call output", value)
    return tuple(messages)


def _add_item(messages: list[dict[str, Any]], item: Any, path: _Path) -> Wrong | None:
    if not isinstance(item, dict):
        return Wrong(path, "a Responses item (an object)", item)
    match item.get("type", "message"):
        case "message":
            message = _read_message(item, path, tuple(_INPUT_ROLES))
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
    return None


def _chat_message(item: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in item.items() if key not in {"type", "id", "status"}}
    content = item["content"]
    if isinstance(content, list):
        content = [_chat_part(part) for part in content]
    return {**kept, "role": _INPUT_ROLES[item["role"]], "content": content}


def _chat_part(part: dict[str, Any]) -> dict[str, Any]:
    """A Responses content part in the chat API's form; one without such a form stays as it is."""
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
    messages: list[dict[str, Any]], item: dict[str, Any], path: _Path
) -> Wrong | None:
    for key in ("call_id", "name", "arguments"):
        if not isinstance(item.get(key), str):
            return Wrong((*path, key), "text", item.get(key))
    call = {
        "id": item["call_id"],
        "type": "function",
        "function": {"name": item["name"], "arguments": item["arguments"]},
    }
    # The chat API wants all calls of one turn in one assistant message.
    if messages and messages[-1]["role"] == "assistant":
        last = messages[-1]
        messages[-1] = {**last, "tool_calls": [*last.get("tool_calls", ()), call]}
    else:
        messages.append({"role": "assistant", "content": "", "tool_calls": [call]})
    return None


def _add_function_output(
    messages: list[dict[str, Any]], item: dict[str, Any], path: _Path
) -> Wrong | None:
    if not isinstance(item.get("call_id"), str):
        return Wrong((*path, "call_id"), "text", item.get("call_id"))
    output = item.get("output")
    wrong = _check_content(output, (*path, "output"))
    if wrong is not None:
        return wrong
    if isinstance(output, list):
        output = [_chat_part(part) for part in output]
    messages.append({"role": "tool", "tool_call_id": item["call_id"], "content": output})
    return None
