"""How long a provider asks to wait: `retry-after`, or the reset time of an exhausted limit.

Sources: RFC 9110, 10.2.3; https://docs.anthropic.com/en/api/rate-limits#response-headers;
https://platform.openai.com/docs/guides/rate-limits;
https://openrouter.ai/docs/api-reference/limits.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

from nexus_actors.providers.complaints import LONGEST_WAIT, number_of

_RESET: Final = re.compile(
    r"(?:anthropic-ratelimit-(?P<anthropic>[a-z-]{1,40})-reset"
    r"|x-ratelimit-reset(?P<others>(?:-[a-z]{1,20}){0,2}))"
)
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_SPAN: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h|d)")
_EPOCH: Final = 1e9
"""A larger number is a Unix time in seconds or milliseconds; a smaller one, seconds from now."""


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds the provider asks to wait; None where it asks for nothing that can be understood.

    `retry-after-ms`, then `retry-after` in seconds or as a date (RFC 9110, 10.2.3).
    """
    milliseconds = number_of(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return min(milliseconds / 1000, LONGEST_WAIT)
    text = headers.get("retry-after")
    seconds = number_of(text)
    if seconds is not None or text is None:
        return None if seconds is None else min(seconds, LONGEST_WAIT)
    try:
        return min(max(parsedate_to_datetime(text).timestamp() - now, 0.0), LONGEST_WAIT)
    except (ValueError, OverflowError):
        return None


def reset_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds until all exhausted limits are reset, by the headers of a 429. None if the headers
    name no exhausted limit."""
    waits = (_until(text, now) for name, text in headers.items() if _is_spent(name, headers))
    return max((it for it in waits if it is not None), default=None)


def _is_spent(name: str, headers: Mapping[str, str]) -> bool:
    found = _RESET.fullmatch(name)
    if found is None:
        return False
    limit = found["anthropic"]
    remaining = (
        f"x-ratelimit-remaining{found['others']}"
        if limit is None
        else f"anthropic-ratelimit-{limit}-remaining"
    )
    return number_of(headers.get(remaining)) == 0


def _until(text: str, now: float) -> float | None:
    """Seconds from now. Accepts a number, a span such as `6m0s`, a Unix time, or a date."""
    if (number := number_of(text)) is not None:
        moment = number / 1000 if number > 1000 * _EPOCH else number
        return min(max(moment - now, 0.0) if moment > _EPOCH else moment, LONGEST_WAIT)
    if _SPAN.sub("", text) == "":
        spans = _SPAN.findall(text)
        total = sum(float(many) * _UNITS[unit] for many, unit in spans)
        return min(total, LONGEST_WAIT) if spans else None
    try:
        moment = datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        return None
    return min(max(moment - now, 0.0), LONGEST_WAIT)
