"""What the contenders measure with."""

import gc
from collections.abc import Awaitable, Callable
from pathlib import Path

import trio

from benchmarks.actors.figures import Figures


def in_trio(function: Callable[[int], Awaitable[Figures]]) -> Callable[[int], Figures]:
    """An async measure as a plain one, with a loop of its own each time."""
    return lambda count: trio.run(function, count)


def hundreds(count: int) -> int:
    """`count`, so that 100 callers can share it."""
    return max(count // 100, 1) * 100


def resident() -> int:
    """Bytes of this process in memory (Linux)."""
    gc.collect()
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("no VmRSS in /proc/self/status")
