"""What the provider's own tools did in an answer of the Responses API, as far as it is paid.

https://developers.openai.com/api/docs/pricing#built-in-tools: of what a search of the web does, a
search alone is paid, opening a page is not; a container is paid by the session. Whatever is not
known to be free is counted, so that its price is missed rather than thought to be nothing.
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
"""Types of items that cost their tokens alone."""
_NAMES: Final = {"computer": "computer_use"}
"""Our names, where they are not the item's without `_call`."""


def hosted_calls(items: Iterable[Item]) -> Mapping[str, int]:
    """How often each tool was used, by our name. `items`: those that are not the caller's to do."""
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
