"""Provider state that travels with a message: encrypted reasoning, signatures, ids.

An answer, and each of its calls, may have a `provider_state`: JSON text that only the provider
understands, sealed with the name of its owner. A producer sends it back in the same place, in the
message and its calls, and it is replayed to its owner only. Since it comes from a producer, it is
foreign text: it is bounded here, and the API that replays it uses only what has the expected form.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from msgspec import structs

from nexus_actors.contract.request import LLMRequest, Message
from nexus_actors.contract.wrong import Path, Wrong

STATE: Final = "provider_state"
"""The key of the state in a message, a call and a result."""
_SAID_TWICE: Final = "extra_content"
"""The key under which Google's chat API has a signature that is also in the state."""
UNREADABLE: Final = "nothing in it can be sent back"
"""Why a state is reported although its owner is right: it was changed in between."""
STATE_LIMIT: Final = 256 * 1024
"""The most bytes of all states of one message and its calls. Larger ones are left out and
reported."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The owner of a state."""

    provider: str
    """The provider's name in the config."""
    model: str
    key_name: str | None = None
    """The name of the key, never the key itself."""

    def seal(self, text: str) -> dict[str, Any]:
        """Seal a state: put the owner's name on it."""
        return {
            "provider": self.provider,
            "model": self.model,
            "key": self.key_name,
            "state": text,
        }

    def opened(self, sealed: Any) -> str | None:
        """The text of a state of this owner; None for another owner's, or if it is not a state."""
        match sealed:
            case {"provider": self.provider, "model": self.model, "state": str(text), **more}:
                return text if more.get("key") == self.key_name else None
            case _:
                return None


def wrong_state(holder: Mapping[str, Any], path: Path) -> Wrong | None:
    """What is wrong with the form of a message's or call's state; None if nothing, or without
    one."""
    sealed = holder.get(STATE)
    if sealed is None:
        return None
    if not isinstance(sealed, Mapping):
        return Wrong((*path, STATE), "an object with provider, model, key and state", sealed)
    for key in ("provider", "model", "state"):
        if not isinstance(sealed.get(key), str):
            return Wrong((*path, STATE, key), "text", sealed.get(key))
    if not isinstance(sealed.get("key"), str | None):
        return Wrong((*path, STATE, "key"), "text", sealed["key"])
    return None


def seal_answer(
    owner: Owner, state: str | None, calls: Sequence[Mapping[str, Any]]
) -> tuple[dict[str, Any] | None, tuple[Mapping[str, Any], ...], bool]:
    """Seal the states (`provider_state`, as text) of an answer and its calls. Also returns whether
    they were left out because of their size."""
    texts = [text for text in (state, *(call.get(STATE) for call in calls)) if text]
    fits = sum(len(text.encode("utf-8", "replace")) for text in texts) <= STATE_LIMIT
    sealed = owner.seal(state) if state and fits else None
    kept = tuple(
        {**call, STATE: owner.seal(call[STATE])} if fits and call.get(STATE) else _without(call)
        for call in calls
    )
    return sealed, kept, not fits


def open_states(request: LLMRequest, owner: Owner) -> tuple[LLMRequest, tuple[str, ...]]:
    """The request with the states of `owner` opened and others removed, and the notes for `dropped`
    about the removed ones."""
    if not any(True for _ in _sealed(request)):
        return request, ()
    dropped: list[str] = []
    messages = tuple(
        _open_message(message, f"messages[{index}]", owner, dropped)
        for index, message in enumerate(request.messages)
    )
    return structs.replace(request, messages=messages), tuple(dropped)


def key_of_states(request: LLMRequest, provider: str) -> str | None:
    """The name of the key with which this provider's newest state in the request was made."""
    names = [
        sealed.get("key")
        for sealed in _sealed(request)
        if isinstance(sealed, Mapping) and sealed.get("provider") == provider
    ]
    return next((name for name in reversed(names) if isinstance(name, str)), None)


def _sealed(request: LLMRequest) -> Iterator[Any]:
    for message in request.messages:
        if message.get(STATE) is not None:
            yield message[STATE]
        for call in _calls(message):
            if isinstance(call, Mapping) and call.get(STATE) is not None:
                yield call[STATE]


def _calls(message: Message) -> Sequence[Any]:
    calls = message.get("tool_calls")
    return calls if isinstance(calls, list | tuple) else ()


def _open_message(message: Message, path: str, owner: Owner, dropped: list[str]) -> Message:
    places: list[tuple[str, Mapping[str, Any]]] = [(path, message)]
    places += [
        (f"{path}.tool_calls[{place}]", call)
        for place, call in enumerate(_calls(message))
        if isinstance(call, Mapping)
    ]
    holders = [(place, holder) for place, holder in places if holder.get(STATE) is not None]
    if not holders:
        return message
    texts = {place: owner.opened(holder[STATE]) for place, holder in holders}
    size = sum(len(text.encode("utf-8", "replace")) for text in texts.values() if text is not None)
    why = "larger than 256 KiB" if size > STATE_LIMIT else "another provider's, model's or key's"
    kept = {
        place: text for place, text in texts.items() if text is not None and size <= STATE_LIMIT
    }
    dropped += [f"{place}.{STATE}: {why}" for place in texts if place not in kept]
    opened = _replaced(message, kept.get(path))
    if "tool_calls" in message:
        opened["tool_calls"] = [
            _replaced(call, kept.get(f"{path}.tool_calls[{place}]"))
            if isinstance(call, Mapping)
            else call
            for place, call in enumerate(_calls(message))
        ]
    return opened


def _replaced(holder: Mapping[str, Any], text: str | None) -> dict[str, Any]:
    rest = _without(holder)
    if text is not None:
        return {**rest, STATE: text}
    if holder.get(STATE) is not None:
        rest.pop(_SAID_TWICE, None)
    return rest


def _without(holder: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in holder.items() if key != STATE}
