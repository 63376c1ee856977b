"""What a provider says may quote the key or the prompt. What we repeat of it may not."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from nexus_actors.contract.request import LLMRequest

MESSAGE_LIMIT = 300
"""Characters of a failure's message."""
_READ_LIMIT = 1_000
"""Characters of a provider's message that are looked at, and read from it at all."""
_PROMPT_LIMIT = 100_000
"""Characters of each text of a prompt that are looked for: an error must not cost seconds."""
_SHORTEST_SECRET = 4
_KEY_WINDOW = 6
"""Characters of a key in a row that count as quoting it."""
_PROMPT_WINDOW = 20
"""Characters of a prompt in a row that count as quoting it; fewer occur by chance."""
_STEP = 8
"""Characters between the places where a quotation of the prompt is looked for first."""
_BLANK = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")


def safe_message(text: str, *, secrets: Iterable[str], prompt: Iterable[str]) -> str:
    """`text` on one line, with secrets and prompt masked, in at most `MESSAGE_LIMIT` characters.

    Also parts of a secret are masked: servers cut what they quote. Cutting comes last here, for
    the half of a key would no longer be known as one.
    """
    text = text[:_READ_LIMIT]
    for secret in secrets:
        if len(secret) >= _SHORTEST_SECRET:
            text = _mask(text, secret, min(_KEY_WINDOW, len(secret)), "[key]")
    for piece in (whole[:_PROMPT_LIMIT] for whole in prompt):
        if _may_quote(text, piece):
            text = _mask(text, piece, _PROMPT_WINDOW, "[prompt]")
    text = _BLANK.sub(" ", text).strip()
    return text if len(text) <= MESSAGE_LIMIT else text[: MESSAGE_LIMIT - 1] + "…"


def _may_quote(text: str, piece: str) -> bool:
    """Whether some stretch of `text` may stand in `piece`: each that is long enough to count has a
    block in it that begins at one of these places. Eight times fewer to look for, and mostly all.
    """
    length = _PROMPT_WINDOW - _STEP + 1
    starts = range(0, len(text) - length + 1, _STEP)
    return any(text[start : start + length] in piece for start in starts)


def _mask(text: str, secret: str, window: int, mark: str) -> str:
    """Replace each stretch of `text` all of whose windows occur in `secret`."""
    kept: list[str] = []
    start = 0
    while start < len(text):
        end = start + window
        if end > len(text) or text[start:end] not in secret:
            kept.append(text[start])
            start += 1
            continue
        while end < len(text) and text[end - window + 1 : end + 1] in secret:
            end += 1
        kept.append(mark)
        start = end
    return "".join(kept)


def request_texts(request: LLMRequest) -> Iterator[str]:
    """Every text in a request that may be its prompt; not the ids of calls, which errors name."""
    for message in request.messages:
        yield from texts(message.get("content"))
        calls = message.get("tool_calls")
        for call in calls if isinstance(calls, list | tuple) else ():
            yield from texts(call.get("function") if isinstance(call, Mapping) else call)
    yield from texts((request.tools, request.mcp_servers, request.response_format))


def request_secrets(request: LLMRequest) -> Iterator[str]:
    """What a request brings along for MCP servers to know it by."""
    for server in (*request.mcp_servers, *request.tools):
        yield from texts((server.get("authorization"), server.get("headers")))


def texts(value: Any) -> Iterator[str]:
    """Every text in a value of JSON."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts(item)
