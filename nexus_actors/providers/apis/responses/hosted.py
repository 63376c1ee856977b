"""Counts the calls of the provider's own tools that are charged, in an answer of the Responses API.

https://developers.openai.com/api/docs/pricing#built-in-tools: of a web search's actions only the
search is charged, opening a page is not; a container is charged per session. Whatever is not known
to be free is counted, so that its cost is unknown instead of zero.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from nexus_actors.providers.apis.responses.calls import is_output
from nexus_actors.providers.http.api import text_or_none

Item = Mapping[str, Any]

_FREE: Final = frozenset(
    {
        "additional_tools",
        "compaction",
        "function_call",
        "custom_tool_call",
        "local_shell_call",
        "mcp_approval_request",
        "mcp_approval_response",
        "mcp_call",
        "mcp_list_tools",
        "message",
        "program",
        "reasoning",
        "tool_search_call",
    }
)
"""Types of items that cost nothing but their tokens."""
_NAMES: Final = {"computer": "computer_use"}
"""Our names of tools, if they differ from the item's type without `_call`."""


def hosted_calls(items: Iterable[Item]) -> Mapping[str, int]:
    """The number of calls of each tool, by our name. `items`: those that are no caller's call."""
    counts: Counter[str] = Counter()
    containers: set[str] = set()
    for item in items:
        kind = text_or_none(item.get("type"))
        if kind is None or kind in _FREE or is_output(item):
            continue
        name = kind.removesuffix("_call")
        if name == "code_interpreter":
            containers.add(text_or_none(item.get("container_id")) or "")
        elif name not in ("web_search", "file_search") or _was_search(item):
            counts[_NAMES.get(name, name)] += 1
    if containers:
        counts["code_interpreter"] = len(containers)
    return dict(counts)


def _was_search(item: Item) -> bool:
    action = item.get("action")
    kind = action.get("type") if isinstance(action, Mapping) else None
    return item.get("status") != "failed" and kind in (None, "search")
