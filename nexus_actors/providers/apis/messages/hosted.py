"""Counts the calls of the provider's own tools that are charged, in an answer of the Messages API.

https://platform.claude.com/docs/en/about-claude/pricing#specific-tool-pricing: charges follow
`usage.server_tool_use`. For tools that are not in it, blocks are counted; a container means that
code was executed. A tool without a known price makes the cost unknown instead of zero.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from nexus_actors.providers.http.api import count, text_or_none

_REQUESTS: Final = "_requests"
_CODE: Final = "code_execution"


def hosted_calls(
    answer: Mapping[str, Any], blocks: Iterable[Mapping[str, Any]]
) -> Mapping[str, int]:
    """The number of calls of each tool, by our name of the tool."""
    usage = answer.get("usage")
    used = usage.get("server_tool_use") if isinstance(usage, Mapping) else None
    counts = {
        name.removesuffix(_REQUESTS): count(used, name)
        for name in (used if isinstance(used, Mapping) else ())
        if isinstance(name, str) and name.endswith(_REQUESTS)
    }
    seen = Counter(
        _name(text_or_none(block.get("name")))
        for block in blocks
        if block.get("type") == "server_tool_use"
    )
    if isinstance(answer.get("container"), Mapping):
        seen[_CODE] = seen[_CODE] or 1
    return {name: number for name, number in ({**seen, **counts}).items() if number}


def _name(tool: str | None) -> str:
    """The name for the price: several tools execute code, and two search for tools."""
    if tool is None:
        return "unknown"
    if tool.endswith(_CODE):
        return _CODE
    return "tool_search" if tool.startswith("tool_search") else tool
