"""The benchmarks still run, and say what they are read for."""

import json
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.actors.contenders import OURS
from benchmarks.actors.figures import FIGURES, GOALS, Goal
from benchmarks.actors.verdict import Outcome, Verdict
from benchmarks.outcome import Goal as Bound
from benchmarks.outcome import Outcome as Measured
from benchmarks.picture import panels
from benchmarks.upstream import answer, call_length

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """What it prints, and what it writes."""
    file = tmp_path_factory.mktemp("benchmark") / "actors.json"
    command = [sys.executable, "-m", "benchmarks.actors", "--tiny", "--json", file]
    done = subprocess.run(
        [*command, "--only", "ours", "--only", "channel"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(file.read_text())


def test_ours_has_every_figure(outcome: tuple[str, dict[str, Any]]) -> None:
    _, written = outcome
    assert written["figures"]["ours"].keys() == FIGURES.keys()
    # a process this small may fit into memory it already had
    assert all(value > 0 for key, value in written["figures"]["ours"].items() if key != "idle")


def test_ours_is_compared_with_raw_trio_where_that_has_a_figure(
    outcome: tuple[str, dict[str, Any]],
) -> None:
    _, written = outcome
    assert written["ratios"]["channel"].keys() >= {
        "call",
        "call_timeout",
        "call_100",
        "cast_posted",
        "cast_handled",
    }
    assert written["ratios"]["channel"].keys() <= written["figures"]["channel"].keys()


def test_each_goal_is_judged_or_said_to_be_unmeasured(
    outcome: tuple[str, dict[str, Any]],
) -> None:
    printed, written = outcome
    assert len(written["goals"]) == len(GOALS)
    for goal in written["goals"]:
        assert (goal["met"] is None) == (goal["of"] == "erlang")
    assert printed.count("not measured") == sum(goal.of == "erlang" for goal in GOALS)


def test_it_says_what_it_was_measured_on(outcome: tuple[str, dict[str, Any]]) -> None:
    _, written = outcome
    assert written["python"] == platform.python_version()
    assert written["cpu_count"] > 0
    assert written["versions"].keys() == {"ours", "channel"}


@pytest.mark.parametrize(
    ("figure", "bound", "value", "missed_by"),
    [
        ("call", 2.0, 2.0, 0.0),
        ("call", 2.0, 1.5, 0.25),
        ("restart", 60.0, 40.0, 0.0),
        ("restart", 60.0, 75.0, 0.25),
    ],
)
def test_a_goal_is_missed_on_its_bad_side_only(
    figure: str, bound: float, value: float, missed_by: float
) -> None:
    verdict = Verdict(Goal(figure, bound), value)
    assert verdict.missed_by == missed_by
    assert verdict.met is (missed_by == 0)


def test_a_ratio_is_the_median_of_those_of_each_round() -> None:
    ours = {"call": [10.0, 1.0, 60.0]}  # the second round was disturbed, and for both
    theirs = {"call": [5.0, 0.5, 20.0]}
    outcome = Outcome({OURS: ours, "channel": theirs})
    assert outcome.ratio("call", "channel") == 2.0
    assert outcome.median(OURS, "call") == 10.0


def test_a_ratio_of_two_sides_is_that_of_each_round() -> None:
    measured = Measured("case")
    mine = measured.add("cpu", "today", "µs", [10.0, 100.0, 30.0])
    theirs = measured.add("cpu", "earlier", "µs", [20.0, 400.0, 60.0])
    found = measured.divide(mine, theirs, Bound("≤", 0.5))
    assert found.samples == (0.5, 0.25, 0.5)
    document = measured.as_json()["figures"][-1]
    assert (document["median"], document["low"], document["high"]) == (0.5, 0.25, 0.5)
    assert document["met"] is True
    assert document["side"] == "today / earlier"


@pytest.mark.parametrize(
    ("sense", "value", "met"), [("≤", 0.5, True), ("≤", 0.6, False), ("≥", 0.4, False)]
)
def test_a_goal_is_a_bound_of_the_median(sense: Any, value: float, met: bool) -> None:
    figure = Measured("case").add("share", "ours", "times", [0.0, value, 9.0], Bound(sense, 0.5))
    assert figure.as_json()["met"] is met


def test_results_say_what_they_were_measured_on() -> None:
    document = Measured("case", versions={"peer": "1.0"}).as_json()
    assert document["versions"].keys() >= {"python", "trio", "peer"}
    assert document["machine"]["cores"] > 0


def test_the_picture_leaves_out_what_was_divided() -> None:
    measured = Measured("case")
    sides = [measured.add("cpu", side, "µs", [1.0]) for side in ("today", "earlier")]
    measured.divide(*sides)
    measured.add("share", "ours", "times", [0.9])
    assert {name: len(it) for name, it in panels([measured.as_json()]).items()} == {
        "cpu, µs": 2,
        "share, times": 1,
    }


def test_the_upstream_server_answers_with_a_completion_of_the_size_asked_for() -> None:
    head, _, body = answer(1024).partition(b"\r\n\r\n")
    assert int(head.rpartition(b"content-length: ")[2]) == len(body)
    assert abs(len(body) - 1024) < 10
    assert json.loads(body)["choices"][0]["finish_reason"] == "stop"


def test_the_upstream_server_sees_where_a_call_ends() -> None:
    call = b"POST / HTTP/1.1\r\nContent-Length: 3\r\nhost: x\r\n\r\nabc"
    assert call_length(call + b"POST") == len(call)
    assert call_length(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n") == 27
    assert call_length(call[:20]) is None
