"""The story of one request: where it is, what it waits for, its steps and its attempts."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from nexus_actors.providers.pricing import Tokens
from nexus_actors.routing.catalog import Catalog
from nexus_actors.settings import ModelRef, Settings
from nexus_actors.storage.errors import StorageError
from nexus_actors.storage.postgres.connection import Runs
from nexus_actors.storage.postgres.journal import (
    JournalEntry,
    Queued,
    read_entry,
    read_holder,
    read_pauses,
    read_queued,
    read_reach,
)
from nexus_actors.storage.postgres.waiting import read_wait

_WHY_UNCOUNTED: Final = {
    "rate_limited": "the provider said to try later",
    "authentication_failed": "its key was suspended",
    "quota_exceeded": "its key was suspended",
}


@dataclass(frozen=True, slots=True)
class Story:
    """What the database knows about a request."""

    entry: JournalEntry | None = None
    wait: Mapping[str, Any] | None = None
    """What it waits for, if anything."""
    holder: Mapping[str, Any] | None = None
    """The process that holds its lease, if any."""
    queued: Queued | None = None
    """Its message, if it was never leased."""
    pauses: Sequence[Mapping[str, Any]] = ()
    """Pauses that may keep it from being leased."""
    looked: str = ""
    """Where it was searched for without success."""
    unsearched: StorageError | None = None
    """Why the queue could not be searched."""

    @property
    def paused(self) -> str | None:
        """The pause that it waits for, if any, and who made it."""
        if self.wait is not None:
            return self.wait["detail"] if self.wait["reason"] == "paused" else None
        return next(
            (f"{it['subject']} {it['name']} is paused by {it['by']}" for it in self.pauses), None
        )


async def find_story(database: Runs, queue: str, request_id: str) -> Story:
    """Find a request in the journal, or else among the last messages of the queue. Raises
    StorageError if the journal cannot be read."""
    entry = await database.run(read_entry, request_id)
    if entry is not None:
        wait = await database.run(read_wait, request_id)
        return Story(entry, wait, await database.run(read_holder, queue, request_id))
    try:
        queued = await database.run(read_queued, queue, request_id)
        if queued is not None:
            return Story(queued=queued, pauses=await database.run(read_pauses, queue))
        count, first = await database.run(read_reach, queue)
    except StorageError as error:
        return Story(unsearched=error)
    if first is None:
        return Story(looked=f"nor has the queue {queue} (messages: {count:,})")
    return Story(looked=f"nor have the newest {count:,} messages of the queue {queue}")


def steps_of(entry: JournalEntry) -> list[dict[str, Any]]:
    """The steps of a request with `detail` parsed; the database returns it as JSON text."""
    return [{**step, "detail": _read(step["detail"])} for step in entry.steps]


def candidate_costs(
    settings: Settings, entry: JournalEntry, steps: Sequence[Mapping[str, Any]]
) -> dict[str, float | None]:
    """What each considered model, in order, costs (US dollars) for the tokens that were used: 0 for
    a free one, whatever the tokens. None if the price or the tokens are unknown, or the config no
    longer has the provider."""
    routed = [step["detail"]["candidates"] for step in steps if "candidates" in step["detail"]]
    prompt, completion = (entry.request[f"{name}_tokens"] for name in ("prompt", "completion"))
    tokens: Tokens | None = None
    if isinstance(prompt, int) and isinstance(completion, int):
        tokens = Tokens(prompt, completion)
    catalog = Catalog(settings)
    costs: dict[str, float | None] = {}
    for name in routed[-1] if routed else ():
        ref = ModelRef(*name.split("/", 1))
        if ref.provider not in settings.providers:
            costs[name] = None
        elif tokens is None:
            costs[name] = 0.0 if catalog.is_free(ref) else None
        else:
            costs[name] = catalog.cost(ref, tokens)
    return costs


def may_cost(entry: JournalEntry) -> bool:
    """Whether one of its ended calls was paid for, or may have been."""
    return any(it["cost"] or it["maybe_paid"] or it["outcome"] == "ok" for it in entry.attempts)


def notes_of(attempt: Mapping[str, Any]) -> Iterator[str]:
    """What else there is to say about an attempt, besides its outcome."""
    if attempt["error"]:
        yield str(attempt["error"])
    if attempt["spared"]:
        why = _WHY_UNCOUNTED.get(attempt["outcome"], "asked again without what was refused")
        yield f"does not count: {why}"
    if attempt["maybe_paid"]:
        yield "may have been paid"
    if attempt["dropped"]:
        yield f"not sent as asked: {', '.join(attempt['dropped'])}"
    if attempt["first_text_ms"] is not None:
        yield f"first text after {attempt['first_text_ms']} ms"
    if attempt["key_name"]:
        yield f"with {attempt['key_name']}"


def _read(detail: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(detail) if isinstance(detail, str) else {}
    return found
