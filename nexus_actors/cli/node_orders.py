"""Orders to one node. By a row of `nexus.commands` it may run anywhere, and tells the outcome; the
one that runs here is asked by its socket, and the order put on record from here."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import Parameter

from nexus_actors.cli import exit_codes
from nexus_actors.cli.operator_sql import ask, call_as_operator, caller
from nexus_actors.cli.options import ConfigPath, read_settings
from nexus_actors.cli.report import CommandError, leaves, note, print_json
from nexus_actors.cli.service import ask_service

if TYPE_CHECKING:
    from nexus_actors.settings import Settings

PATIENCE: Final = 30.0
"""Seconds that an order's end is waited for."""
LOOK: Final = 0.2
"""Seconds between two looks."""
OnNode = Annotated[
    str | None,
    Parameter(
        name="--node",
        help="A node, through the database: its id, the beginning of the id, its name or host."
        " Default: the one whose data_dir this config names.",
    ),
]
Why = Annotated[
    str | None,
    Parameter(
        name="--why",
        help="The reason, recorded in nexus audit. If that fails, nothing is done.",
    ),
]


def give_order(
    settings: "Settings",
    node: str,
    action: str,
    actor: str = "",
    *,
    now: bool = False,
    why: str | None = None,
    json: bool = False,
) -> None:
    """Give it, wait for what comes of it, and tell. Raises CommandError where it is refused, or
    nothing comes of it in time."""
    statement = "SELECT nexus.command($1, $2, $3, $4, $5, $6) AS number"
    [made] = call_as_operator(settings, statement, node, action, actor, now, why)
    row = _wait(settings, made["number"])
    outcome = row["outcome"]
    if row["ended_at"] is None:
        late = "has taken it, and is not done" if row["taken_at"] else "has not taken it yet"
        told = (
            f"order {made['number']}: the node {late}, after {PATIENCE:.0f} s; see nexus.commands"
        )
        raise CommandError(told, exit_codes.TIMED_OUT)
    if outcome.startswith("refused: "):
        raise CommandError(f"{row['node']}: {outcome.removeprefix('refused: ')}")
    if json:
        print_json({"number": made["number"], "node": row["node"], "outcome": outcome})
    else:
        note(f"{row['node']}: {outcome}")


def order_here(
    config: ConfigPath,
    action: str,
    command: str,
    arguments: Mapping[str, object],
    *,
    why: str | None,
) -> Any:
    """The answer of the service that runs here to an order by its socket, put on record before.

    It works without the database too: then a note says what is not on record. Raises CommandError
    where that is so and there is a `why`, which only the record is for.
    """
    node = ask_service(config, "status", {"queues": False})["instance"]
    actor = str(arguments.get("actor", ""))
    subject = f"{actor} on {node}" if actor else node
    detail = {"now": arguments.get("now") or None, "why": why}
    missing = _put_on_record(config, action, subject, detail)
    if missing is not None:
        if why is not None:
            told = f"nothing is done, --why cannot be put on record: {missing}"
            raise CommandError(told, exit_codes.DATABASE)
        note(f"not on record: {missing}")
    return ask_service(config, command, {**arguments, "by": caller(), "why": why})


def _put_on_record(
    config: ConfigPath, action: str, subject: str, detail: Mapping[str, object]
) -> str | None:
    """As nexus.command does. What keeps it from being there, if something does."""
    from json import dumps

    from nexus_actors.storage.errors import StorageError

    statement = "SELECT nexus.record($1, left($2, 1000), jsonb_strip_nulls($3::jsonb), $4)"
    try:
        settings = read_settings(config)
    except CommandError:  # the service runs, and may be asked to read what is mended
        return "the config has mistakes (nexus config check)"
    missing: list[str] = []
    try:
        call_as_operator(settings, statement, action, subject, dumps(detail))
    except* (CommandError, StorageError) as group:
        missing = [str(it) for it in leaves(group)]
    return missing[0] if missing else None


def _wait(settings: "Settings", number: int) -> dict[str, Any]:
    statement = "SELECT node, taken_at, ended_at, outcome FROM nexus.commands WHERE number = $1"
    deadline = time.monotonic() + PATIENCE
    while True:
        [row] = ask(settings, statement, number)
        if row["ended_at"] is not None or time.monotonic() > deadline:
            return row
        time.sleep(LOOK)
