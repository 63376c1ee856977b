"""Parses the times of `--until`."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

_UNITS: Final = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}
_DURATION: Final = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)\s*(s|min|m|h|d)")
_CLOCK: Final = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
EXPECTED: Final = (
    "a duration (90s, 30m, 2h, 1d), a time of day here (18:30), or a time (2026-01-31T18:30Z)"
)


def moment(text: str, now: datetime) -> datetime:
    """Parse a time: `30m`, `2h`, `1d` from now; `18:30`, the next time that the clock shows it; or
    an ISO 8601 time, in `now`'s zone if it names none.

    Raises ValueError that says what is expected.
    """
    text = text.strip()
    if duration := _DURATION.fullmatch(text):
        return now + timedelta(seconds=float(duration[1]) * _UNITS[duration[2]])
    if clock := _CLOCK.fullmatch(text):
        then = now.replace(hour=int(clock[1]), minute=int(clock[2]), second=0, microsecond=0)
        return then if then > now else then + timedelta(days=1)
    try:
        then = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"expected {EXPECTED}, not {text!r}") from None
    return then if then.tzinfo is not None else then.replace(tzinfo=now.tzinfo)


def local_now() -> datetime:
    """Now, in this machine's zone."""
    return datetime.now(UTC).astimezone()
