"""Killed at any step between the queue and the stored result, a request ends once all the same."""

import signal

import pytest

from nexus_actors.failpoints import NAMES
from tests.acceptance.nexus import Nexus, one_line, query, send, value, wait_for

CONFIG = """
[queue]
poll_interval = 0.1

[providers.one]
kind = "echo"
latency = 0.05
pool_size = 2

[providers.two]                 # idle: for its sake more is leased than `one` has room for
kind = "echo"

[[routes]]
models = ["one/model"]

[[routes]]
complexity = "complex"
models = ["two/model"]
"""
COUNT = 20
PAID_AGAIN = {"after_receive", "before_finish"}
"""Between the answer and the transaction that makes it durable: the boundary of the promise."""

BY_THE_QUEUE = {"before_store", "after_store"}
"""Of results that their requests' end did not store."""


@pytest.mark.parametrize("name", NAMES)
def test_killed_at_any_step_everything_ends_once(
    nexus: Nexus, database_url: str, name: str
) -> None:
    nexus.configure(CONFIG, url=database_url)
    send(database_url, COUNT)
    if name in BY_THE_QUEUE:  # what the direct way needs is gone
        query(database_url, "ALTER SEQUENCE pgmq.q_ai_results_msg_id_seq RENAME TO elsewhere")
    nexus.environ["NEXUS_FAILPOINT"] = f"{name}:kill"
    assert nexus.start().wait() == -signal.SIGKILL
    del nexus.environ["NEXUS_FAILPOINT"]
    nexus.start().wait_ready()
    wait_for(lambda: value(database_url, "SELECT count(*) FROM job_results") == COUNT, "results")
    wait_for(lambda: value(database_url, "SELECT count(*) FROM pgmq.q_ai_requests") == 0, "the end")

    published = "SELECT message ->> 'request_id' AS id FROM pgmq.a_ai_results"
    ids = [row["id"] for row in query(database_url, published)]
    assert sorted(ids) == [f"request-{n:03}" for n in range(1, COUNT + 1)]
    attempts = query(database_url, "SELECT request_id, outcome, maybe_paid FROM nexus.attempts")
    ok = [row["request_id"] for row in attempts if row["outcome"] == "ok"]
    assert sorted(ok) == sorted(ids)
    if name in PAID_AGAIN:
        assert any(row["outcome"] == "interrupted" and row["maybe_paid"] for row in attempts)


def test_a_failpoint_that_is_none_is_told(nexus: Nexus, database_url: str) -> None:
    nexus.configure(CONFIG, url=database_url)
    nexus.environ["NEXUS_FAILPOINT"] = "somewhere:kill"
    refused = nexus.run("start")
    assert "expected NAME:kill or NAME:stop" in one_line(refused, 2)


def test_a_spool_that_cannot_be_used_is_told(nexus: Nexus, database_url: str) -> None:
    nexus.configure(CONFIG, url=database_url)
    (nexus.data_dir / "answers.spool").mkdir(parents=True)
    assert "answers.spool: Is a directory" in one_line(nexus.run("start"), 1)
