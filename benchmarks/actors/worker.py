"""One contender in a process of its own: `python -m benchmarks.actors.worker MODULE`.

Reads lines of `MEASURE COUNT`, answers each with a line of JSON: the figures.
"""

import gc
import importlib
import json
import sys
from collections.abc import Callable

from benchmarks.actors.figures import Figures


def main(name: str) -> None:
    """Until standard input ends."""
    module = importlib.import_module(f"benchmarks.actors.{name}")
    measures: dict[str, Callable[[int], Figures]] = module.MEASURES
    say = sys.stdout
    sys.stdout = sys.stderr  # the answers are not to be mixed with what a contender prints
    print(json.dumps({"measures": sorted(measures)}), file=say, flush=True)
    for line in sys.stdin:
        measure, count = line.split()
        gc.collect()
        print(json.dumps(measures[measure](int(count))), file=say, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
