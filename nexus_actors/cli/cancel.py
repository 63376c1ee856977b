"""`nexus cancel`: end requests without an answer."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from cyclopts import Parameter, validators

from nexus_actors.cli import exit_codes
from nexus_actors.cli.confirm import confirmed
from nexus_actors.cli.operator_sql import ask, call_as_operator
from nexus_actors.cli.options import AsJson, ConfigPath, OlderThan, Yes, age, read_settings
from nexus_actors.cli.report import CommandError, complain, note, print_json, say
from nexus_actors.cli.steering import check_known

if TYPE_CHECKING:
    from nexus_actors.settings import Settings

OLDEST: Final = 1000 * 366 * 86_400.0
"""The greatest accepted age, in seconds."""
_BECAME: Final = {
    "queued": "ends as cancelled when a service leases it, now if one has room",
    "running": "is interrupted",
    "ended": "has already ended and stays as it is",
    "unknown": "is not known; if it is sent within 7 days, it ends as cancelled",
}


def cancel(
    *ids: Annotated[str, Parameter(name="ID", help="The requests' ids.")],
    agent: Annotated[str | None, Parameter(help="Requests of this agent_id.")] = None,
    provider: Annotated[
        str | None, Parameter(help="Requests that were leased and wait for room at this provider.")
    ] = None,
    older_than: OlderThan = None,
    state: Annotated[
        Literal["queued", "running"] | None, Parameter(help="Requests that wait, or that run.")
    ] = None,
    all_: Annotated[
        bool, Parameter(name="--all", negative="", help="All unfinished requests, up to the limit.")
    ] = False,
    limit: Annotated[
        int,
        Parameter(
            help="Maximum number of requests.", validator=validators.Number(gte=1, lte=100_000)
        ),
    ] = 10_000,
    yes: Yes = False,
    why: Annotated[
        str | None, Parameter(help="The reason; it is in the result and in the dead letter.")
    ] = None,
    config: ConfigPath = None,
    json: AsJson = False,
) -> int:
    """Cancel requests by id or by filter, also while they run.

    The result is an error of type cancelled, and a dead letter is kept, which dead retry skips
    unless it is named. A running call is interrupted at once; it may have been billed. An answer
    that is already there is published.

    Give ids, or filters, which must all match; the command then says how many requests match and
    asks. The agent is the one the request was sent with. Of messages that were never leased, the
    first 100,000 are searched. A waiting request ends when a service leases it, so not while its
    queue is paused.

    Example: nexus cancel request-1 request-2 --why "sent twice"
    Example: nexus cancel --agent crawler --state queued --yes
    Exit codes: 0 done; 1 some had ended or are not known, or you said no; 2 wrong usage; 4 the
    database refuses; 5 none of the ids is known, or nobody knows the provider.
    """
    settings = read_settings(config)
    filters = (agent, provider, older_than, state)
    by_filter = all_ or any(it is not None for it in filters)
    if bool(ids) == by_filter:
        told = "which? ids; or --agent, --provider, --older-than, --state or --all"
        raise CommandError(told, exit_codes.USAGE)
    if ids:
        return _cancel(settings, ids, why, json)
    if provider is not None and state == "running":
        told = "--provider: of requests that run it is not on record; with --state queued, or alone"
        raise CommandError(told, exit_codes.USAGE)
    check_known(settings, "provider", provider)
    older = None if older_than is None else timedelta(seconds=min(age(older_than), OLDEST))
    which = (agent, provider, older, state or ("any" if all_ else None))
    return _cancel_where(settings, which, limit, why, yes=yes, as_json=json)


def _cancel(settings: "Settings", ids: tuple[str, ...], why: str | None, as_json: bool) -> int:
    rows = call_as_operator(
        settings,
        "SELECT i.id AS request_id, nexus.cancel(i.id, $2, $3) AS found"
        " FROM unnest($1::text[]) WITH ORDINALITY AS i (id, place) ORDER BY i.place",
        list(dict.fromkeys(ids)),
        why,
    )
    if as_json:
        print_json(rows)
    for row in rows:
        is_done = row["found"] in ("queued", "running")
        if not as_json:
            (say if is_done else complain)(f"{row['request_id']} {_BECAME[row['found']]}")
    found = [row["found"] for row in rows]
    ended, unknown = found.count("ended"), found.count("unknown")
    done = len(rows) - ended - unknown
    return exit_codes.of_named(done=done, failed=ended, unknown=unknown)


def _cancel_where(
    settings: "Settings",
    which: tuple[Any, ...],
    limit: int,
    why: str | None,
    *,
    yes: bool,
    as_json: bool,
) -> int:
    [meant] = ask(
        settings,
        "SELECT count(*) AS requests, count(*) FILTER (WHERE is_running) AS running"
        " FROM nexus.cancellable($1, $2, $3, $4, $5)",
        *which,
        limit,
    )
    if not meant["requests"]:
        print_json({"cancelled": 0}) if as_json else note("there is no request of that kind")
        return exit_codes.OK
    if not yes and not _confirmed(**meant):
        note("nothing is cancelled")
        return exit_codes.FAILED
    statement = "SELECT nexus.cancel_where($1, $2, $3, $4, $5, by => $7, most => $6) AS cancelled"
    [done] = call_as_operator(settings, statement, *which, why, limit)
    print_json(done) if as_json else say(f"cancelled: {done['cancelled']}")
    if done["cancelled"] >= limit:
        note(f"that is as many as --limit allows ({limit}); there may be more")
    return exit_codes.OK


def _confirmed(requests: int, running: int) -> bool:
    """Ask the user whether to cancel this many."""
    calls = f", {running} of them in work, whose calls may have been paid" if running else ""
    told = f"{requests} requests are meant{calls}"
    return confirmed(told, "Cancel them?", "cancels them")
