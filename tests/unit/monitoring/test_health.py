"""Is it well? What the overview says, and why."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from nexus_actors.monitoring.ends import Ends
from nexus_actors.monitoring.health import Verdict, verdict
from nexus_actors.monitoring.overview import Control, Node, Present, Provider, Queue

NODE = Node(
    node="7f1d",
    name="nexus@host",
    host="host",
    version="1",
    state="ready",
    why=None,
    in_flight=0,
    concurrency={},
    restarts=0,
    last_error=None,
    started_at=datetime(2026, 1, 1, tzinfo=UTC),
    beat_age=1.0,
    chores=[],
)
WELL = Present(
    nodes=[NODE],
    queues={"requests": Queue(0, 0, None), "dead": Queue(0, None, None)},
    waiting={},
    idle={"prune": 60.0},
    controls=[],
    providers=[Provider("echo", 1, 8)],
)
QUIET = Ends(requests=100, failed=1)
PAUSE = Control(
    action="pause",
    subject="queue",
    name="ai_requests",
    node="*",
    value="wait",
    until=None,
    by="joe",
    why=None,
)


def said(present: Present = WELL, ends: Ends = QUIET, **changed: Any) -> Verdict:
    return verdict(replace(present, **changed), ends)


def test_where_nothing_is_wrong_it_says_so() -> None:
    found = said()
    assert (found.level, found.findings) == ("well", [])
    assert found.line == "All is well: 1 node is running, nothing is overdue."


DRAIN = replace(PAUSE, action="drain", subject="", name="", node="7f1d")
OTHER = replace(NODE, node="8e2c", name="nexus@other", host="other")


def test_what_is_wrong_is_said() -> None:
    cases = [
        ({"nodes": []}, "bad", "No node is running"),
        ({"nodes": [NODE, replace(NODE, state="lost", beat_age=300.0)]}, "bad", "lost"),
        ({"nodes": [NODE, replace(NODE, state="lost", beat_age=9e4)]}, "care", "lost"),
        ({"nodes": [replace(NODE, state="degraded", why="no\u202ekey")]}, "care", "no\\u202ekey"),
        ({"queues": {"requests": Queue(5, 5, 1000.0)}}, "bad", "due for 17 min"),
        ({"queues": {"requests": Queue(5, 5, 130.0)}}, "care", "due for 2 min"),
        ({"queues": {"dead": Queue(10_001, None, None)}}, "care", "10,000 dead letters"),
        ({"providers": [Provider("a", circuits={"m": "open for 5 s"})]}, "care", "circuit of a"),
        ({"providers": [Provider("a", circuits={"m": "throttled for 5 s"})]}, "care", "throttles"),
        ({"providers": [Provider("a", keys={"K": "refused, for 5 s"})]}, "care", "key of a"),
        ({"idle": {"prune": 7200.0}}, "care", "2 h no node has pruned"),
        ({"idle": {"sum": 7200.0}}, "care", "2 h no node has summed"),
        ({"controls": [PAUSE]}, "bad", "No request is leased: joe has paused the queue."),
        ({"controls": [replace(PAUSE, node="7f1d")]}, "care", "Paused by joe: the queue"),
        ({"controls": [DRAIN]}, "bad", "every running node is drained, by joe"),
        ({"controls": [DRAIN], "nodes": [NODE, OTHER]}, "care", "the node nexus@host (7f1d)"),
    ]
    wrong = []
    for changed, level, text in cases:
        found = said(**changed)
        if not (
            found.level == level
            and text in found.line
            and all(it.where.startswith("/") for it in found.findings)
        ):
            wrong.append((changed, level, text, found))
    assert not wrong, "\n".join(map(repr, wrong))


def test_many_that_fail_are_bad_and_few_say_nothing() -> None:
    assert said(ends=Ends(100, 20)).level == "bad"
    assert said(ends=Ends(10, 9)).level == "well"


@pytest.mark.parametrize(
    ("requests", "failed", "level"),
    [
        (50, 50, "bad"),  # though the hour had one failure in a hundred
        (20, 3, "bad"),
        (20, 2, "well"),
        (19, 18, "well"),
        (5, 5, "bad"),
        (4, 4, "well"),
        (0, 0, "well"),
    ],
)
def test_the_newest_full_minute_counts_by_itself(requests: int, failed: int, level: str) -> None:
    found = said(ends=Ends(100, 1, requests, failed))
    assert found.level == level
    if level == "bad":
        assert "newest full minute failed" in found.line


def test_one_outage_is_one_finding() -> None:
    (found,) = said(ends=Ends(100, 50, 50, 50)).findings
    assert "50% of the requests finished in the last hour" in found.text


def test_a_paused_queue_is_not_late() -> None:
    found = said(controls=[PAUSE], queues={"requests": Queue(5, 5, 9999.0)})
    assert not any("due" in it.text for it in found.findings)


def test_the_worst_comes_first_and_the_rest_is_counted() -> None:
    found = said(controls=[replace(PAUSE, node="7f1d")], nodes=[])
    assert found.level == "bad"
    assert found.line.startswith("No node is running")
    assert found.line.endswith("And 1 more below.")
