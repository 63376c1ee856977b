"""Rewrites ids of tool calls so that a provider accepts them. Providers are strict about ids made
by others: Mistral requires nine alphanumerics, OpenAI's chat at most 40 characters, Anthropic
letters, digits, `_` and `-`, and unique ids, while some servers number the calls of each answer
from the beginning.

The rewrite is deterministic. A valid id is kept at its first use. Any other becomes a digest of
itself and of how often it was used before. It is the same in a call and its result, and differs
from all other ids of the conversation. Ids are never empty.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_Key = tuple[str, int]
"""An id, and the ordinal of its use, from one."""


@dataclass(frozen=True, slots=True)
class Use:
    """One place of an id in a conversation."""

    path: str
    """The call or the result, such as `messages[2].tool_calls[0]`."""
    id: str
    turn: int
    """The same for all parallel calls."""
    is_result: bool = False


@dataclass(frozen=True, slots=True)
class Said:
    """The parts of a message that determine its ids."""

    path: str
    role: str
    calls: Sequence[Any] = ()
    """The ids of its calls, of any type."""
    answered: Any = None
    """For a tool's result: the id of the call."""


def uses_in(said: Iterable[Said]) -> Iterator[Use]:
    """The uses of ids in a conversation, with paths like `messages[i].tool_calls[j]`."""
    turn = 0
    for message in said:
        if message.role == "tool":
            yield Use(message.path, _text(message.answered), turn, is_result=True)
        for place, call_id in enumerate(message.calls):
            yield Use(f"{message.path}.tool_calls[{place}]", _text(call_id), turn)
        turn += message.role != "assistant"


def uses_in_messages(messages: Iterable[Mapping[str, Any]]) -> Iterator[Use]:
    """The uses of ids in messages in the form of chat completions."""
    return uses_in(
        Said(f"messages[{index}]", message["role"], _ids(message), message.get("tool_call_id"))
        for index, message in enumerate(messages)
    )


def _ids(message: Mapping[str, Any]) -> list[Any]:
    calls = message.get("tool_calls")
    found = calls if isinstance(calls, list | tuple) else ()
    return [call.get("id") if isinstance(call, Mapping) else None for call in found]


def _text(call_id: Any) -> str:
    return call_id if isinstance(call_id, str) else ""


@dataclass(frozen=True, slots=True)
class CallIds:
    """The ids that a provider accepts."""

    pattern: re.Pattern[str]
    length: int
    """The length of a generated id, which consists of letters and digits and must match the
    pattern."""

    def rewritten(self, uses: Iterable[Use]) -> Mapping[str, str]:
        """The id to send for each place of one conversation, by its path."""
        keys = _keys(uses)
        distinct = tuple(dict.fromkeys(keys.values()))
        sent = {key: key[0] for key in distinct if key[1] == 1 and self.pattern.fullmatch(key[0])}
        used = set(sent.values())
        for key in distinct:
            if key in sent:
                continue
            salt = 0
            while (made := self._made(key, salt)) in used:
                salt += 1
            used.add(made)
            sent[key] = made
        return {path: sent[key] for path, key in keys.items()}

    def _made(self, key: _Key, salt: int) -> str:
        original, ordinal = key
        again = f"{ordinal}\0" if ordinal > 1 else ""
        text = f"{salt}\0{again}{original}".encode("utf-8", "replace")
        number = int.from_bytes(blake2b(text, digest_size=32).digest())
        digits = ""
        while len(digits) < self.length:
            number, digit = divmod(number, len(_DIGITS))
            digits += _DIGITS[digit]
        return digits


def _keys(uses: Iterable[Use]) -> dict[str, _Key]:
    """Assign results to calls. A result belongs to the nearest call before it with its id; parallel
    calls with the same id get their results in order. A result without a call before it belongs to
    the first one."""
    keys: dict[str, _Key] = {}
    count: dict[str, int] = {}
    turns: dict[str, int] = {}
    waiting: dict[str, deque[int]] = {}
    for use in uses:
        known = count.get(use.id, 0)
        open_ = waiting.setdefault(use.id, deque())
        if use.is_result:
            keys[use.path] = (use.id, open_.popleft() if open_ else max(known, 1))
            continue
        if turns.get(use.id) != use.turn:
            open_.clear()
        turns[use.id], count[use.id] = use.turn, known + 1
        open_.append(known + 1)
        keys[use.path] = (use.id, known + 1)
    return keys


ANTHROPIC: Final = CallIds(re.compile(r"[a-zA-Z0-9_-]{1,64}"), 24)
"""https://platform.claude.com/docs/en/api/messages: `^[a-zA-Z0-9_-]+$`."""
MISTRAL: Final = CallIds(re.compile(r"[a-zA-Z0-9]{9}"), 9)
OPENAI_CHAT: Final = CallIds(re.compile(r".{1,40}", re.DOTALL), 24)
OPENAI_RESPONSES: Final = CallIds(re.compile(r".{1,64}", re.DOTALL), 24)
