"""`python -m differential`: the run, its table, and every difference that nobody explained."""

import argparse
import sys
import warnings
from collections.abc import Sequence

import trio

from differential import theirs
from differential.findings import PARTS, Verdict, read_accepted
from differential.models import MODELS
from differential.report import print_report, write_report
from differential.run import run
from differential.server import stay_at_home


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare, print, and end with 1 where something is unexplained."""
    parser = argparse.ArgumentParser(prog="python -m differential", description=__doc__)
    parser.add_argument("--part", action="append", choices=PARTS, help="may be repeated")
    parser.add_argument(
        "--model", default="", metavar="TEXT", help="only models with this in their name"
    )
    parser.add_argument("--all", action="store_true", help="show the accepted differences, too")
    parser.add_argument("--write", action="store_true", help="write docs/differential.md")
    options = parser.parse_args(arguments)

    models = tuple(model for model in MODELS if options.model in model.key)
    parts = tuple(options.part or PARTS)
    if options.write and (parts, models) != (PARTS, MODELS):
        parser.error("--write is for the whole run")
    warnings.simplefilter("ignore")  # the libraries warn of each other
    theirs.prepare()
    stay_at_home()
    verdict = Verdict(read_accepted())
    trio.run(run, parts, models, verdict)
    unused = verdict.unused(parts) if models == MODELS else []
    print_report(verdict, unused, show_all=options.all)
    if options.write:
        write_report(verdict)
    sys.exit(1 if verdict.unexplained or unused else 0)


if __name__ == "__main__":
    main()
