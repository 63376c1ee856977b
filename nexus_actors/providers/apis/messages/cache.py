"""Cache marks, each of which caches the prompt up to its block.

Source: https://platform.claude.com/docs/en/build-with-claude/prompt-caching: at most four, with the
automatic one; in the order tools, system, messages; none of one hour after one of five minutes.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from nexus_actors.contract.foreign import bounded

MOST_MARKS: Final = 4
_UNMARKED: Final = ("thinking", "redacted_thinking")
_TTLS: Final = ("5m", "1h")

_Block = dict[str, Any]
Tell = Callable[[str], None]


class Marks:
    """Collects the cache marks of one request, and decides which are sent."""

    def __init__(self, tell: Tell, *, taken: bool) -> None:
        self._tell = tell
        self._taken = taken
        self._paths: dict[int, str] = {}

    def add(self, block: _Block, cache: Mapping[str, Any] | None, path: str) -> None:
        """Mark `block`, which must be part of the body when `settle` is called."""
        if cache is None:
            return
        mark = self.read(cache, f"{path}.cache_control")
        if mark is not None:
            block["cache_control"] = mark
            self._paths[id(block)] = f"{path}.cache_control"

    def carry(self, blocks: list[_Block], cache: Mapping[str, Any] | None, path: str) -> None:
        """Move the mark of an empty text, which is not sent, to the last of the `blocks` before it:
        the prompt up to there is the same."""
        if cache is None:
            return
        if blocks and blocks[-1]["type"] not in _UNMARKED:
            if "cache_control" not in blocks[-1]:
                self.add(blocks[-1], cache, path)
        elif self.read(cache, f"{path}.cache_control") is not None:
            self._tell(f"{path}.cache_control: nothing before it that could be marked")

    def read(self, cache: Mapping[str, Any], path: str) -> _Block | None:
        """The mark in the API's form. None, which is reported, if it is invalid."""
        ttl = cache.get("ttl")
        if not self._taken:
            self._tell(path)
        elif cache.get("type") != "ephemeral" or (ttl is not None and ttl not in _TTLS):
            self._tell(f"{path}: no form that the API has")
        else:
            for name in bounded([key for key in cache if key not in ("type", "ttl")]):
                self._tell(f"{path}.{name}")
            return {"type": "ephemeral", **({} if ttl is None else {"ttl": ttl})}
        return None

    def settle(self, body: _Block, automatic: _Block | None) -> None:
        """Remove excess marks, the earliest first. `automatic`: the top-level mark."""
        marked = [block for block in _blocks(body) if "cache_control" in block]
        last = body["messages"][-1]["content"]
        if marked and isinstance(last, list) and marked[-1] is last[-1]:
            automatic = None  # it would mark the same block
        most = MOST_MARKS - (automatic is not None)
        for block in marked[: max(len(marked) - most, 0)]:
            del block["cache_control"]
            self._tell(f"{self._paths[id(block)]}: the API takes {MOST_MARKS}")
        holders = [(block["cache_control"], self._paths[id(block)]) for block in marked[-most:]]
        if automatic is not None:
            body["cache_control"] = automatic
            holders.append((automatic, "cache_control"))
        short = False
        for mark, path in holders:
            if short and mark.get("ttl") == "1h":
                del mark["ttl"]
                self._tell(f"{path}.ttl: an hour cannot follow five minutes")
            short = short or mark.get("ttl") != "1h"


def _blocks(body: _Block) -> Iterator[_Block]:
    yield from body.get("tools", ())
    system = body.get("system")
    yield from system if isinstance(system, list) else ()
    for message in body["messages"]:
        if isinstance(message["content"], list):
            yield from message["content"]
