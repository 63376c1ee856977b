"""Reads the error in a response, whatever its form: codes, message, delay, the refused field.

Every server has its own form: `{"error": {…}}`, `{"error": "text"}`, `{"message": …}`,
`{"detail": […]}` (FastAPI), `{"message": {"detail": …}}` (Mistral), `{"errors": […]}`, one form in
another's text (gateways), an HTML page. Reading is lenient. Messages are bounded here, and masked
before they leave this process (`redact.py`).
"""

import html
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from nexus_actors.contract.json_text import Parsed, parse
from nexus_actors.providers.http.event_stream import BLANK, EventStream, begins_stream
from nexus_actors.providers.refused_fields import Refused, refused_field

LONGEST_WAIT: Final = 86_400.0
"""The longest delay that is accepted, in seconds. Longer ones are shortened to this."""
_MOST_WORDS: Final = 1_000
"""Characters of a provider's message that are kept."""
_MOST_ITEMS: Final = 5
"""The most items that are read from a list of errors."""
_MOST_LEVELS: Final = 8
"""The deepest nesting of errors that is read."""
_SAID_AT: Final = (
    "message",
    "error",
    "detail",
    "details",
    "errors",
    "msg",
    "error_msg",
    "error_description",
)
_TITLE: Final = re.compile(r"<title[^>]*>([^<]{1,200})</title", re.IGNORECASE)
_PASSED_ON: Final = frozenset(
    {"content_filter", "content_policy_violation", "context_length_exceeded", "model_not_found"}
)
"""Codes that also count if they come from behind a gateway, since they concern the request. Others
may concern the gateway's key."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """An error as a provider reports it."""

    codes: frozenset[str] = frozenset()
    """Its `code`, `type`, Google's `status` and the `reason` of its details, lower-case."""
    message: str = ""
    status: int | None = None
    """The HTTP status inside the error, as OpenRouter sends it."""
    retry_after: float | None = None
    """Seconds to wait, from Google's `RetryInfo`."""
    refused: Refused | None = None
    """The field of the call that the error names as its reason."""
    is_page: bool = False
    """Whether it is an HTML page, which comes from a front end and not from the API."""


NOTHING_SAID: Final = Complaint()


def read_body(text: str) -> Complaint:
    """Read the body of an unsuccessful response."""
    parsed = parse(text)
    if not isinstance(parsed, Parsed):
        is_page = text.lstrip("\ufeff \t\r\n").startswith("<")
        return _in_events(text) or Complaint(message=_page(text), is_page=is_page)
    value = parsed.value
    if isinstance(value, list) and len(value) == 1:  # as Google wraps it where it streams
        value = value[0]
    if not isinstance(value, Mapping):
        return NOTHING_SAID
    inner = value.get("error", value)
    if inner is value or inner is None:
        return read_complaint(inner)
    around = {key: it for key, it in value.items() if key != "error"}
    return _joined(read_complaint(inner), read_complaint(around))


def _in_events(text: str) -> Complaint | None:
    """Read the first event, if the body is an event stream: some servers send errors so."""
    body = text.encode("utf-8", "replace")
    if not begins_stream(body.lstrip(BLANK)[:64]):
        return None
    stream = EventStream()
    events = [data for data in (*stream.feed(body), *stream.close()) if data.strip()]
    return read_body(events[0]) if events and not begins_stream(events[0].encode()) else None


def read_complaint(value: Any) -> Complaint:
    """Read the value of `error` in a body, or a whole body that has no `error`."""
    return _read(value, _MOST_LEVELS)


def _read(value: Any, levels: int) -> Complaint:
    if isinstance(value, str):
        return _read_text(value, levels)
    if isinstance(value, list):
        return _read_items(value, levels)
    if not isinstance(value, Mapping) or not levels:
        return NOTHING_SAID
    details = _details(value.get("details"))
    named = (value.get("code"), value.get("type"), value.get("status"))
    words = (*named, *_names_besides(value, details))
    numbers = [number for name in named[:2] if (number := _status(name)) is not None]
    delays = [seconds for detail in details if (seconds := _delay(detail)) is not None]
    own = Complaint(
        codes=frozenset(it.lower() for it in words if isinstance(it, str)) - {"error"},
        status=numbers[0] if numbers else None,
        retry_after=delays[0] if delays else None,
    )
    inner = [_read(value[key], levels - 1) for key in _SAID_AT if value.get(key)]
    said = next((it for it in inner if it.message), NOTHING_SAID)
    behind = _behind_gateway(value.get("metadata"), levels)
    found = Complaint(
        codes=own.codes | said.codes | (behind.codes & _PASSED_ON),
        message=": ".join(it for it in (said.message, behind.message) if it)[:_MOST_WORDS],
        status=own.status if own.status is not None else said.status,
        retry_after=own.retry_after if own.retry_after is not None else said.retry_after,
        refused=said.refused or behind.refused,
    )
    return replace(found, refused=refused_field(value, found.message) or found.refused)


def _read_text(text: str, levels: int) -> Complaint:
    """A message, or another error as JSON inside a text."""
    if text.lstrip()[:1] in ("{", "[") and levels:
        parsed = parse(text)
        if isinstance(parsed, Parsed):
            inner = parsed.value
            within = inner.get("error") if isinstance(inner, Mapping) else None
            found = _read(within or inner, levels - 1)
            if found.message:
                return found
    words = text[:_MOST_WORDS]
    return Complaint(message=words, refused=refused_field({}, words))


def _read_items(items: list[Any], levels: int) -> Complaint:
    """Several errors, such as FastAPI's `[{"loc": […], "msg": …}]`."""
    read = [(_place(it), _read(it, levels - 1)) for it in items[:_MOST_ITEMS]] if levels else []
    said = [f"{place}: {it.message}" if place else it.message for place, it in read if it.message]
    return Complaint(
        codes=frozenset().union(*(it.codes for _, it in read)),
        message="; ".join(said)[:_MOST_WORDS],
        refused=next((it.refused for _, it in read if it.refused), None),
    )


def _place(item: Any) -> str:
    loc = item.get("loc") if isinstance(item, Mapping) else None
    parts = loc[:10] if isinstance(loc, list) else ()
    return ".".join(str(part)[:64] for part in parts if isinstance(part, str | int))


def _page(text: str) -> str:
    """The message of a body that is not JSON: a page's title, or plain text."""
    if title := _TITLE.search(text[:10_000]):
        return " ".join(html.unescape(title.group(1)).split())
    words = " ".join(text[:_MOST_WORDS].split())
    is_text = words.isprintable() and "\ufffd" not in words and words[:1] not in ("<", "{", "[")
    return words if is_text else ""


def _joined(inner: Complaint, around: Complaint) -> Complaint:
    words = [inner.message, around.message if around.message != inner.message else ""]
    return Complaint(
        codes=inner.codes | around.codes,
        message=": ".join(it for it in words if it)[:_MOST_WORDS],
        status=inner.status if inner.status is not None else around.status,
        retry_after=inner.retry_after if inner.retry_after is not None else around.retry_after,
        refused=inner.refused or around.refused,
    )


def _behind_gateway(metadata: Any, levels: int) -> Complaint:
    """The error that OpenRouter passes on from the provider behind it."""
    raw = metadata.get("raw") if isinstance(metadata, Mapping) else None
    return _read(raw, levels - 1) if raw and levels else NOTHING_SAID


def _names_besides(value: Mapping[str, Any], details: list[Mapping[str, Any]]) -> Iterator[Any]:
    for detail in details:
        yield detail.get("reason")
        if any("PerDay" in str(it.get("quotaId")) for it in _violations(detail)):
            yield "per_day_quota"
        if any(str(it.get("quotaValue")) == "0" for it in _violations(detail)):
            yield "no_quota"
    metadata = value.get("metadata")
    if isinstance(metadata, Mapping) and (
        "flagged_input" in metadata or isinstance(metadata.get("reasons"), list)
    ):  # OpenRouter's, with 403
        yield "content_filter"


def _details(value: Any) -> list[Mapping[str, Any]]:
    """Google's `error.details` (google.rpc), each with its `@type`."""
    items = value if isinstance(value, list) else ()
    return [item for item in items if isinstance(item, Mapping)]


def _violations(detail: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The violations of a `QuotaFailure`, each with its quota's name and sometimes its size."""
    return _details(detail.get("violations"))


def _delay(detail: Mapping[str, Any]) -> float | None:
    """A `RetryInfo`'s `retryDelay`, such as `12.5s`."""
    text = detail.get("retryDelay")
    seconds = number_of(text.removesuffix("s")) if isinstance(text, str) else None
    return None if seconds is None else min(seconds, LONGEST_WAIT)


def _status(value: Any) -> int | None:
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    is_one = len(text) == 3 and text.isascii() and text.isdigit() and text[0] in "45"
    return int(text) if is_one else None


def number_of(text: str | None) -> float | None:
    """Parse a finite number that is not negative; None for anything else."""
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None
