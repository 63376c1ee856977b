"""Orders to one node. A node on any host gets them, and reports the outcome, in `nexus.commands`.
The service here gets them through its socket, and the command records them, and a refusal."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import Parameter

from nexus_actors.cli import exit_codes
from nexus_actors.cli.operator_sql import ask, call_as_operator, caller
from nexus_actors.cli.options import ConfigPath, read_settings
from nexus_actors.cli.report import CommandError, leaves, note, print_json
from nexus_actors.cli.service import ask_service
from nexus_actors.operations.control_client import ControlError

if TYPE_CHECKING:
    from nexus_actors.settings import Settings

PATIENCE: Final = 30.0
"""Seconds to wait for the outcome of an order."""
LOOK: Final = 0.2
"""Seconds between two queries."""
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
    """Give an order, wait for its outcome, and print it. Raises CommandError if it is refused, or
    there is no outcome in time."""
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
    """Record an order, give it to the service here through its socket, and return the answer.

    Works without the database: a note then says what was not recorded. Raises CommandError in that
    case if there is a `why`, which is for the record only.
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
    try:
        return ask_service(config, command, {**arguments, "by": caller(), "why": why})
    except ControlError as refusal:
        if missing is None:  # else the refused order is not on record either
            _put_on_record(config, f"{action} refused", subject, {"refused": str(refusal)[:1000]})
        raise


def _put_on_record(
    config: ConfigPath, action: str, subject: str, detail: Mapping[str, object]
) -> str | None:
    """Record it as nexus.command does. Returns the reason if that fails."""
    from json import dumps

    from nexus_actors.storage.errors import StorageError

    statement = "SELECT nexus.record($1, left($2, 1000), jsonb_strip_nulls($3::jsonb), $4)"
    try:
        settings = read_settings(config)
    except CommandError:  # the order may be to reload the corrected config
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
