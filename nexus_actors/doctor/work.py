"""Checks of the work: waiting and failed requests, lost nodes, forgotten pauses."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from nexus_actors.doctor.check import Check, Connected, aside
from nexus_actors.doctor.database import examined, row_of
from nexus_actors.doctor.finding import Advice, Finding, Ok, Wrong
from nexus_actors.doctor.host import closed
from nexus_actors.doctor.schema import of_tables
from nexus_actors.monitoring.waiting import FIXES
from nexus_actors.operations.instance import instance_id, running_pid
from nexus_actors.operations.own_place import own_place
from nexus_actors.operations.pruner import OVERDUE
from nexus_actors.storage.postgres.claim import Place, key_of, live_service
from nexus_actors.storage.postgres.connection import fetch
from nexus_actors.storage.postgres.journal import read_pauses
from nexus_actors.storage.postgres.locks import lock_holders
from nexus_actors.storage.postgres.node_store import NodeStatus, list_nodes
from nexus_actors.storage.postgres.presence import consumer_is_running

MANY_LETTERS: Final = 100
"""How many dead letters are worth a look."""
LONG_WAIT: Final = 3600.0
"""Seconds that a request may wait for one reason before it is worth a look."""
FORGOTTEN: Final = 86_400.0
"""Seconds after which an open-ended pause may have been forgotten."""
_MOST: Final = 10_000
"""The most rows that are counted."""
_PASSING: Final = {
    "starting": "",
    "draining": ": {} requests in hand, whose calls end first",
}


async def look_at_nodes(at: Connected) -> Sequence[Finding]:
    """Check for lost nodes and for nodes of different versions."""
    nodes = [it for it in await at.pool.run(list_nodes) if it.queue == at.queues.requests]
    lost = [it for it in nodes if it.state == "lost"]
    live = [it for it in nodes if it.state not in ("lost", "stopped")]
    findings: list[Finding] = [_lost(at, it) for it in lost]
    own = await aside(_own, at.data_dir)
    findings += [_passing(it) for it in live if (it.node, it.pid) == own and it.state in _PASSING]
    versions = sorted({it.version for it in live})
    if len(versions) > 1:
        cause = f"nodes of several versions run: {', '.join(versions)}"
        leads_to = "they work together, but earlier ones do not obey what is newer"
        findings.append(Advice(cause, leads_to, "upgrade the others: docs/operating.md"))
    return findings or [Ok(f"{len(live)} of this queue {'run' if len(live) != 1 else 'runs'}")]


def _own(data_dir: Path) -> tuple[str, int] | None:
    """Id and pid of the service that runs here, if this user may see them."""
    try:
        own = None if closed(data_dir) is not None else instance_id(data_dir)
    except OSError:
        return None
    pid = running_pid(data_dir) if own is not None else None
    return None if own is None or pid is None else (own, pid)


def _passing(node: NodeStatus) -> Ok:
    """The service here is starting or draining, and may not answer now."""
    here = f"{node.name}, the service here (pid {node.pid}), is {node.state}"
    return Ok(f"{here}{_PASSING[node.state].format(node.in_flight)}", subject=node.name)


def _lost(at: Connected, node: NodeStatus) -> Advice:
    held = f", with {node.in_flight} requests in hand" if node.in_flight else ""
    timeout = at.settings.queue.visibility_timeout
    return Advice(
        f"the node {node.name} was lost {node.beat_age / 60:.0f} min ago{held}",
        f"what it held is leased by others {timeout:g} s after it fell silent; answers in its spool"
        " stay unpublished",
        f"nexus start on {node.host}, on its data_dir; a row of one that is gone for"
        " good goes by itself after a day",
    )


async def look_at_queue(at: Connected) -> Sequence[Finding]:
    """Check for due requests that no service takes, or that a pause keeps waiting."""
    row = await row_of(at, "requests", _MOST)
    count = row["requests"]
    many = f"{count}{' or more' * (count == _MOST)}"
    paused = [_paused(it, many) for it in await at.pool.run(read_pauses, at.queues.requests)]
    if await at.pool.run(consumer_is_running, at.queues.requests):
        return paused or [Ok(f"a service takes requests; {many} are due")]
    if not count:
        return paused or [Ok("nothing is due, and no service takes requests")]
    age = f", the oldest for {row['oldest'] / 60:.0f} min" if row["oldest"] else ""
    cause = f"{many} requests wait in {at.queues.requests}{age}, and no node takes them"
    fix = "nexus start; of drained nodes: nexus resume node …"
    return [*paused, Wrong(cause, "nobody is answered", fix)]


def _paused(pause: Mapping[str, Any], due: str) -> Advice:
    until = "" if pause["until"] is None else f" until {_minute(pause['until'])}"
    why = "" if pause["why"] is None else f" ({pause['why']})"
    paused = f"{pause['name']} is paused by {pause['by']} since {_minute(pause['since'])}"
    return Advice(
        f"{paused}{until}{why}; {due} are due",
        "its requests wait, over every restart, until that is over",
        f"nexus resume queue {pause['name']}",
    )


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M %Z}"


async def look_at_letters(at: Connected) -> Sequence[Finding]:
    """Check for many dead letters."""
    row = await row_of(at, "letters", _MOST)
    count, fresh = row["letters"], row["fresh"]
    if count < MANY_LETTERS:
        return [Ok(f"{count} in {at.queues.dead}")]
    many = f"{count}{' or more' * (count == _MOST)}"
    return [
        Advice(
            f"{many} dead letters in {at.queues.dead}, {fresh} of them of the last day",
            "each is a request that failed for good, and takes room until it is deleted",
            "nexus dead list, retry or purge; [retention] dead_days deletes what is older",
        )
    ]


async def look_at_waiting(at: Connected) -> Sequence[Finding]:
    """Check for requests that have waited long for one reason."""
    rows = await at.pool.run(fetch, at.queues.query("waiting_counts"))
    now = datetime.fromtimestamp((await row_of(at, "server"))["clock"], UTC)
    findings: list[Finding] = []
    for row in rows:
        seconds = 0.0 if row["since"] is None else (now - row["since"]).total_seconds()
        if seconds >= LONG_WAIT:
            findings.append(_waits(row["reason"], row["requests"], seconds))
    count = sum(row["requests"] for row in rows)
    return findings or [Ok(f"{count} requests wait, none of them for an hour")]


def _waits(reason: str, count: int, seconds: float) -> Advice:
    cause = f"{count} requests wait ({reason}), one of them for {seconds / 3600:.0f} h"
    leads_to = "they end by their own timeout, or when that is over"
    fix = FIXES.get(reason, f"nexus waiting --reason {reason}")
    return Advice(cause, leads_to, fix, subject=reason)


async def look_at_pauses(at: Connected) -> Sequence[Finding]:
    """Check for open-ended pauses and drains that may be forgotten."""
    rows = await at.pool.run(fetch, examined(at, "forgotten"), FORGOTTEN)
    findings = [_forgotten(dict(row)) for row in rows]
    return findings or [Ok("none without an end is older than a day")]


def _forgotten(row: Mapping[str, Any]) -> Advice:
    what = "node" if row["action"] == "drain" else row["subject"]
    name = row["node"] if row["action"] == "drain" else row["name"]
    why = f" ({row['why']})" if row["why"] else ""
    since = f"{row['seconds'] / 86_400:.0f} days"
    done = "drained" if row["action"] == "drain" else "paused"
    one_node = row["action"] == "pause" and row["node"] != "*"
    on = f" on node {row['node']}" if one_node else ""
    option = f" --node {row['node']}" if one_node else ""
    return Advice(
        f"{what} {name} is {done}{on} for {since}, by {row['by']}{why}",
        "its requests wait, over every restart, until somebody ends it",
        f"nexus resume {what} {name}{option}",
    )


async def look_at_pruning(at: Connected) -> Sequence[Finding]:
    """Check that a node prunes old rows."""
    if not await at.pool.run(consumer_is_running, at.queues.requests):
        return [Ok("no service runs, so nobody has to")]
    rows = await at.pool.run(fetch, examined(at, "chores"))
    idle = rows[0]["idle"] if rows else None
    if idle is None or idle <= OVERDUE:
        return [Ok("a round was complete within the hour")]
    cause = f"nobody has completed a round for {idle / 3600:.0f} h"
    leads_to = "archives and journal grow, and statements take longer"
    fix = "nexus nodes shows who prunes, its log (pruning put off) why not"
    return [Advice(cause, leads_to, fix)]


async def look_at_copies(at: Connected) -> Sequence[Finding]:
    """Check whether another service runs under the id of this data_dir."""
    seen = await aside(_instance, at.data_dir)
    if not isinstance(seen, tuple):
        return [seen]
    own, place = seen
    holders = await at.pool.run(lock_holders, *key_of(own))
    for holder in holders:
        found = live_service(holder, place)
        if found is not None:
            cause = (
                f"a service with this data_dir's instance-id runs on {found.host} (pid {found.pid})"
            )
            leads_to = "nexus start is refused: one data_dir is a copy of the other's"
            return [Wrong(cause, leads_to, f"rm {at.data_dir / 'instance-id'} in the copy")]
    if holders:
        cause = f"the lock of this instance is held by {holders[0]}, which is no service of ours"
        return [Advice(cause, "the service works without it", "end that session")]
    return [Ok("no other service has the id of this data_dir")]


def _instance(data_dir: Path) -> tuple[str, Place] | Finding:
    """The id of this directory and its place, or a finding that needs no query."""
    if (shut := closed(data_dir)) is not None:
        return shut
    own = instance_id(data_dir)
    if own is None:
        return Ok("this data_dir has no instance-id yet")
    if running_pid(data_dir) is not None:
        return Ok("the service that runs here has the id of this data_dir")
    return own, own_place(data_dir)


CHECKS: Final = (
    Check("nodes", of_tables(look_at_nodes)),
    Check("queue", of_tables(look_at_queue)),
    Check("dead_letters", of_tables(look_at_letters)),
    Check("waiting", of_tables(look_at_waiting)),
    Check("pauses", of_tables(look_at_pauses)),
    Check("pruning", of_tables(look_at_pruning)),
    Check("copies", look_at_copies),
)
