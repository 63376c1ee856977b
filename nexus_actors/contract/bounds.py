"""How much one request may contain, whatever its size in bytes, so that it does not slow down
others.

A request is read in several passes (decoding, URLs, the estimate, each provider's form), and the
cost of each depends on values, not bytes. So values are counted before anything else is done.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from nexus_actors.contract.json_text import values_within
from nexus_actors.contract.wrong import Path, Wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """`[requests]` of the config. What is beyond is refused, with the number and the setting."""

    max_values: int = 200_000
    """Values of JSON, those in the arguments of its calls among them."""
    max_parts: int = 10_000
    """Messages or items of an `input`, parts of their contents, and calls, together."""
    max_tools: int = 1_000
    """Tools, functions and MCP servers together."""
    max_urls: int = 2_000
    """URLs that a provider may fetch; what comes as data is none."""
    max_hosts: int = 32
    """Hosts of these."""


DEFAULTS: Final = Bounds()
WIDEST: Final = Bounds(
    max_values=10_000_000,
    max_parts=1_000_000,
    max_tools=100_000,
    max_urls=100_000,
    max_hosts=1_000,
)
"""The most that a config can allow. For producers, which do not know the config."""


def too_many(fields: Mapping[str, Any], bounds: Bounds) -> Wrong | None:
    """Where a request exceeds the bounds; None if it does not."""
    return (
        _too_many_tools(fields, bounds)
        or _too_many_parts(fields, bounds)
        or _too_many_in_calls(fields, bounds)
    )


def beyond(setting: str, most: int, what: str) -> str:
    """The expected value, for an error message."""
    return f"at most {most:,} {what} ([requests] {setting})"


def too_large(size: str, megabytes: int) -> str:
    """The error message for a message that is too large to be read."""
    return (
        f"a request of {size} is more than the {megabytes} MB allowed ([queue] message_megabytes)"
    )


def _too_many_tools(fields: Mapping[str, Any], bounds: Bounds) -> Wrong | None:
    count = 0
    for name in ("tools", "functions", "mcp_servers"):
        given = fields.get(name)
        count += len(given) if isinstance(given, list) else 0
        if count > bounds.max_tools:
            return Wrong((name,), beyond("max_tools", bounds.max_tools, "tools"), count=count)
    return None


def _too_many_parts(fields: Mapping[str, Any], bounds: Bounds) -> Wrong | None:
    count = 0
    most = bounds.max_parts
    for name in ("messages", "input", "system"):
        given = fields.get(name)
        if not isinstance(given, list):
            continue
        count += len(given)
        found: Path = (name,)
        for index, item in enumerate(given if count <= most else ()):
            if isinstance(item, dict):
                for key in ("content", "output", "tool_calls"):
                    held = item.get(key)
                    count += len(held) if isinstance(held, list) else 0
            if count > most:
                found = (name, index)
                break
        if count > most:
            words = "messages, items, parts and calls together"
            return Wrong(found, beyond("max_parts", most, words), count=count)
    return None


def _too_many_in_calls(fields: Mapping[str, Any], bounds: Bounds) -> Wrong | None:
    """Count arguments of calls, which are JSON in a text and are read as often as the rest."""
    count = 0
    for path, text in _arguments(fields):
        count += values_within(text, bounds.max_values)
        if count > bounds.max_values:
            words = "values of JSON in the arguments of calls"
            return Wrong(path, beyond("max_values", bounds.max_values, words), count=count)
    return None


def _arguments(fields: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    for name in ("messages", "input"):
        given = fields.get(name)
        for index, item in enumerate(given if isinstance(given, list) else ()):
            if not isinstance(item, dict):
                continue
            if isinstance(text := item.get("arguments"), str):
                yield (name, index, "arguments"), text
            calls = item.get("tool_calls")
            for place, call in enumerate(calls if isinstance(calls, list) else ()):
                function = call.get("function") if isinstance(call, dict) else None
                text = function.get("arguments") if isinstance(function, dict) else None
                if isinstance(text, str):
                    yield (name, index, "tool_calls", place), text
