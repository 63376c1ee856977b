"""A short fire drill: everything breaks, and every promise holds."""

import json
import signal

import pytest

from tests.acceptance.nexus import LIMIT, Nexus, one_line, value, wait_for


def test_nothing_is_lost_and_nothing_is_twice_whatever_is_killed(nexus: Nexus) -> None:
    done = nexus.run(
        *("drill", "--requests", "200", "--duplicates", "20", "--kill", "3", "--db-restart", "2"),
        *("--provider-faults", "0.3", "--seconds", "6", "--json"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    verdict = json.loads(done.stdout)
    assert verdict["breaches"] == {}
    assert (verdict["requests"], verdict["results"], verdict["kills"], verdict["restarts"]) == (
        180,
        180,
        3,
        2,
    )
    assert verdict["faults"] > 0
    assert verdict["billed"] == pytest.approx(verdict["told"] + verdict["unknown"])
    assert verdict["billed"] <= verdict["spent"] <= verdict["budget"]
    assert done.stderr == ""
    assert list((nexus.folder / "tmp").iterdir()) == []
    nexus.wait_all_gone()


def test_a_drill_without_faults_pays_for_each_request_once(nexus: Nexus, database_url: str) -> None:
    calm = ("--kill", "0", "--db-restart", "0", "--provider-faults", "0", "--seconds", "1")
    done = nexus.run("drill", "--url", database_url, "--requests", "50", *calm, "--json")
    verdict = json.loads(done.stdout)
    assert (verdict["results"], verdict["calls"], verdict["repeated_paid_calls"]) == (45, 45, 0)
    assert (verdict["told"], verdict["unknown_calls"]) == (verdict["billed"], 0)
    assert verdict["spent"] == pytest.approx(verdict["billed"])


def test_a_database_that_is_given_is_left_as_it_was(nexus: Nexus, database_url: str) -> None:
    tables = "SELECT count(*) FROM pg_class WHERE relname LIKE 'q_%' OR relname = 'job_results'"
    drills = "SELECT count(*) FROM pg_database WHERE datname LIKE 'nexus_drill_%'"
    before = value(database_url, tables)
    done = nexus.run(
        *("drill", "--url", database_url, "--requests", "50", "--kill", "1", "--db-restart", "2"),
        *("--processes", "1", "--provider-faults", "0.1", "--seconds", "3", "--json"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    verdict = json.loads(done.stdout)
    assert (verdict["results"], verdict["kills"], verdict["restarts"]) == (45, 1, 2)
    assert value(database_url, tables) == before
    # Another worker's drill may be using one of its own on this server; one that is left stays.
    wait_for(lambda: value(database_url, drills) == 0, "the end of all drills")


def test_a_server_that_cannot_be_reached_is_told(nexus: Nexus) -> None:
    refused = nexus.run("drill", "--url", "postgresql://me:sesame@127.0.0.1:1/db")
    assert "sesame" not in one_line(refused, 4)


def test_a_drill_that_is_told_to_end_leaves_nothing_running(nexus: Nexus) -> None:
    log = nexus.folder / "drill.log"
    process = nexus.spawn(
        *("drill", "--processes", "2", "--seconds", "600", "--seed", "7"), output=log
    )
    folder = nexus.folder / "tmp"
    wait_for(lambda: list(folder.glob("nexus-drill-*/service-2/data/control.sock")), "services")
    wait_for(lambda: "the drill begins (--seed 7)" in log.read_text(), "the seed")
    process.send_signal(signal.SIGTERM)
    assert process.wait(LIMIT) == 128 + signal.SIGTERM
    assert "ended by SIGTERM (--seed 7)" in log.read_text()
    nexus.wait_all_gone()
    assert list(folder.iterdir()) == []


def test_numbers_that_make_no_drill_are_refused(nexus: Nexus) -> None:
    for option, number in (("requests", "0"), ("processes", "0"), ("provider-faults", "2")):
        one_line(nexus.run("drill", f"--{option}", number), 2)
    one_line(nexus.run("dead", "list", "--limit", "-1"), 2)
