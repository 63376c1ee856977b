"""What a drill makes of its numbers where money is concerned."""

from typing import Any

import pytest

from nexus_actors.drill.evidence import Verdict, money
from nexus_actors.drill.provider import COST

GOOD: dict[str, Any] = {
    **dict.fromkeys(("requests", "messages", "results"), 1),
    **dict.fromkeys(("duplicates", "lost", "unstored", "left_in_queue", "dead_letters"), 0),
    **dict.fromkeys(("calls", "faults", "repeated_paid_calls", "repeated_unflagged"), 0),
    **dict.fromkeys(("kills", "restarts", "seed", "unknown_calls", "unexplained"), 0),
    **dict.fromkeys(("longest_outage", "seconds"), 0.0),
    **dict.fromkeys(("recovery_median", "recovery_max"), None),
    "billed": 0.5,
    "told": 0.5,
    "unknown": 0.0,
    "spent": 0.5,
    "budget": 1.0,
    "stopped_cleanly": True,
    "gave_up": False,
}


@pytest.mark.parametrize(
    ("changes", "breaches"),
    [
        ({}, 0),
        ({"spent": 0.6}, 0),  # what calls of unknown cost may have cost at most
        ({"spent": 1.1}, 1),
        ({"billed": 0.6}, 1),
        ({"unexplained": 3}, 1),
    ],
)
def test_money_that_does_not_add_up_is_a_breach(changes: dict[str, Any], breaches: int) -> None:
    assert len(Verdict(**GOOD | changes).breaches) == breaches


@pytest.mark.parametrize(
    ("billed", "told", "marked", "unknown", "unexplained"),
    [
        ({"a": 1}, {"a": 1}, {}, 0, 0),
        ({"a": 2}, {"a": 1}, {"a": 1}, 1, 0),
        ({"a": 1}, {"a": 1}, {"a": 3}, 0, 0),  # marked, and never made
        ({"a": 2, "b": 1}, {"a": 1}, {"b": 1}, 1, 1),  # another request's mark explains nothing
        ({"a": 1}, {"a": 2}, {}, 0, 1),
    ],
)
def test_each_call_on_the_bill_is_reported_or_marked(
    billed: Any, told: Any, marked: Any, unknown: int, unexplained: int
) -> None:
    found = money(billed, told, marked)
    assert found["unknown"] == pytest.approx(unknown * COST)
    assert found["unexplained"] == unexplained
    assert found["unknown_calls"] == sum(marked.values())


def test_a_drill_that_gave_up_has_failed() -> None:
    assert Verdict(**GOOD | {"gave_up": True}).breaches == {"gave up": 1}
