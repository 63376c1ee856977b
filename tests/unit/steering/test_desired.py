"""Who is paused, and for how long, by the rows that an operator wrote."""

from datetime import UTC, datetime
from typing import Any

import pytest

from nexus_actors.contract.request import LLMRequest
from nexus_actors.routing import Candidate
from nexus_actors.steering.desired import Desired
from nexus_actors.storage.requests import Lease
from nexus_actors.work.job import Job
from tests.unit.parts import control_row, known_desired


def job(agent: str | None, provider: str, model: str) -> Job:
    body = LLMRequest(request_id="r", agent_id=agent, complexity="simple", messages=())
    one = Job(lease=Lease(1, 1), body=body, request_id="r")
    one.candidates = (Candidate(provider, model),)
    return one


@pytest.mark.parametrize(
    ("pause", "stopped", "free"),
    [
        (("provider", "openai"), [("a", "openai", "m")], [("a", "groq", "m")]),
        (("model", "m"), [("a", "openai", "m"), ("a", "groq", "m")], [("a", "openai", "m-mini")]),
        (("model", "openai/m*"), [("a", "openai", "m-mini")], [("a", "groq", "m-mini")]),
        (("model", "meta/llama"), [("a", "groq", "meta/llama")], [("a", "groq", "llama")]),
        (("agent", "a"), [("a", "p", "m")], [("b", "p", "m"), (None, "p", "m")]),
        (("agent", "[a]"), [("[a]", "p", "m"), ("a", "p", "m")], [("b", "p", "m")]),
        (("agent", "team-*"), [("team-1", "p", "m")], [("a", "p", "m")]),
        (("queue", "ai_requests"), [("a", "p", "m"), (None, "q", "n")], []),
        (("queue", "of_others"), [], [("a", "p", "m")]),
    ],
    ids=str,
)
async def test_a_pause_stops_what_it_names_and_nothing_else(
    pause: tuple[str, str],
    stopped: list[tuple[str | None, str, str]],
    free: list[tuple[str | None, str, str]],
) -> None:
    desired = known_desired(control_row("pause", *pause))
    for one in stopped:
        assert (found := desired.of_job(job(*one))) is not None
        assert (found.subject, found.name) == pause
    assert [desired.of_job(job(*one)) for one in free] == [None] * len(free)


@pytest.mark.parametrize("subject", ["provider", "model", "agent"])
async def test_a_pause_of_this_node_outranks_that_of_all_which_others_still_wait_for(
    subject: str,
) -> None:
    mine = control_row("pause", subject, "x", node="me", why="mine")
    for rows in (
        (mine, control_row("pause", subject, "x")),
        (control_row("pause", subject, "x"), mine),
    ):
        desired = known_desired(*rows)
        (pause,) = desired.pauses
        assert (pause.why, pause.everywhere) == ("mine", False)
        assert desired.lanes == (f"paused {subject} x",)
    assert known_desired(mine).lanes == ()


def test_nothing_is_known_before_the_rows_were_read() -> None:
    assert not Desired().known
    assert known_desired().known


def test_a_row_of_one_node_outranks_one_of_all_whichever_was_first() -> None:
    for value, node in (("3", "*"), ("5", "me")), (("5", "me"), ("3", "*")):
        rows = [
            control_row("concurrency", "provider", "p", value=value[0], node=value[1]),
            control_row("concurrency", "provider", "p", value=node[0], node=node[1]),
        ]
        assert known_desired(*rows).concurrency == {"p": 5}
    mine = control_row("log_level", "node", value="debug", node="me")
    assert known_desired(mine, control_row("log_level", "node", value="error")).log_level == "debug"


def test_what_is_told_of_a_pause_is_one_line_whatever_was_said() -> None:
    until = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    told = control_row("pause", "provider", "p", by="j\x1b[2Joe", why="a\nb" * 200, until=until)
    (pause,) = known_desired(told).pauses
    assert pause.describe().startswith(
        r"provider p is paused by j\x1b[2Joe until 2026-01-02 03:04:05 UTC: a\nb"
    )
    assert len(pause.describe()) <= 200
    assert "\n" not in pause.describe()


def test_what_results_tell_of_a_pause_is_its_name_alone() -> None:
    told = control_row("pause", "agent", "team-\x1b*", by="joe", why="secret")
    (pause,) = known_desired(told).pauses
    assert pause.what == r"agent team-\x1b*"


@pytest.mark.parametrize(
    ("row", "reads", "within", "beyond"),
    [
        ({}, [(5.0, True), (7.0, True)], [5.0, 99.0], [4.9]),
        ({}, [(5.0, True), (7.0, True), (9.0, False)], [5.0, 8.9], [4.9, 9.0]),
        ({"seconds_left": 2.0}, [(5.0, True), (9.0, False)], [5.0, 6.9], [7.1]),
        ({"node": "me"}, [(5.0, True), (9.0, False)], [], [6.0]),
        ({}, [(1.0, True), (2.0, False), (5.0, True), (9.0, False)], [6.0], [3.0]),
    ],
)
def test_what_was_not_leased_for_a_pause_of_the_queue_is_known_when_it_is_over(
    row: dict[str, Any], reads: list[tuple[float, bool]], within: list[float], beyond: list[float]
) -> None:
    desired = Desired()
    pause = control_row("pause", "queue", "ai_requests", **row)
    for at, is_paused in reads:
        desired.replace([pause] if is_paused else [], "ai_requests", at)
    assert all(desired.of_queue_at(when) for when in within)
    assert not any(desired.of_queue_at(when) for when in beyond)


def test_who_waits_for_a_pause_waits_for_another_once_routes_may_fall_back() -> None:
    lanes = {
        known_desired(control_row("pause", "provider", "p", value=value)).pauses[0].lane
        for value in (None, "wait", "fallback")
    }
    assert len(lanes) == 2
