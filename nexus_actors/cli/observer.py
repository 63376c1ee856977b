"""`nexus observer`: the service in a terminal, for looking and for acting."""

import sys
from typing import Annotated

from cyclopts import Parameter, validators

from nexus_actors.cli import exit_codes
from nexus_actors.cli.database import running_database
from nexus_actors.cli.operator_sql import caller
from nexus_actors.cli.options import ConfigPath, read_settings
from nexus_actors.cli.report import CommandError


def observer(
    *,
    all_: Annotated[
        bool,
        Parameter(name="--all", negative="", help="All nodes on the database, wherever they run."),
    ] = False,
    node: Annotated[
        str | None,
        Parameter(help="One node, wherever it runs: its id, how that begins, its name or host."),
    ] = None,
    refresh: Annotated[
        float,
        Parameter(
            help="Seconds between two looks; more on a slow line.",
            validator=validators.Number(gte=1, lte=3600),
        ),
    ] = 2.0,
    config: ConfigPath = None,
) -> int:
    """Look into the running service: is it well, its supervision tree and each actor of it,
    providers, requests, what waits, dead letters, its log. Pause, scale, restart, cancel and retry
    from there; each asks once, and shows the SQL and the command that do the same.

    It asks the service that runs here with this config, and its database; with --all or --node the
    database alone, which nodes write to. What cannot be asked is said, and looked for again. ?
    shows the keys, q ends it.

    Example: nexus observer --all
    Exit codes: 0 done; 1 a mistake of ours ended it; 2 wrong usage or config, or there is no
    terminal; 129 ended by SIGHUP; 143 ended by SIGTERM.
    """
    settings = read_settings(config)
    if not all(it is not None and it.isatty() for it in (sys.stdin, sys.stdout, sys.stderr)):
        told = "nexus observer needs a terminal; for scripts: nexus status, nexus top --once"
        raise CommandError(told, exit_codes.USAGE)

    def url() -> str | None:
        try:
            return running_database(settings)
        except CommandError:  # none of our own runs, which the observer says
            return None

    from nexus_actors.observer.command import observe, runner

    with runner() as running:
        return running.run(
            observe(settings, url, caller(), refresh=refresh, all_nodes=all_, node=node)
        )
