"""`python -m benchmarks.actors`: the contest, its tables, and the same as JSON."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from benchmarks.actors.contenders import CONTENDERS
from benchmarks.actors.contest import Contest
from benchmarks.actors.figures import FULL, QUICK, TINY
from benchmarks.actors.report import as_json, print_tables
from benchmarks.actors.verdict import Outcome


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure who is there, and say who is not."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.actors", description=__doc__)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", dest="size", action="store_const", const=QUICK, default=FULL)
    size.add_argument(
        "--tiny", dest="size", action="store_const", const=TINY, help="proves nothing"
    )
    parser.add_argument("--only", action="append", choices=CONTENDERS, help="may be repeated")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the outcome there, too")
    options = parser.parse_args(arguments)

    found = {name: CONTENDERS[name].version() for name in options.only or CONTENDERS}
    versions = {name: version for name, version in found.items() if version is not None}
    contest = Contest({name: CONTENDERS[name] for name in versions}, options.size)
    contest.run()
    absent = [f"{CONTENDERS[name].title} is not installed" for name in found.keys() - versions]
    outcome, notes = Outcome(contest.samples), absent + contest.notes
    print_tables(outcome, options.size, notes)
    if options.json is not None:
        report = as_json(outcome, options.size, versions, notes)
        options.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
