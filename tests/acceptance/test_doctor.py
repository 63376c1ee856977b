"""`nexus doctor` as an operator runs it."""

import json

from nexus_actors.cli import exit_codes
from tests.acceptance.nexus import Inside, query

ECHO = '[providers.e]\nkind = "echo"\n[[routes]]\nmodels = ["e/m"]\n'


def test_only_what_is_wrong_fails(inside: Inside, database_url: str) -> None:
    inside.nexus.configure(ECHO, url=database_url)
    inside.nexus.config.chmod(0o600)
    well = inside.run("doctor", "--only", "config", "--only", "pauses")
    assert well.returncode == 0, well
    assert [line.split()[:2] for line in well.stdout.splitlines()] == [
        ["ok", "config"],
        ["ok", "pauses"],
    ]
    assert well.stderr == "2 ok\n"
    query(
        database_url,
        "INSERT INTO nexus.control (action, subject, name, by, since)"
        " VALUES ('pause', 'agent', $1, 'kim', now() - interval '2 days')",
        "evil\x1b[31m\nwrong  forged",
    )
    advised = inside.run("doctor", "--only", "pauses")
    assert advised.returncode == exit_codes.OK, advised
    first, leads_to, fix = advised.stdout.splitlines()
    assert first.startswith(r"advice       pauses  agent evil\x1b[31m\nwrong  forged is paused")
    assert leads_to.startswith("             leads to: its requests wait")
    assert fix.startswith("             fix:      nexus resume agent ")
    query(database_url, "SELECT pgmq.send('ai_requests', '{}')")
    broken = inside.run("doctor", "--offline", "--json")
    assert broken.returncode == exit_codes.FAILED, broken
    told = {it["check"]: it for it in json.loads(broken.stdout)}
    assert told["queue"]["verdict"] == "wrong"
    assert told["queue"]["fix"].startswith("nexus start")
    assert set(told["queue"]) == {"check", "subject", "verdict", "says", "leads_to", "fix"}
    assert told["providers"]["verdict"] == "not checked"


def test_a_check_that_there_is_not_is_wrong_usage(inside: Inside) -> None:
    done = inside.run("doctor", "--only", "databse")
    assert done.returncode == exit_codes.USAGE
    assert "no check is called databse; expected one of config, packages, database" in done.stderr


def test_what_cannot_be_looked_at_for_one_reason_is_one_line(inside: Inside) -> None:
    done = inside.run("doctor", "--only", "pgmq", "--only", "queue", "--only", "budgets")
    first, second = done.stdout.splitlines()
    assert first == "not checked  pgmq, queue  see database"
    assert second.split()[:2] == ["ok", "budgets"]
    assert done.stderr == "2 not checked, 1 ok\n"


def test_a_wrong_config_is_told_and_fails(inside: Inside) -> None:
    inside.nexus.config.write_text("[queue]\nbatch_size = 0\n")
    done = inside.run("doctor", "--only", "config", "--only", "queue")
    assert done.returncode == exit_codes.FAILED
    assert done.stdout.startswith(f"wrong        config  {inside.nexus.config}:2: queue.batch_size")
    assert "not checked  queue   see config" in done.stdout
