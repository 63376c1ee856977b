"""Answers outlive the database's absence and their own process: none is bought twice."""

import signal

import pytest

from tests.acceptance.nexus import Nexus, query, send, value, wait_for

CONFIG = """
[providers.slow]
kind = "echo"
latency = 0.3
pool_size = 8

[[routes]]
models = ["slow/coach"]
"""
FULL = """
DO $do$ BEGIN
    CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        RAISE 'No space left on device' USING ERRCODE = 'disk_full'; END $$;
    CREATE TRIGGER full_disk BEFORE INSERT ON pgmq.a_ai_requests FOR EACH STATEMENT
        EXECUTE FUNCTION full_disk();
END $do$
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_an_answer_that_could_not_be_published_is_published_by_the_next_start(
    nexus: Nexus, database_url: str, end: signal.Signals
) -> None:
    nexus.configure(CONFIG, url=database_url)
    service = nexus.start()
    service.wait_ready()
    send(database_url, 8)
    wait_for(lambda: service.status()["running"] == 8, "running calls")
    query(database_url, FULL)
    wait_for(lambda: service.status()["spooled"] == 8, "answers in the spool")
    if end == signal.SIGTERM:
        told = nexus.run("stop").stderr.splitlines()
        assert "did not take: 8, kept in " in told[-1]
        assert told[-1].endswith("; the next start with this data_dir publishes them")
    else:
        service.signal(end)
    assert service.wait() in (0, -signal.SIGKILL)
    assert value(database_url, "SELECT count(*) FROM nexus.requests WHERE state = 'done'") == 0

    again = nexus.start()
    again.wait_ready()
    # Until they are published nothing is read: it would be paid twice.
    wait_for(
        lambda: again.status()["outages"].get("ResultPublisher", {}).get("seconds", 0) > 1.5,
        "the next start to have tried for a while",
    )
    status = again.status()
    assert (status["in_work"], status["unpublished"]) == (8, 8)
    query(database_url, "DROP FUNCTION full_disk CASCADE")
    wait_for(lambda: value(database_url, "SELECT count(*) FROM job_results") == 8, "results")
    wait_for(lambda: again.status()["spooled"] == 0, "an empty spool")
    attempts = query(database_url, "SELECT request_id, outcome FROM nexus.attempts")
    assert sorted(row["request_id"] for row in attempts) == [f"request-{n:03}" for n in range(1, 9)]
    assert {row["outcome"] for row in attempts} == {"ok"}
    assert value(database_url, "SELECT count(*) FROM pgmq.q_ai_requests") == 0


def test_the_database_comes_back_and_the_spool_is_empty(nexus: Nexus, database_url: str) -> None:
    nexus.configure(CONFIG, url=database_url)
    service = nexus.start()
    service.wait_ready()
    send(database_url, 8)
    wait_for(lambda: service.status()["running"] == 8, "running calls")
    query(database_url, "ALTER TABLE pgmq.a_ai_requests RENAME TO elsewhere")
    wait_for(lambda: service.status()["spooled"] == 8, "answers in the spool")
    # Meanwhile another machine has taken them, since our leases lapsed.
    query(
        database_url,
        "UPDATE nexus.requests SET owner = 'another', read_ct = read_ct + 1;",
    )
    query(database_url, "UPDATE pgmq.q_ai_requests SET read_ct = read_ct + 1")
    query(database_url, "ALTER TABLE pgmq.elsewhere RENAME TO a_ai_requests")
    wait_for(lambda: value(database_url, "SELECT count(*) FROM job_results") == 8, "results")
    wait_for(lambda: service.status()["spooled"] == 0, "an empty spool")
    assert value(database_url, "SELECT count(*) FROM nexus.attempts WHERE outcome = 'ok'") == 8
    assert (nexus.data_dir / "answers.spool").stat().st_size == 0
