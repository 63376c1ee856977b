"""`nexus doctor` as an operator runs it."""

import json
import signal
import socket

from nexus_actors.cli import exit_codes
from tests.acceptance.nexus import Inside, Nexus, query

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
    first, fix, second, third = done.stdout.splitlines()
    assert first.split()[:3] == ["not", "checked", "database"]  # no service runs its server
    assert fix.split()[:3] == ["fix:", "nexus", "start;"]
    assert second == "not checked  pgmq, queue  see database"
    assert third.split()[:2] == ["ok", "budgets"]
    assert done.stderr == "3 not checked, 1 ok\n"
    assert done.returncode == exit_codes.OK, done


def test_a_check_that_needs_a_dead_database_fails(inside: Inside) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # and nobody listens
        url = f"postgresql://u@127.0.0.1:{free.getsockname()[1]}/d"
        inside.nexus.configure(ECHO, url=url)
        done = inside.run("doctor", "--only", "queue")
    assert done.returncode == exit_codes.FAILED, done
    assert [it.split("  ")[0] for it in done.stdout.splitlines() if it[0] != " "] == [
        "wrong",
        "not checked",
    ]


def test_a_service_that_does_not_answer_fails(nexus: Nexus, database_url: str) -> None:
    nexus.configure(ECHO, url=database_url)
    service = nexus.start()
    service.wait_ready()
    well = nexus.run("doctor", "--offline")
    assert well.returncode == exit_codes.OK, well.stdout
    service.signal(signal.SIGSTOP)
    try:
        done = nexus.run("doctor", "--offline", "--only", "service")
    finally:
        service.signal(signal.SIGCONT)
    assert done.returncode == exit_codes.FAILED, done
    assert done.stdout.startswith("wrong        service  the service did not answer 'status'")


def test_a_wrong_config_is_told_and_fails(inside: Inside) -> None:
    inside.nexus.config.write_text("[queue]\nbatch_size = 0\n")
    done = inside.run("doctor", "--only", "config", "--only", "queue")
    assert done.returncode == exit_codes.FAILED
    assert done.stdout.startswith(f"wrong        config  {inside.nexus.config}:2: queue.batch_size")
    assert "not checked  queue   see config" in done.stdout
