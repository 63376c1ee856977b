"""Ids of calls as a target takes them. Providers are strict about the ids of others: Mistral wants
nine alphanumerics, OpenAI's chat at most 40 characters, Anthropic letters, digits, `_` and `-`, and
no id twice, where some servers number the calls of each answer anew.

One deterministic rewrite: an id that fits stays as it is where it is first used; any other becomes
a digest of itself and of how often it was used before, the same in a call and in its result, and
different from every other id of the conversation. No id is the empty one.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_Key = tuple[str, int]
"""An id, and the how manieth call it is that has it, from one."""


@dataclass(frozen=True, slots=True)
class Use:
    """One place of a conversation that an id stands in."""

    path: str
    """The call or the result, such as `messages[2].tool_calls[0]`."""
    id: str
    turn: int
    """Calls that are made at once have the same."""
    is_result: bool = False


@dataclass(frozen=True, slots=True)
class Said:
    """What of a message its ids hang on."""

    path: str
    role: str
    calls: Sequence[Any] = ()
    """The ids of its calls, whatever they are."""
    answered: Any = None
    """A tool's: the id of the call."""


def uses_in(said: Iterable[Said]) -> Iterator[Use]:
    """Those in a conversation, by `messages[i]` and `messages[i].tool_calls[j]`."""
    turn = 0
    for message in said:
        if message.role == "tool":
            yield Use(message.path, _text(message.answered), turn, is_result=True)
        for place, call_id in enumerate(message.calls):
            yield Use(f"{message.path}.tool_calls[{place}]", _text(call_id), turn)
        turn += message.role != "assistant"


def uses_in_messages(messages: Iterable[Mapping[str, Any]]) -> Iterator[Use]:
    """Those in messages as chat completions have them."""
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
    """What a target takes for the id of a call."""

    pattern: re.Pattern[str]
    length: int
    """Characters of an id that is made; it must fit the pattern when made of letters and digits."""

    def rewritten(self, uses: Iterable[Use]) -> Mapping[str, str]:
        """For each place of one conversation, by its path, the id to send."""
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
    """A result belongs to the nearest call before it; of calls that were made at once under one id,
    each result to the next. One that no call stands before has the id of the first."""
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
