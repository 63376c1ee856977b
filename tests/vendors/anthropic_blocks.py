"""What the files of Anthropic's side share."""

import json
from hashlib import sha256
from typing import Any, Final

Body = dict[str, Any]


class Wrong(Exception):
    """A rule is broken: what the API says."""


def must(holds: Any, words: str) -> None:
    if not holds:
        raise Wrong(words)


def listed(content: Any) -> list[Body]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content)


def thinks_by_request(body: Body) -> bool:
    return body.get("thinking", {}).get("type") in ("adaptive", "enabled")


SIGNED: Final = "signed-"


def signature(body: Body, place: int, before: list[Body], thinking: str) -> str:
    """Of a block of thinking in message `place`, after the blocks `before`."""
    said = [
        body["model"],
        body.get("system"),
        body.get("tools"),
        [(it["role"], listed(it["content"])) for it in body["messages"][:place]],
        before,
        thinking,
    ]
    text = json.dumps(_unmarked(said), sort_keys=True)
    return SIGNED + sha256(text.encode()).hexdigest()


def _unmarked(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _unmarked(part) for key, part in value.items() if key != "cache_control"}
    if isinstance(value, list | tuple):
        return [_unmarked(part) for part in value]
    return value
