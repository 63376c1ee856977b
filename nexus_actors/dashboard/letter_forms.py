"""The actions on dead letters and on failed requests."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import trio

from nexus_actors.contract.json_text import Parsed, parse
from nexus_actors.contract.shown_text import printable
from nexus_actors.dashboard.forms import (
    PREVIEW_TIMEOUT,
    ActionForm,
    Field,
    FormError,
    Values,
    optional,
    ticked,
    whole,
)
from nexus_actors.dashboard.request_filter import LONGEST, NAMES, moment_text, read_filter
from nexus_actors.dashboard.visit import PageError
from nexus_actors.monitoring.actions import Action
from nexus_actors.monitoring.letter_actions import (
    EditLetter,
    PurgeLetter,
    PurgeLetters,
    RetryLetter,
    RetryLetters,
)
from nexus_actors.monitoring.letters import MOST_SEARCHED, editable_request, find_letters
from nexus_actors.monitoring.reading import Reader
from nexus_actors.monitoring.request_actions import RetryFailed
from nexus_actors.storage.postgres.dead_letters import DeadLetter

_NUMBER: Final = Field(
    name="number", label="Letter", kind="number", required=True, longest=19, hint="its number"
)
_SAME_ID: Final = Field(
    name="same_id", label="Under the same id; its result replaces the error", kind="tick"
)
_REASON: Final = Field(
    name="reason", label="Reason", hint="an error's name", required=True, longest=256
)
_PROVIDER: Final = Field(name="provider", label="Provider", hint="empty: any", longest=256)
NO_PROVIDER: Final = "no_provider"
"""The field and query parameter that selects letters without a provider."""
_NO_PROVIDER: Final = Field(name=NO_PROVIDER, label="Only letters without a provider", kind="tick")
_SHOWN: Final = 40


async def _letter_of(reader: Reader, values: Values, _by: str) -> Values:
    """Find the number of the letter about the request `id`. Raises PageError if there is none."""
    request_id = values.get("id")
    if not request_id or values.get("number"):
        return {}
    found: Mapping[str, DeadLetter] | None = None
    with trio.move_on_after(PREVIEW_TIMEOUT):
        found = await find_letters(reader, {request_id})
    if found is None:
        message = (
            f"looking for its letter takes more than {PREVIEW_TIMEOUT:g} s; open it by its number"
        )
        raise PageError(503, message)
    if request_id not in found:
        message = f"there is no letter about {printable(request_id, 80)} among the newest"
        raise PageError(404, f"{message} {MOST_SEARCHED:,}")
    return {"number": str(found[request_id].number)}


async def _request_of(reader: Reader, values: Values, by: str) -> Values:
    """The letter's request as text to edit. Raises PageError if there is none."""
    text = values.get("number", "")
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise PageError(400, "number: expected a letter's number")
    request = await editable_request(reader, int(text), by)
    if request is None:
        raise PageError(404, f"there is no letter {text} with a request that can be changed here")
    return {"request": request}


def _number(values: Values) -> int:
    number = whole(values, "number", "Letter", least=0, most=2**63 - 1)
    assert number is not None  # noqa: S101 - the field is required
    return number


def _retry(values: Values) -> Action:
    return RetryLetter(number=_number(values), same_id=ticked(values, "same_id"))


def _purge(values: Values) -> Action:
    return PurgeLetter(number=_number(values))


def _edit(values: Values) -> Action:
    return EditLetter(number=_number(values), request=checked_request(values["request"]))


def _provider(values: Values) -> str | None:
    """A provider; empty for letters without one; None for all letters."""
    if not ticked(values, NO_PROVIDER):
        return optional(values, "provider")
    if values.get("provider"):
        raise FormError("Provider: must be empty to select letters without a provider")
    return ""


def _retry_many(values: Values) -> Action:
    return RetryLetters(reason=values["reason"], provider=_provider(values))


def _purge_many(values: Values) -> Action:
    return PurgeLetters(reason=values["reason"], provider=_provider(values))


async def _moments_of(_reader: Reader, values: Values, _by: str) -> Values:
    """Replace a relative window by fixed moments, so that exactly the requests that the question
    counts are retried, and none that fails later."""
    now = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
    which = read_filter({**values, "state": "failed"}, now)
    return {"from": moment_text(which.since), "to": moment_text(which.until or now)}


def _retry_failed(values: Values) -> Action:
    try:
        which = read_filter({**values, "state": "failed"}, datetime.now(UTC))
    except PageError as error:
        raise FormError(str(error)) from error
    return RetryFailed(which=which)


def checked_request(text: str) -> str:
    """The text, if it is a JSON object that a queue can hold. Raises FormError with the place of
    the mistake."""
    match parse(text):
        case Parsed(value) if isinstance(value, dict):
            return text
        case Parsed():
            raise FormError("Request: expected a JSON object, { … }")
        case unparsable:
            try:
                json.loads(text)
            except json.JSONDecodeError as error:
                where = f"line {error.lineno}, column {error.colno}"
                raise FormError(f"Request: expected JSON; {where}: {error.msg}") from None
            except (ValueError, RecursionError):
                pass  # JSON beyond the parser's limits: reported below
            problem = printable(unparsable.reason, 200)
            where = f" at {printable(unparsable.path, _SHOWN)}" if unparsable.path else ""
            raise FormError(f"Request: {problem}{where}")


_FILTER_LABELS: Final = {
    "agent": "Agent",
    "task": "Task type",
    "provider": "Provider",
    "model": "Model",
    "error": "Error",
    "from": "Finished from (UTC)",
    "to": "Finished until (UTC)",
    "cost": "Cost from ($)",
}

LETTER_FORMS: Final[dict[str, ActionForm]] = {
    "retry": ActionForm(
        title="Retry",
        fields=(_NUMBER, _SAME_ID),
        make=_retry,
        fill=_letter_of,
        back="/letters",
        ends="/letter?",
    ),
    "purge": ActionForm(
        title="Purge",
        fields=(_NUMBER,),
        make=_purge,
        is_dangerous=True,
        back="/letters",
        ends="/letter?",
    ),
    "edit": ActionForm(
        title="Edit the request",
        fields=(
            Field(name="number", label="Letter", kind="hidden", required=True, longest=19),
            Field(
                name="request",
                label="Request",
                kind="area",
                hint="JSON; its request_id stays what it was",
                required=True,
            ),
        ),
        make=_edit,
        fill=_request_of,
        shows_messages=True,
        back="/letters",
    ),
    "retry-many": ActionForm(
        title="Retry these letters",
        fields=(_REASON, _PROVIDER, _NO_PROVIDER),
        make=_retry_many,
        back="/letters",
    ),
    "purge-many": ActionForm(
        title="Purge these letters",
        fields=(_REASON, _PROVIDER, _NO_PROVIDER),
        make=_purge_many,
        is_dangerous=True,
        back="/letters",
    ),
    "retry-failed": ActionForm(
        title="Retry the failed ones",
        fields=tuple(
            Field(
                name=name,
                label=_FILTER_LABELS[name],
                longest=LONGEST,
                required=name in ("from", "to"),
            )
            for name in NAMES
            if name in _FILTER_LABELS
        ),
        fill=_moments_of,
        make=_retry_failed,
        back="/requests?state=failed",
    ),
}
