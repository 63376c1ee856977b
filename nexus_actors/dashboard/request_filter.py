"""Parses a filter of requests from a query string."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Final

from nexus_actors.contract.shown_text import printable
from nexus_actors.dashboard.visit import PageError
from nexus_actors.monitoring.requests import STATES, After, Filter

WINDOWS: Final = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
    "month": timedelta(days=31),
}
DEFAULT_WINDOW: Final = "day"
FIELDS: Final = ("state", "agent", "task", "provider", "model", "error")
"""Parameters whose values are counted; the keys of `Found.counts`."""
NAMES: Final = (*FIELDS, "window", "from", "to", "cost")
_ALSO: Final = {"task_type": "task", "agent_id": "agent", "error_type": "error"}
"""Column names of the database that are accepted too."""
_OTHERS: Final = ("after", "at", "id", "back")
"""Parameters of the page, and of forms about a filter, that do not filter."""
LONGEST: Final = 256
"""Characters of a value."""


def given_names(query: Mapping[str, str]) -> dict[str, str]:
    """The filters in a query string by their names in `NAMES`, stripped, without empty ones. Raises
    PageError for an unknown name: if it were ignored, the page and the actions on it would include
    more than was meant."""
    given: dict[str, str] = {}
    for spelling, text in query.items():
        name = _ALSO.get(spelling, spelling)
        if name in NAMES:
            if text.strip():
                given[name] = text.strip()
        elif name not in _OTHERS:
            raise PageError(
                400, f"{printable(spelling, 40)}: not a filter; expected one of {', '.join(NAMES)}"
            )
    return given


def read_filter(query: Mapping[str, str], now: datetime) -> Filter:
    """Parse the filter. Raises PageError for an invalid value or an unknown name."""
    given = dict.fromkeys(NAMES, "") | given_names(query)
    state = given["state"] or None
    if state is not None and state not in STATES:
        raise _wrong("state", state, f"one of {', '.join(STATES)}")
    for name in FIELDS:
        if len(given[name]) > LONGEST or "\0" in given[name]:
            raise _wrong(name, given[name], f"at most {LONGEST} characters of text")
    window = given["window"] or DEFAULT_WINDOW
    if window not in WINDOWS:
        raise _wrong("window", window, f"one of {', '.join(WINDOWS)}")
    until = read_moment("to", given["to"])
    since = read_moment("from", given["from"])
    if since is None:
        since = (until or now) - WINDOWS[window]
    if until is not None and until < since:
        raise _wrong("to", given["to"], f"a moment after {since:%Y-%m-%d %H:%M:%S} UTC")
    return Filter(
        since=since,
        until=until,
        state=state,
        **{name: given[name] or None for name in FIELDS if name != "state"},
        least_cost=_cost(given["cost"]),
    )


def read_after(query: Mapping[str, str]) -> After | None:
    """Where the previous page ended: `after` is the id of its last row, and `at` is when that
    request ended (empty if it has not). Raises PageError."""
    request_id = query.get("after", "")
    if not request_id:
        return None
    if len(request_id) > LONGEST or "\0" in request_id:
        raise _wrong("after", request_id, "a request's id")
    return After(read_moment("at", query.get("at", "")), request_id)


def read_moment(name: str, text: str) -> datetime | None:
    """Parse a moment in ISO 8601, in UTC unless it has a time zone; None if empty. Raises
    PageError."""
    text = text.strip()
    if not text:
        return None
    expected = "a moment such as 2026-03-01 14:30, in UTC"
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise _wrong(name, text, expected) from error
    if not 1970 <= moment.year <= 9000:
        raise _wrong(name, text, expected)
    return moment


def moment_text(moment: datetime | None) -> str:
    """A moment in the form that `read_moment` parses."""
    return "" if moment is None else moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ")


def _cost(text: str) -> Decimal | None:
    if not text:
        return None
    expected = "US dollars, such as 0.05"
    try:
        cost = Decimal(text.removeprefix("$")) if len(text) <= 30 else None
    except InvalidOperation:
        cost = None
    if cost is None or not cost.is_finite() or not 0 <= cost <= 10**9:
        raise _wrong("cost", text, expected)
    return cost


def _wrong(name: str, text: str, expected: str) -> PageError:
    return PageError(400, f"{name}={printable(text, 40)}: expected {expected}")
