"""Which children go down, and up again, with a failed one: pure."""

from __future__ import annotations

from typing import Literal, TypeAlias

Strategy: TypeAlias = Literal["one_for_one", "one_for_all", "rest_for_one"]
AutoShutdown: TypeAlias = Literal["never", "any_significant", "all_significant"]

STRATEGIES: tuple[Strategy, ...] = ("one_for_one", "one_for_all", "rest_for_one")
AUTO_SHUTDOWNS: tuple[AutoShutdown, ...] = ("never", "any_significant", "all_significant")


def affected(strategy: Strategy, failed: int, count: int) -> range:
    """The positions, in start order, of those that restart with child number `failed` of `count`.

    They are stopped from the last to the first and started from the first to the last.
    """
    if strategy == "one_for_one":
        return range(failed, failed + 1)
    if strategy == "one_for_all":
        return range(count)
    return range(failed, count)
