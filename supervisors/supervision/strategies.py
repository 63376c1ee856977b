"""Decides which children are restarted together with a failed one. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias, TypeVar

T = TypeVar("T")

Strategy: TypeAlias = Literal["one_for_one", "one_for_all", "rest_for_one"]
AutoShutdown: TypeAlias = Literal["never", "any_significant", "all_significant"]

STRATEGIES: tuple[Strategy, ...] = ("one_for_one", "one_for_all", "rest_for_one")
AUTO_SHUTDOWNS: tuple[AutoShutdown, ...] = ("never", "any_significant", "all_significant")


def affected(strategy: Strategy, failed: T, children: Iterable[T]) -> list[T]:
    """Those of `children` (in start order) that restart with the failed one, in start order.

    They are stopped from the last to the first and started from the first to the last.
    """
    if strategy == "one_for_one":
        return [failed]
    everyone = list(children)
    return everyone if strategy == "one_for_all" else everyone[everyone.index(failed) :]
