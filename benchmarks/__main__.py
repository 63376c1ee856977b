"""All of it: `python -m benchmarks [--rounds N] [--only NAME]... [--volume] [--draw]`.

Each measure is a process of its own and writes `results/NAME.json`; in the end all tables again,
and the picture `results/benchmarks.png`.
"""

import argparse
import json
import subprocess
import sys

from rich.console import Console

from benchmarks.ground import ROOT
from benchmarks.nexus import REVISION
from benchmarks.outcome import RESULTS, table
from benchmarks.picture import draw

USUAL = (
    "against",
    "peers",
    "inflight",
    "latency",
    "start",
    "processes",
    "steering",
    "reloads",
    "metrics",
    "pages",
)
ACTORS = "actors"
VOLUME = "volume"


def command(name: str, rounds: int | None, revision: str) -> list[str]:
    """What measures it."""
    line = [sys.executable, "-m", f"benchmarks.{name}"]
    if name == ACTORS:
        quick = ["--quick"] if rounds is not None else []
        return [*line, *quick, "--json", str(RESULTS / f"{name}.json")]
    line += ["--results", str(RESULTS)]
    if rounds is not None:
        line += ["--rounds", str(rounds)]
    return [*line, revision] if name == "against" else line


def main() -> int:
    """How many measures have failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, help="of each measure, instead of its own number")
    parser.add_argument("--against", default=REVISION)
    parser.add_argument("--only", action="append", choices=(*USUAL, ACTORS, VOLUME))
    parser.add_argument("--volume", action="store_true", help="with what fills gigabytes")
    parser.add_argument("--draw", action="store_true", help="measure nothing")
    asked = parser.parse_args()
    names = asked.only or [*USUAL, ACTORS, *([VOLUME] if asked.volume else [])]
    RESULTS.mkdir(exist_ok=True)
    failed = []
    for name in [] if asked.draw else names:
        line = command(name, asked.rounds, asked.against)
        if subprocess.run(line, cwd=ROOT, check=False).returncode:  # noqa: S603
            failed.append(name)
    documents = {it.stem: json.loads(it.read_text()) for it in sorted(RESULTS.glob("*.json"))}
    measured = [it for it in documents.values() if "measure" in it]
    for document in measured:
        Console(width=130).print(table(document))
    if told := draw(measured, RESULTS / "benchmarks.png"):
        print(told)
    for name in failed:
        print(f"{name} has failed")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
