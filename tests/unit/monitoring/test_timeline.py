"""A request's story in order of time."""

from datetime import UTC, datetime, timedelta
from typing import Any

from nexus_actors.monitoring.timeline import timeline
from nexus_actors.storage.postgres.journal import JournalEntry

SENT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return SENT + timedelta(seconds=seconds)


def entry(*attempts: dict[str, Any], **columns: Any) -> JournalEntry:
    request: dict[str, Any] = {
        "state": "done",
        "received_at": SENT,
        "first_leased_at": at(2),
        "leased_at": at(2),
        "finished_at": at(10),
        "wait_since": None,
        "error_type": None,
    }
    return JournalEntry({**request, **columns}, [], [{**call(), **it} for it in attempts], [])


def call(**columns: Any) -> dict[str, Any]:
    told: dict[str, Any] = {
        "number": 1,
        "provider": "p",
        "model": "m",
        "outcome": "ok",
        "status_code": None,
        "duration_ms": 1000,
        "first_text_ms": None,
        "started_at": at(3),
        "error": None,
        "spared": False,
        "maybe_paid": False,
        "dropped": [],
        "key_name": None,
    }
    return {**told, **columns}


def told(story: JournalEntry, now: datetime, *steps: dict[str, Any]) -> list[tuple[str, object]]:
    return [(it.label, it.seconds) for it in timeline(story, steps, now)]


def test_between_two_calls_it_waited() -> None:
    story = entry(
        {"outcome": "timeout", "duration_ms": 2000, "started_at": at(3)},
        {"number": 2, "started_at": at(9), "duration_ms": 500, "first_text_ms": 100},
    )
    assert told(story, at(99)) == [
        ("In the queue", 2.0),
        ("Until the first call", 1.0),
        ("Attempt 1: p/m", 2.0),
        ("Until the next call", 4.0),
        ("Attempt 2: p/m", 0.5),
        ("Ended", None),
    ]
    second = timeline(story, [], at(99))[4]
    assert (second.first_text, second.outcome) == (0.1, "ok")


def test_what_has_not_ended_goes_on() -> None:
    leased = entry(state="leased", finished_at=None)
    assert told(leased, at(5)) == [("In the queue", 2.0), ("In work", 3.0)]
    waiting = entry({}, state="waiting", finished_at=None, wait_since=at(6))
    assert told(waiting, at(8))[-1] == ("Waits", 2.0)
    assert timeline(waiting, [], at(8))[-1].is_open


def test_clocks_that_differ_give_no_time_below_zero() -> None:
    story = entry(
        {"started_at": at(1), "duration_ms": None, "outcome": "interrupted", "provider": None},
        first_leased_at=at(-1),
    )
    assert told(story, at(5))[0] == ("In the queue", 0.0)
    assert ("Attempt 1: interrupted", None) in told(story, at(5))


def test_when_it_was_routed_is_reported_where_it_lies_within() -> None:
    routed = {"name": "route_llm", "outcome": "ok", "at": at(2.5)}
    early = {"name": "route_llm", "outcome": "ok", "at": at(-3600)}
    other = {"name": "validate", "outcome": "ok", "at": at(2)}
    labels = [label for label, _ in told(entry({}), at(5), routed, early, other)]
    assert labels.count("Routed") == 1
    assert labels.index("Routed") == 2


def test_it_was_routed_before_its_first_call_and_well_though_the_call_failed() -> None:
    late = {
        "name": "route_llm",
        "outcome": "connection_failed",
        "at": at(4),
        "detail": {"candidates": ["p/m"]},
    }
    spans = timeline(entry({"model": None, "outcome": "connection_failed"}), [late], at(99))
    assert [(it.label, it.outcome) for it in spans if it.kind in ("step", "call")] == [
        ("Routed", "ok"),
        ("Attempt 1: p", "connection_failed"),
    ]
    [routed] = timeline(entry(), [{**late, "detail": {}}], at(99))[1:2]
    assert routed.outcome == "connection_failed"
