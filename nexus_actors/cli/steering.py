"""`nexus pause|resume|scale|drain|log-level`: rows of `nexus.control`, which all nodes obey.

These commands need only the database, no running service. The rows also apply to future nodes.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, get_args

from cyclopts import Parameter

from nexus_actors.cli import exit_codes
from nexus_actors.cli.operator_sql import ask, call_as_operator
from nexus_actors.cli.options import AsJson, ConfigPath, read_settings
from nexus_actors.cli.report import CommandError, note, print_json, say
from nexus_actors.contract.moments import local_now, moment

if TYPE_CHECKING:
    from nexus_actors.settings import Settings

_CHANGE: Final = """
SELECT l.before::text AS before
FROM nexus.control_log AS l
WHERE l.action = $1 AND l.subject = $2 AND l.name = $3 AND l.node = $4
ORDER BY l.number DESC
LIMIT 1
"""
_KNOWN: Final = {"provider": "known_providers", "queue": "known_queues"}
"""The statements that list the names that can be meant, whatever this config has."""
Subject = Literal["queue", "provider", "model", "agent", "node"]
Level = Literal["debug", "info", "warning", "error", "critical", "default"]
Until = Annotated[
    str | None,
    Parameter(
        name="--until",
        help="When it ends: 30m, 2h, 18:30, 2026-01-31T18:30Z. Default: never.",
    ),
]
Why = Annotated[str | None, Parameter(name="--why", help="The reason; it is recorded.")]
OnNode = Annotated[
    str | None,
    Parameter(
        name="--node",
        help="One node: its id, the beginning of the id, its name or host. Default: all.",
    ),
]
Force = Annotated[
    bool,
    Parameter(
        name="--force",
        negative="",
        help="Also for a provider that neither this config nor any node knows yet.",
    ),
]
Name = Annotated[str | None, Parameter(name="NAME", help="Its name; a glob for models and agents.")]
What = Annotated[
    Subject | None, Parameter(name="WHAT", help="The kind of thing; its NAME follows.")
]


def pause(
    subject: What = None,
    name: Name = None,
    /,
    *,
    until: Until = None,
    why: Why = None,
    fallback: Annotated[
        bool,
        Parameter(
            name="--fallback",
            negative="",
            help="For a provider or model: routes take their next model meanwhile.",
        ),
    ] = False,
    force: Force = False,
    node: OnNode = None,
    config: ConfigPath = None,
    json: AsJson = False,
) -> None:
    """Pause a provider, a model, an agent's requests, a queue, or a node. Running calls continue.

    No new call begins for what is paused; from a paused queue nothing is leased; a paused node
    drains. Requests wait in the database and say why (nexus waiting, nexus explain). Their timeout
    keeps running. The pause holds for every node and over restarts, until nexus resume or --until.

    Example: nexus pause provider openai --until 2h --why "incident 4711"
    Example: nexus pause model gpt-5 --fallback
    Example: nexus pause queue
    Exit codes: 0 done; 2 a wrong value; 4 the database refuses; 5 nobody knows the provider, queue
    or node.
    """
    if subject is None:
        raise _which("pause")
    settings = read_settings(config)
    named = _this_node(settings) if subject == "node" and name is None else name
    if not (force and subject == "provider"):
        check_known(settings, subject, named)
    rows = call_as_operator(
        settings,
        "SELECT (nexus.pause($1, $2, $3, $4, $5, $6, $7)).*",
        subject,
        named,
        _moment(until),
        why,
        fallback,
        node or "*",
    )
    _tell(settings, rows, json)
    if subject == "model" and named and not json and not _is_routed(settings, named):
        note(f"no route here names a model {named}; the pause holds for requests that ask for it")


def _is_routed(settings: "Settings", model: str) -> bool:
    """Whether a route names a model that is meant by this name or glob."""
    from nexus_actors.steering.desired import is_model_meant

    named = {ref for route in settings.routes for ref in route.models}
    return any(is_model_meant(ref.provider, ref.model, model) for ref in named)


def resume(
    subject: What = None,
    name: Name = None,
    /,
    *,
    node: OnNode = None,
    config: ConfigPath = None,
    json: AsJson = False,
) -> None:
    """End a pause or a drain: what waits continues at once.

    Example: nexus resume provider openai
    Exit codes: 0 done, also if nothing was paused or nobody knows the provider, which is said; 4
    the database refuses; 5 nobody knows the queue or node.
    """
    if subject is None:
        raise _which("resume")
    settings = read_settings(config)
    named = _this_node(settings) if subject == "node" and name is None else name
    if subject == "queue":
        check_known(settings, subject, named)
    rows = call_as_operator(
        settings, "SELECT nexus.resume($1, $2, $3, $4) AS count", subject, named, node
    )
    count = rows[0]["count"]
    if json:
        print_json({"resumed": count})
    elif count:
        say(f"resumed: {subject} {named or ''}".rstrip())
    else:
        unknown = _unknown(settings, subject, named)
        note(unknown or f"{subject} {named or ''}".rstrip() + " was not paused")


def scale(
    provider: Annotated[str, Parameter(name="PROVIDER", help="The provider's name.")],
    calls: Annotated[
        str, Parameter(name="N", help="Concurrent calls; the word default restores the config's.")
    ],
    /,
    *,
    until: Until = None,
    why: Why = None,
    force: Force = False,
    node: OnNode = None,
    config: ConfigPath = None,
    json: AsJson = False,
) -> None:
    """Set how many calls to a provider each node makes concurrently.

    It overrides the config, also after a reload or a restart. Scaling down interrupts no call.

    Example: nexus scale openai 64 --until 18:00
    Example: nexus scale openai default
    Exit codes: 0 done; 2 a wrong number; 4 the database refuses; 5 nobody knows the node, or the
    provider, unless N is default.
    """
    settings = read_settings(config)
    if calls != "default" and not (calls.isascii() and calls.isdecimal()):
        raise CommandError(f"expected a number of calls or default, not {calls}", exit_codes.USAGE)
    count = None if calls == "default" else int(calls)
    if count is not None and count > 9999:
        raise CommandError("expected 9999 calls at once at most", exit_codes.USAGE)
    if count is not None and not force:
        check_known(settings, "provider", provider)
    rows = call_as_operator(
        settings,
        "SELECT (nexus.scale($1, $2, $3, $4, $5, $6)).*",
        provider,
        count,
        _moment(until),
        why,
        node or ("*" if count is not None else None),
    )
    _tell(settings, rows, json, nothing=f"provider {provider}: as the config says")
    if count is None and (unknown := _unknown(settings, "provider", provider)):
        note(unknown)


def drain(
    node: Annotated[
        str | None,
        Parameter(
            name="NODE",
            help="Its id, the beginning of the id, its name or host. Default: this node.",
        ),
    ] = None,
    /,
    *,
    until: Until = None,
    why: Why = None,
    config: ConfigPath = None,
    json: AsJson = False,
) -> None:
    """Drain a node: it finishes its calls and begins none.

    Other nodes take the rest. Its process stays up and idle (state drained), also after a restart,
    until nexus resume node. Without NODE it is the node whose data_dir this config names.

    Example: nexus drain nexus@host2 --why "new kernel"; nexus nodes; nexus resume node nexus@host2
    Exit codes: 0 done, nexus nodes shows when it is drained; 4 the database refuses; 5 nobody knows
    the node.
    """
    settings = read_settings(config)
    named = node or _this_node(settings)
    statement = "SELECT (nexus.drain($1, $2, $3, $4)).*"
    _tell(settings, call_as_operator(settings, statement, named, _moment(until), why), json)


def log_level(
    level: Annotated[
        Level, Parameter(name="LEVEL", help="The word default restores the config's.")
    ],
    /,
    *,
    until: Until = None,
    why: Why = None,
    node: OnNode = None,
    config: ConfigPath = None,
    json: AsJson = False,
) -> None:
    """Set the log level of running services.

    Example: nexus log-level debug --until 15m --node nexus@host2
    Exit codes: 0 done; 2 no such level; 4 the database refuses; 5 nobody knows the node.
    """
    settings = read_settings(config)
    wanted = None if level == "default" else level
    rows = call_as_operator(
        settings,
        "SELECT (nexus.log_level($1, $2, $3, $4, $5)).*",
        wanted,
        _moment(until),
        why,
        node or ("*" if wanted is not None else None),
    )
    _tell(settings, rows, json, nothing="log level: as the config says")


def _which(command: str) -> CommandError:
    """The error if nothing is named: a typed-ahead command must not stop the whole queue."""
    *most, last = get_args(Subject)
    told = f"which? {', '.join(most)} or {last}; everything: nexus {command} queue"
    return CommandError(told, exit_codes.USAGE)


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return moment(text, local_now())
    except (ValueError, OverflowError) as error:
        raise CommandError(f"--until: {error}", exit_codes.USAGE) from error


def _this_node(settings: "Settings") -> str:
    """The id of the node that has this config's data_dir."""
    file: Path = settings.service.data_dir / "instance-id"
    try:
        return file.read_text().strip()
    except OSError as error:
        raise CommandError(
            f"no service has run with data_dir {settings.service.data_dir}; name the node"
            " (nexus nodes)",
            exit_codes.USAGE,
        ) from error


def check_known(settings: "Settings", subject: str, name: str | None) -> None:
    """Raise CommandError for a provider or a queue that nobody knows."""
    if (unknown := _unknown(settings, subject, name)) is not None:
        raise CommandError(unknown, exit_codes.TIMED_OUT)


def _unknown(settings: "Settings", subject: str, name: str | None) -> str | None:
    """What to say of a provider or a queue that nobody knows: it was misspelt, and no node would
    obey the order. None if it is known; models and agents may have any name."""
    if not name or subject not in _KNOWN:
        return None
    from nexus_actors.settings.suggestions import nearest
    from nexus_actors.storage.postgres.sql import read

    rows = ask(settings, read("queries", _KNOWN[subject]))
    known = {str(row["name"]) for row in rows}
    in_use = {str(row["name"]) for row in rows if row["is_in_use"]}
    if subject == "provider":
        known |= {*settings.providers, *settings.left_out}
        in_use |= settings.providers.keys()
    if name in known:
        return None
    close = nearest(name, in_use, cutoff=0.75)
    hint = f"; did you mean {close}?" if close else ""
    told = f"there is no {subject} {name}, here or on any node{hint}"
    listed = ", ".join(sorted(in_use)) or "none"
    return f"{told} (known: {listed})"


def _tell(
    settings: "Settings", rows: list[dict[str, Any]], as_json: bool, *, nothing: str = ""
) -> None:
    row = rows[0] if rows and rows[0]["action"] is not None else None
    if as_json:
        print_json(row)
    elif row is None:
        say(nothing)
    else:
        say(_line(row))
        _tell_replaced(settings, row)


def _tell_replaced(settings: "Settings", row: Mapping[str, Any]) -> None:
    """Print what a new setting replaced: another operator may have meant it to stay."""
    import json

    key = [row[name] for name in ("action", "subject", "name", "node")]
    (change,) = ask(settings, _CHANGE, *key)
    if change["before"] is None:
        return
    before = json.loads(change["before"])
    words = [f"it replaces what {before['by']} had set"]
    words += [] if before["until"] is None else [f"until {before['until']}"]
    words += [] if before["why"] is None else [f"why: {before['why']}"]
    note(", ".join(words))


def _line(row: Mapping[str, Any]) -> str:
    what = {
        "pause": f"paused: {row['subject']} {row['name']}",
        "concurrency": f"provider {row['name']}: {row['value']} calls at once"
        + (" on each node" if row["node"] == "*" else ""),
        "drain": "draining",
        "log_level": f"log level: {row['value']}",
    }[row["action"]]
    words = [
        what,
        "requests go to the next model of their route" if row["value"] == "fallback" else "",
        "" if row["node"] == "*" else f"node {row['node']}",
        "" if row["until"] is None else f"until {row['until'].astimezone():%Y-%m-%d %H:%M:%S %Z}",
        "" if row["why"] is None else f"why: {row['why']}",
    ]
    return ", ".join(filter(None, words))
