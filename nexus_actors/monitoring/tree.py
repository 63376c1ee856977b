"""A node's supervision tree and one of its actors, read from the node's sights.

Another process wrote them, so every value is validated and bounded. An invalid one is replaced by
an empty value.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, Final

MOST_ACTORS: Final = 5_000
DEEPEST: Final = 30
ALIKE: Final = 4
MOST_CRASHES: Final = 20
MOST_NAMES: Final = 200
LONGEST_STATE: Final = 100_000
"""The most characters of an actor's state that are shown."""
FULL_MAILBOX: Final = 100
STUCK: Final = 10.0
"""Seconds in one message, with others waiting, after which an actor is called stuck."""
LATELY: Final = 600.0
"""Seconds for which a restart is shown as trouble."""
_UNUSUAL: Final = ("restarting", "stopped", "suspended", "stopping")


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """One process of the tree, or a child without a process."""

    name: str
    key: str
    """Its path in the tree, unique: for element ids of a page."""
    class_name: str
    is_supervisor: bool
    status: str
    restarts: int
    recent_restarts: int
    """For a supervisor: the restarts that count towards `max_restarts`."""
    max_restarts: int | None
    mailbox_length: int
    message: str | None
    """The type of the message that it handles now."""
    busy_seconds: float | None
    uptime: float | None
    """Seconds; None without a process."""
    children: "tuple[Actor, ...]"
    trouble: str | None
    """What is wrong with it, in a few words."""
    troubles: int
    """How many actors of the subtree have a trouble, this one included."""
    size: int
    """How many actors the subtree has, this one included."""

    @property
    def rows(self) -> "list[tuple[Actor, ...]]":
        """The children, each in a group of its own. `ALIKE` or more adjacent ones of the same
        class, such as a pool's workers, share a group if they are well and have no children."""
        return [
            group
            for _, alike in groupby(self.children, key=_likeness)
            for group in _parted(tuple(alike))
        ]


@dataclass(frozen=True, slots=True)
class Crash:
    """One crash report."""

    at: datetime | None
    actor: str
    reason: str
    text: str


@dataclass(frozen=True, slots=True)
class Tree:
    """The content of the sight `tree`."""

    root: Actor | None
    """None if the sight holds no tree."""
    crashes: tuple[Crash, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorState:
    """The content of the sight `actor NAME`."""

    name: str
    class_name: str
    sys_state: str
    state: str | None
    """Many lines; None: the actor was too busy to answer in time."""
    state_cut: int
    """How many characters were cut off its end."""
    mailbox_length: int
    links: tuple[str, ...]
    monitors: tuple[str, ...]
    monitored_by: tuple[str, ...]
    linked_tasks: tuple[str, ...]
    counts: Mapping[str, int]
    """`calls`, `casts` and `infos` since observation began."""
    handled_seconds: float | None
    """Seconds spent on handling these."""
    counted_for: float | None
    """Seconds since observation began."""


def _likeness(actor: Actor) -> tuple[str, bool]:
    return actor.class_name, not actor.children and actor.trouble is None


def _parted(alike: tuple[Actor, ...]) -> list[tuple[Actor, ...]]:
    if len(alike) >= ALIKE and _likeness(alike[0])[1]:
        return [alike]
    return [(it,) for it in alike]


def read_tree(body: Mapping[str, Any], now: float) -> Tree:
    """Read the sight `tree`, written at `now` (seconds since the epoch)."""
    given = body.get("tree")
    budget = [MOST_ACTORS]
    root = _actor(given, "t", now, 0, budget) if isinstance(given, dict) else None
    crashes = body.get("crashes")
    return Tree(
        root,
        tuple(
            _crash(it)
            for it in (crashes if isinstance(crashes, list) else [])[:MOST_CRASHES]
            if isinstance(it, dict)
        ),
    )


def find(root: Actor, name: str) -> Actor | None:
    """The first actor with that name."""
    return next((it for it in walk(root) if it.name == name), None)


def walk(root: Actor) -> Iterator[Actor]:
    """The actor and all below it, depth first, in start order."""
    yield root
    for child in root.children:
        yield from walk(child)


def read_actor(body: Mapping[str, Any]) -> ActorState:
    """Read the sight `actor NAME`."""
    state = body.get("state")
    text = state if isinstance(state, str) else None
    return ActorState(
        name=_text(body, "name"),
        class_name=_text(body, "class"),
        sys_state=_text(body, "sys_state"),
        state=None if text is None else text[:LONGEST_STATE],
        state_cut=max(len(text or "") - LONGEST_STATE, 0),
        mailbox_length=_whole(body, "mailbox_length"),
        links=_names(body, "links"),
        monitors=_names(body, "monitors"),
        monitored_by=_names(body, "monitored_by"),
        linked_tasks=_names(body, "linked_tasks"),
        counts={name: _whole(body, name) for name in ("calls", "casts", "infos")},
        handled_seconds=_number(body, "seconds"),
        counted_for=_number(body, "counted_for"),
    )


def _actor(given: Mapping[str, Any], key: str, now: float, depth: int, budget: list[int]) -> Actor:
    budget[0] -= 1
    children = given.get("children")
    below: list[Actor] = []
    for place, child in enumerate(children if isinstance(children, list) else []):
        if budget[0] <= 0 or depth >= DEEPEST:
            break
        if isinstance(child, dict):
            below.append(_actor(child, f"{key}-{place}", now, depth + 1, budget))
    since = _number(given, "since")
    busy = None if since is None else max(now - since, 0.0)
    trouble = _trouble(given, busy)
    return Actor(
        name=_text(given, "name"),
        key=key,
        class_name=_text(given, "class_name"),
        is_supervisor=given.get("type") == "supervisor",
        status=_text(given, "status"),
        restarts=_whole(given, "restarts"),
        recent_restarts=_whole(given, "recent_restarts"),
        max_restarts=_whole(given, "max_restarts") if given.get("max_restarts") else None,
        mailbox_length=_whole(given, "mailbox_length"),
        message=_text(given, "current_message") or None,
        busy_seconds=busy,
        uptime=_number(given, "uptime") if given.get("pid") is not None else None,
        children=tuple(below),
        trouble=trouble,
        troubles=(trouble is not None) + sum(it.troubles for it in below),
        size=1 + sum(it.size for it in below),
    )


def _trouble(given: Mapping[str, Any], busy: float | None) -> str | None:
    status, unread = _text(given, "status"), _whole(given, "mailbox_length")
    recent, most = _whole(given, "recent_restarts"), _whole(given, "max_restarts")
    if status in _UNUSUAL:
        return status
    if unread and busy is not None and busy > STUCK:
        return "stuck"
    if unread >= FULL_MAILBOX:
        return "mailbox fills"
    if most and recent > most / 2:
        return "near max_restarts"
    uptime = _number(given, "uptime")
    if _whole(given, "restarts") and uptime is not None and uptime < LATELY:
        return "restarted recently"
    return None


def _crash(given: Mapping[str, Any]) -> Crash:
    return Crash(
        _moment(given.get("at")),
        _text(given, "actor"),
        _text(given, "reason", 1_000),
        _text(given, "text", 10_000),
    )


def _text(given: Mapping[str, Any], name: str, most: int = 1_000) -> str:
    value = given.get(name)
    return value[:most] if isinstance(value, str) else ""


def _number(given: Mapping[str, Any], name: str) -> float | None:
    value = given.get(name)
    return float(value) if isinstance(value, int | float) and abs(value) < 1e15 else None


def _whole(given: Mapping[str, Any], name: str) -> int:
    return int(_number(given, name) or 0)


def _names(given: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = given.get(name)
    found = (
        [str(it)[:1_000] for it in value if isinstance(it, str | int)]
        if isinstance(value, list)
        else []
    )
    return tuple(found[:MOST_NAMES])


def _moment(value: object) -> datetime | None:
    """Parse seconds since the epoch, or ISO 8601. None for anything else."""
    try:
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC)
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None
