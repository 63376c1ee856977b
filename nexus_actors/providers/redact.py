"""Masks keys and prompts that a provider's message may quote."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from nexus_actors.contract.request import LLMRequest

MESSAGE_LIMIT = 300
"""The most characters of a failure's message."""
_READ_LIMIT = 1_000
"""Characters of a provider's message that are read at all."""
_SHORTEST_SECRET = 4
_KEY_WINDOW = 6
"""Consecutive characters of a key that count as quoting it."""
_PROMPT_WINDOW = 20
"""Consecutive characters of a prompt that count as quoting it; fewer may match by chance."""
_MOST_REMEMBERED = 10_000
_BLANK = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")


def safe_message(text: str, *, secrets: Iterable[str], prompt: Iterable[str]) -> str:
    """`text` on one line, with secrets and prompt masked, in at most `MESSAGE_LIMIT` characters.

    Parts of a secret are masked, too, since servers truncate what they quote. Truncation is the
    last step here, since half a key would not be recognized. Takes time linear in the total length
    of secrets and prompt.
    """
    text = text[:_READ_LIMIT]
    by_window: dict[int, list[str]] = {}
    for secret in secrets:
        if len(secret) >= _SHORTEST_SECRET:
            by_window.setdefault(min(_KEY_WINDOW, len(secret)), []).append(secret)
    for window in sorted(by_window, reverse=True):
        text = _mask(text, by_window[window], window, "[key]")
    text = _mask(text, prompt, _PROMPT_WINDOW, "[prompt]")
    text = _BLANK.sub(" ", text).strip()
    return text if len(text) <= MESSAGE_LIMIT else text[: MESSAGE_LIMIT - 1] + "…"


def _mask(text: str, wholes: Iterable[str], window: int, mark: str) -> str:
    """Replace each part of `text` all of whose windows occur in `wholes`."""
    quoted = _quoted(text, wholes, window)
    if not quoted:
        return text
    kept: list[str] = []
    start = 0
    while start < len(text):
        end = start + window
        if text[start:end] not in quoted:
            kept.append(text[start])
            start += 1
            continue
        while end < len(text) and text[end - window + 1 : end + 1] in quoted:
            end += 1
        kept.append(mark)
        start = end
    return "".join(kept)


def _quoted(text: str, wholes: Iterable[str], window: int) -> set[str]:
    """The windows of `text` that occur in one of `wholes`, which may be long and many. They are
    scanned once, in blocks so short that every window contains a whole block."""
    step = window // 2
    block = window - step + 1
    windows = {text[at : at + window] for at in range(len(text) - window + 1)}
    blocks = {it[at : at + block] for it in windows for at in range(window - block + 1)}
    quoted: set[str] = set()
    seen: set[str] = set()
    for whole in wholes if windows else ():
        if len(whole) < window:
            continue
        for at in range(0, len(whole), step):
            if whole[at : at + block] not in blocks:
                continue
            around = whole[max(at + block - window, 0) : at + window]
            if around in seen:
                continue
            if len(seen) >= _MOST_REMEMBERED:
                seen.clear()
            seen.add(around)
            found = (around[it : it + window] for it in range(len(around) - window + 1))
            quoted.update(it for it in found if it in windows)
    return quoted


def request_texts(request: LLMRequest) -> Iterator[str]:
    """All texts of a request that may be its prompt, but not the ids of calls, which errors
    name."""
    for message in request.messages:
        yield from texts(message.get("content"))
        calls = message.get("tool_calls")
        for call in calls if isinstance(calls, list | tuple) else ():
            yield from texts(call.get("function") if isinstance(call, Mapping) else call)
    yield from texts((request.tools, request.mcp_servers, request.response_format))


def request_secrets(request: LLMRequest) -> Iterator[str]:
    """The credentials for MCP servers that a request contains."""
    for server in (*request.mcp_servers, *request.tools):
        yield from texts((server.get("authorization"), server.get("headers")))


def texts(value: Any) -> Iterator[str]:
    """All texts in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts(item)
