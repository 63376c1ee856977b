"""Writes the messages of a request in the form of chat completions.

- Unknown keys of messages are left out and not reported.
- Ids of calls that the server would refuse are rewritten, alike in a call and its result: see
  `apis/call_ids.py`.
- Parts of a tool's result other than text move to a user message after all results, because
  results only allow text. Reported as `messages[i].content[j]: moved into a user turn`.
- `tool_calls: []` and null are left out, so that every result of ours can be sent back.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from nexus_actors.contract.request import LLMRequest, Message
from nexus_actors.providers.apis.call_ids import uses_in_messages
from nexus_actors.providers.apis.chat.dialect import Dialect
from nexus_actors.providers.apis.chat.parts import PartWriter, Unsayable, Written
from nexus_actors.providers.apis.chat.state import CALL_KEYS, MESSAGE_KEYS, replayed
from nexus_actors.providers.takes import Takes

MOVED: Final = "moved into a user turn"
_UNCHECKED: Final = {"google": {"thought_signature": "skip_thought_signature_validator"}}
"""Replaces a signature: https://ai.google.dev/gemini-api/docs/thought-signatures."""
_GO_ON: Final = "Go on exactly where your last message stops, without repeating any of it."


class MessageWriter:
    """Writes the messages of one request. Appends to `dropped` meanwhile."""

    def __init__(
        self, request: LLMRequest, takes: Takes, dialect: Dialect, dropped: list[str]
    ) -> None:
        self._request = request
        self._takes = takes
        self._dialect = dialect
        self._dropped = dropped
        self._parts = PartWriter(takes, dialect, dropped)
        self._ids = dialect.ids.rewritten(uses_in_messages(request.messages))

    def written(self) -> list[dict[str, Any]]:
        """Write all messages. Raises `Unsayable` for one that the API cannot express."""
        written: list[dict[str, Any]] = []
        moved: list[dict[str, Any]] = []
        for index, message in enumerate(self._request.messages):
            if message["role"] != "tool" and moved:
                written.append({"role": "user", "content": moved})
                moved = []
            path = f"messages[{index}]"
            if message["role"] == "tool":
                written.append(self._result(message, path, moved))
            elif message["role"] == "assistant":
                written.append(self._assistant(message, path))
            else:
                written.append(self._said(message, path)[0])
        if moved:
            written.append({"role": "user", "content": moved})
        return self._with_last(written)

    def _with_last(self, written: list[dict[str, Any]]) -> list[dict[str, Any]]:
        last = written[-1] if written else {}
        if last.get("role") == "system" and not self._dialect.system_last:
            return self._system_asked(written)
        if last.get("role") != "assistant" or "tool_calls" in last:
            return written
        if not self._takes.prefill:
            path = f"messages[{len(self._request.messages) - 1}]"
            self._dropped.append(f"{path}: not the last, a user's asks to go on with it")
            return [*written, {"role": "user", "content": _GO_ON}]
        return [*written[:-1], {**last, "prefix": True}] if self._dialect.prefix else written

    def _system_asked(self, written: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Turn the trailing system messages into user messages."""
        self._dropped.append("messages: the system's words are asked as the user's")
        first = len(written)
        while first and written[first - 1]["role"] == "system":
            first -= 1
        return [*written[:first], *({**it, "role": "user"} for it in written[first:])]

    def _said(
        self, message: Message, path: str, *, text_only: bool = False
    ) -> tuple[dict[str, Any], Written]:
        """A message's role, name and content, and its parts."""
        said: dict[str, Any] = {"role": message["role"]}
        parts = self._parts.written(message.get("content"), path, text_only=text_only)
        said["content"] = parts.content()
        name = message.get("name")
        if name is not None and message["role"] in self._dialect.names:
            said["name"] = name
        elif name is not None:
            self._dropped.append(f"{path}.name")
        return said, parts

    def _result(self, message: Message, path: str, moved: list[dict[str, Any]]) -> dict[str, Any]:
        said, parts = self._said(message, path, text_only=True)
        call_id = self._ids[path]
        if parts.media:
            moved.append({"type": "text", "text": f"From the result of {call_id}:"})
            moved += [form for _, form in parts.media]
            self._dropped += [f"{path}.content[{place}]: {MOVED}" for place, _ in parts.media]
            said["content"] = said["content"] or "See the next message of the user's."
        return {**said, "tool_call_id": call_id}

    def _assistant(self, message: Message, path: str) -> dict[str, Any]:
        said, _ = self._said(message, path)
        refusal = message.get("refusal")
        if not said["content"] and isinstance(refusal, str):
            said["content"] = refusal  # the one field that every server has
        said |= replayed(message, path, MESSAGE_KEYS, self._takes, self._dropped)
        calls = message.get("tool_calls")
        if not isinstance(calls, list | tuple) or not calls:
            return said
        said["tool_calls"] = [
            self._call(call, f"{path}.tool_calls[{place}]") for place, call in enumerate(calls)
        ]
        if self._takes.signatures:
            said["tool_calls"][0].setdefault("extra_content", _UNCHECKED)
        if said["content"] == "":
            said["content"] = None  # as the API writes a message that has only tool calls
        if self._takes.reasoning_sent_back:
            said.setdefault("reasoning_content", "")
        return said

    def _call(self, call: Any, path: str) -> dict[str, Any]:
        if not isinstance(call, Mapping):
            raise Unsayable(f"{path}: expected a call")
        call_fields = {"id": self._ids[path], "type": call.get("type") or "function"}
        state = replayed(call, path, CALL_KEYS, self._takes, self._dropped)
        if call.get("cache_control") is not None:
            self._dropped.append(f"{path}.cache_control")
        match call:
            case {"custom": Mapping() as custom}:
                return {**call_fields, "type": "custom", "custom": custom, **state}
            case {"function": Mapping() as function}:
                arguments = arguments_text(function.get("arguments"))
                written = {"name": function.get("name"), "arguments": arguments}
                return {**call_fields, "function": written, **state}
            case _:
                raise Unsayable(f"{path}: expected a call of a function")


def arguments_text(arguments: Any) -> str:
    """The arguments of a call as JSON text; text is unchanged, none is an empty object. Raises
    `Unsayable` for a number that JSON cannot express."""
    if isinstance(arguments, str):
        return arguments if arguments.strip() else "{}"
    if arguments is None:
        return "{}"
    try:
        return json.dumps(arguments, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise Unsayable("the arguments of a call are nothing that JSON can carry") from None
