"""What of a filter can be cancelled together: exactly what is meant, or nothing."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from nexus_actors.dashboard.cancelling import cancel_of
from nexus_actors.monitoring.requests import LOOKED_AT, Filter, Found, Kind

DAY = Filter(since=datetime(2026, 3, 1, tzinfo=UTC))


def found(in_lane: int = 0, **states: int) -> Found:
    return Found([], 0, {"state": states}, [Kind("waiting", 1, None)], in_lane)


@pytest.mark.parametrize(
    ("which", "of", "label", "parameters"),
    [
        (DAY, found(waiting=7, leased=2, done=9), "Cancel 9 unfinished", ("", "", "any")),
        (replace(DAY, state="leased"), found(leased=2, queued=3), "Cancel 2", ("", "", "running")),
        (replace(DAY, state="waiting"), found(waiting=2, done=3), "Cancel 2", ("", "", "queued")),
        (replace(DAY, agent="x"), found(queued=1), "Cancel 1", ("x", "", "any")),
        (replace(DAY, provider="p"), found(2, waiting=2), "Cancel 2", ("", "p", "queued")),
    ],
)
def test_the_button_says_how_many_of_exactly_the_filter(
    which: Filter, of: Found, label: str, parameters: tuple[str, ...]
) -> None:
    cancels = cancel_of(of, which, 0)
    assert cancels.label.startswith(label)
    assert tuple(cancels.parameters[it] for it in ("agent", "provider", "state")) == parameters
    assert not cancels.why_not


@pytest.mark.parametrize(
    ("which", "of"),
    [
        (replace(DAY, task="t"), found(waiting=1)),
        (replace(DAY, model="m"), found(leased=1)),
        (replace(DAY, state="waiting"), found(waiting=1, queued=1)),  # it would take both
        (replace(DAY, provider="p"), found(1, waiting=1, leased=1)),  # it would leave one
        (replace(DAY, provider="p", state="waiting"), found(1, waiting=2)),
    ],
)
def test_where_others_would_be_cancelled_it_says_so(which: Filter, of: Found) -> None:
    cancels = cancel_of(of, which, 5)
    assert not cancels.label
    assert "would include others" in cancels.why_not


def test_where_nothing_of_the_filter_goes_on_nothing_is_offered() -> None:
    for which in (DAY, replace(DAY, task="t"), replace(DAY, provider="p"), replace(DAY, agent="x")):
        cancels = cancel_of(found(done=3), which, 0)
        assert not cancels.label
        assert not cancels.why_not
    for which in (replace(DAY, state="failed"), replace(DAY, until=DAY.since)):
        assert not cancel_of(found(waiting=3), which, 5).label


def test_what_was_never_leased_is_named_and_what_was_not_counted() -> None:
    assert cancel_of(found(), DAY, 5).label == "Cancel those never leased"
    many = replace(found(waiting=3), kinds=[Kind("waiting", LOOKED_AT, None)])
    assert cancel_of(many, DAY, 5).label == "Cancel 3+ unfinished, and those never leased"
