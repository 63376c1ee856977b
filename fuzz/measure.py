"""What a call costs: CPU, calls that Python makes, memory. For ratios on a machine that is busy.

CPU is this thread's, the least of several runs; calls are counted, and the same each time.
"""

import gc
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Call = Callable[[], object]


@contextmanager
def _no_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def cpu(call: Call, repeats: int = 1) -> float:
    """Seconds of CPU, the least of `repeats` runs."""
    least = float("inf")
    with _no_collection():
        for _ in range(repeats):
            began = time.thread_time()
            call()
            least = min(least, time.thread_time() - began)
    return least


def calls(call: Call) -> int:
    """Functions called, those in C as well."""
    count = 0

    def note(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
    return count


def peak(call: Call) -> int:
    """Bytes that Python held at once, beyond those it held before."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        call()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
