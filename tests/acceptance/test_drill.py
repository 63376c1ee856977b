"""A short fire drill: everything breaks, and every promise holds."""

import json

from tests.acceptance.nexus import Nexus


def test_nothing_is_lost_and_nothing_is_twice_whatever_is_killed(nexus: Nexus) -> None:
    done = nexus.run(
        *("drill", "--requests", "300", "--duplicates", "30", "--kill", "4", "--db-restart", "2"),
        *("--provider-faults", "0.3", "--seconds", "8", "--json"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    verdict = json.loads(done.stdout)
    assert verdict["breaches"] == {}
    assert (verdict["requests"], verdict["results"], verdict["kills"], verdict["restarts"]) == (
        270,
        270,
        4,
        2,
    )
    assert verdict["faults"] > 0
    assert done.stderr == ""
    assert list((nexus.folder / "tmp").iterdir()) == []
    nexus.wait_all_gone()


def test_a_drill_without_faults_pays_for_each_request_once(nexus: Nexus) -> None:
    calm = ("--kill", "0", "--db-restart", "0", "--provider-faults", "0", "--seconds", "1")
    done = nexus.run("drill", "--requests", "50", *calm, "--json")
    verdict = json.loads(done.stdout)
    assert (verdict["results"], verdict["calls"], verdict["repeated_paid_calls"]) == (45, 45, 0)
