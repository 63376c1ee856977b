"""`nexus observer`: watch and control the service in a terminal."""

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
        Parameter(name="--all", negative="", help="All nodes of the database, on any host."),
    ] = False,
    node: Annotated[
        str | None,
        Parameter(help="One node, on any host: its id, the beginning of the id, its name or host."),
    ] = None,
    refresh: Annotated[
        float,
        Parameter(
            help="Seconds between two refreshes; use more on a slow line.",
            validator=validators.Number(gte=1, lte=3600),
        ),
    ] = 2.0,
    config: ConfigPath = None,
) -> int:
    """Watch the running service in a terminal, and act on it.

    Shows its state, its supervision tree and each actor, providers, requests, what waits, dead
    letters and the log. Pause, scale, restart, cancel and retry from there: each action asks once
    and shows the equivalent SQL and command.

    It asks the service that runs here with this config, and its database; with --all or --node,
    only the database. If one of them does not answer, it says so and tries again. ? shows the keys,
    q quits.

    Example: nexus observer --all
    Exit codes: 0 done; 1 internal error; 2 wrong usage or config, or no terminal; 129 ended by
    SIGHUP; 143 ended by SIGTERM.
    """
    settings = read_settings(config)
    if not all(it is not None and it.isatty() for it in (sys.stdin, sys.stdout, sys.stderr)):
        told = "nexus observer needs a terminal; for scripts: nexus status, nexus top --once"
        raise CommandError(told, exit_codes.USAGE)

    def url() -> str | None:
        try:
            return running_database(settings)
        except CommandError:  # no embedded server runs; the observer says so
            return None

    from nexus_actors.observer.command import observe, runner

    with runner() as running:
        return running.run(
            observe(settings, url, caller(), refresh=refresh, all_nodes=all_, node=node)
        )
