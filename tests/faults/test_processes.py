"""Several processes on one queue: disjoint, and one that sleeps through its leases does no harm."""

import json
import signal

from tests.acceptance.nexus import Nexus, Service, query, send, value, wait_for

CONFIG = """
[service]
data_dir = {data_dir}
[database]
url = {url}
[queue]
poll_interval = 0.1
visibility_timeout = 2
[providers.one]
kind = "echo"
latency = 0.3
pool_size = 4
[[routes]]
models = ["one/model"]
"""


def _start(nexus: Nexus, url: str, name: str) -> Service:
    config = nexus.folder / f"{name}.toml"
    folder = nexus.folder / name
    config.write_text(CONFIG.format(data_dir=json.dumps(str(folder)), url=json.dumps(url)))
    return nexus.start("--config", str(config))


def _ended_once(url: str, count: int) -> None:
    wait_for(lambda: value(url, "SELECT count(*) FROM job_results") == count, "results")
    wait_for(lambda: value(url, "SELECT count(*) FROM pgmq.q_ai_requests") == 0, "the end")
    published = query(url, "SELECT message ->> 'request_id' AS id FROM pgmq.a_ai_results")
    assert sorted(row["id"] for row in published) == [
        f"request-{n:03}" for n in range(1, count + 1)
    ]


def test_five_processes_share_a_queue_and_no_request_is_worked_on_twice(
    nexus: Nexus, database_url: str
) -> None:
    for name in ("one", "two", "three", "four", "five"):
        _start(nexus, database_url, name)
    online = "SELECT count(DISTINCT application_name || pid) > 9 FROM pg_stat_activity"
    wait_for(lambda: value(database_url, online), "the processes")
    send(database_url, 120)
    _ended_once(database_url, 120)
    attempts = query(database_url, "SELECT owner, outcome FROM nexus.attempts")
    assert [row["outcome"] for row in attempts] == ["ok"] * 120
    assert len({row["owner"] for row in attempts}) > 1


def test_one_that_was_frozen_past_its_leases_wakes_up_and_does_no_harm(
    nexus: Nexus, database_url: str
) -> None:
    frozen = _start(nexus, database_url, "frozen")
    running = "SELECT count(*) >= 4 FROM nexus.requests WHERE state = 'leased'"
    send(database_url, 8)
    wait_for(lambda: value(database_url, running), "calls")
    frozen.signal(signal.SIGSTOP)
    try:
        _start(nexus, database_url, "awake")
        _ended_once(database_url, 8)
    finally:
        frozen.signal(signal.SIGCONT)
    send(database_url, 8, first=9)
    _ended_once(database_url, 16)
    wait_for(lambda: "lease" in frozen.log, "the frozen one to notice")
