"""Requests by a filter."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from nexus_actors.dashboard.cancelling import cancel_of
from nexus_actors.dashboard.parts import href
from nexus_actors.dashboard.request_filter import (
    DEFAULT_WINDOW,
    FIELDS,
    LONGEST,
    WINDOWS,
    given_names,
    moment_text,
    read_after,
    read_filter,
)
from nexus_actors.dashboard.visit import PageError, View, Visit
from nexus_actors.monitoring.requests import (
    EXACT,
    IDS_LOOKED_AT,
    LIVE,
    PAGE,
    STATES,
    Filter,
    Found,
    Kind,
    count_due,
    find_ids,
    read_requests,
    read_totals,
)

LABELS: Final = {
    "state": "State",
    "agent": "Agent",
    "task": "Task type",
    "provider": "Provider",
    "model": "Model",
    "error": "Error",
}
_KINDS: Final = {
    "waiting": "that wait",
    "queued": "that were given back to the queue",
    "leased": "in work",
    "ended": "that ended",
    "failed": "that failed",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """A value to filter by."""

    value: str
    requests: int | None
    """None if they were not counted."""
    is_more: bool
    """Whether there may be more requests than were counted."""
    is_chosen: bool
    href: str
    """Adds the value to the filter; removes it if it is chosen."""


@dataclass(frozen=True, slots=True)
class Facet:
    """A field to filter by, and the values that were found."""

    name: str
    label: str
    choices: list[Choice]

    @property
    def is_used(self) -> bool:
        """Whether the filter has a value for the field."""
        return any(it.is_chosen for it in self.choices)


@dataclass(frozen=True, slots=True)
class Looked:
    """A note that not all requests of a kind were read."""

    text: str
    back_to: datetime | None = None
    """When the oldest request that was read ended."""
    href: str = ""
    """The page with those that ended before."""


async def show(visit: Visit) -> View:
    """Requests by a filter, or by the beginning of their id."""
    begin = visit.text("id")
    if begin:
        return await _by_id(visit, begin)
    which = read_filter(visit.query, visit.now)
    after = read_after(visit.query)
    found = await read_requests(visit.reader, which, after)
    given = given_names(visit.query)
    due = await count_due(visit.reader)
    following = found.next_page
    values = {
        "requests": found.requests,
        "matching": found.matching,
        "is_more": not all(it.is_all for it in _meant(found, which)),
        "exact": EXACT,
        "facets": _facets(found, which, given),
        "looked": list(_looked(found, which, given)),
        "due": due,
        "given": given,
        "is_narrowed": bool(given.keys() - {"state", "window"}),
        "totals": await read_totals(visit.reader, which),
        "filters": {name: given[name] for name in FIELDS if name in given},
        "windows": _windows(given),
        "which": which,
        "cancels": cancel_of(found, which, due),
        "retries": given if which.state == "failed" or which.error else None,
        "next": None
        if following is None
        else href(
            "/requests", given, after=following.request_id, at=moment_text(following.ended_at)
        ),
        "first": href("/requests", given) if after is not None else None,
        "begin": "",
    }
    return View("requests.html", "Requests", values)


async def _by_id(visit: Visit, begin: str) -> View:
    if len(begin) > LONGEST or "\0" in begin:
        raise PageError(400, f"id: expected at most {LONGEST} characters of text")
    requests = await find_ids(visit.reader, begin)
    values = {
        "requests": requests,
        "begin": begin,
        "is_more": len(requests) == PAGE,
        "looked_at": IDS_LOOKED_AT,
    }
    return View("requests_by_id.html", "Requests by id", values)


def _meant(found: Found, which: Filter) -> list[Kind]:
    """The kinds that the filter selects from."""
    if which.state is None:
        return list(found.kinds)
    names: tuple[str, ...]
    if which.state == "waiting":  # some were given back until a point in time
        names = ("waiting", "queued")
    elif which.state in LIVE:
        names = (which.state,)
    else:
        names = ("failed" if which.state == "failed" and which.agent is None else "ended",)
    return [it for it in found.kinds if it.name in names]


def _facets(found: Found, which: Filter, given: Mapping[str, str]) -> list[Facet]:
    whole = {it.name: it.is_all for it in found.kinds}
    whole["waiting"] = whole.get("waiting", True) and whole.get("queued", True)
    is_whole = all(it.is_all for it in _meant(found, which))
    facets: list[Facet] = []
    for name in FIELDS:
        counts = dict(found.counts.get(name, {}))
        chosen = given.get(name)
        if chosen is not None:
            counts.setdefault(chosen, 0)
        values = STATES if name == "state" else counts
        choices = [
            Choice(
                value,
                counts.get(value, 0),
                not (whole.get(_kind_of(value, whole), True) if name == "state" else is_whole),
                value == chosen,
                href("/requests", {**given, name: None if value == chosen else value}),
            )
            for value in values
        ]
        facets.append(Facet(name, LABELS[name], choices))
    return facets


def _kind_of(state: str, kinds: Mapping[str, bool]) -> str:
    """The kind that requests in this state were counted from."""
    return state if state in LIVE or state in kinds else "ended"


def _looked(found: Found, which: Filter, given: Mapping[str, str]) -> Iterator[Looked]:
    """A note for each kind that was not read completely: what was read, and where to continue."""
    for kind in _meant(found, which):
        if kind.is_all:
            continue
        if kind.oldest is None:
            yield Looked(f"the first {EXACT:,} of those {_KINDS[kind.name]}")
            continue
        oldest = kind.oldest
        if which.until is not None and oldest >= which.until:  # too many at one moment
            oldest -= timedelta(microseconds=1)
        back = {**given, "from": moment_text(which.since), "to": moment_text(oldest)}
        if oldest >= which.since:
            text = f"the newest {EXACT:,} of those {_KINDS[kind.name]}, back to"
            yield Looked(text, kind.oldest, href("/requests", back))


def _windows(given: Mapping[str, str]) -> list[tuple[str, str, bool]]:
    """Each window: its name, its link, and whether it is chosen."""
    others = {name: it for name, it in given.items() if name not in ("from", "to", "window")}
    is_free = "from" in given or "to" in given
    chosen = None if is_free else given.get("window", DEFAULT_WINDOW)
    return [
        (name, href("/requests", {**others, "window": name}), name == chosen) for name in WINDOWS
    ]
