"""However a service ends, no request is lost and none is answered twice."""

import signal

import pytest

from nexus_actors.storage.postgres.embedded import embedded_url
from tests.acceptance.nexus import Nexus, Service, one_line, query, send, value, wait_for

WORKERS = 4


def _configure(nexus: Nexus, url: str, latency: float) -> None:
    nexus.configure(
        f"""
        [providers.slow]
        kind = "echo"
        latency = {latency}
        pool_size = {WORKERS}

        [[routes]]
        complexity = "*"
        task_type = "*"
        models = ["slow/coach"]
        """,
        url=url,
    )


def _running(service: Service) -> bool:
    return bool(service.status()["running"] == WORKERS)


def _count(url: str, what: str) -> int:
    return int(value(url, f"SELECT count(*) FROM {what}"))  # noqa: S608 - the tests' own words


def test_sigterm_lets_calls_finish_and_gives_the_rest_back(nexus: Nexus, database_url: str) -> None:
    _configure(nexus, database_url, latency=2.0)
    service = nexus.start()
    service.wait_ready()
    send(database_url, 30)
    wait_for(lambda: _running(service), "running calls")
    service.signal(signal.SIGTERM)
    wait_for(lambda: "draining" in service.log, "the stop")
    asked_at = value(database_url, "SELECT clock_timestamp()")
    late = send(database_url, 5, first=31)
    assert service.wait() == 0, service.log

    # The calls that ran have ended well, and each has its result; none began after the signal.
    attempts = query(database_url, "SELECT outcome, started_at FROM nexus.attempts")
    assert len(attempts) >= WORKERS
    assert all(row["outcome"] == "ok" and row["started_at"] < asked_at for row in attempts)
    assert _count(database_url, "nexus.requests WHERE state = 'done'") == len(attempts)
    published = _count(database_url, "pgmq.q_ai_results") + _count(database_url, "job_results")
    assert published == len(attempts)
    # Everything else is in the queue, visible at once; what came after the signal was never read.
    left = query(database_url, _LEFT)
    assert len(left) == 30 + len(late) - len(attempts)
    assert all(row["visible"] for row in left)
    assert [row["read_ct"] for row in left if row["request_id"] in late] == [0] * len(late)
    assert _count(database_url, "nexus.requests WHERE state IN ('leased', 'waiting')") == 0


_LEFT = """
SELECT message ->> 'request_id' AS request_id, read_ct, vt <= clock_timestamp() AS visible
FROM pgmq.q_ai_requests
"""


def test_a_drain_has_an_end(nexus: Nexus, database_url: str) -> None:
    _configure(nexus, database_url, latency=600.0)
    nexus.config.write_text(
        nexus.config.read_text().replace("[service]", "[service]\ndrain_timeout = 3.0")
    )
    service = nexus.start()
    service.wait_ready()
    send(database_url, 6)
    wait_for(lambda: _running(service), "running calls")
    assert "still runs" in one_line(nexus.run("stop", "--timeout", "0.01"), 5)
    assert service.wait() == 0, service.log
    left = query(database_url, _LEFT)
    assert len(left) == 6
    assert all(row["visible"] for row in left)


@pytest.mark.usefixtures("cluster")
def test_after_sigkill_a_new_start_finishes_everything_once(nexus: Nexus) -> None:
    _configure(nexus, "", latency=0.1)
    service = nexus.start()
    service.wait_ready()
    url = embedded_url(nexus.data_dir)
    ids = send(url, 60)
    wait_for(lambda: _count(url, "job_results") >= WORKERS, "some results")
    service.signal(signal.SIGKILL)
    assert service.wait() == -signal.SIGKILL

    second = nexus.start()
    second.wait_ready()
    wait_for(lambda: _count(url, "job_results") >= len(ids), "all results")
    wait_for(lambda: _count(url, "pgmq.q_ai_requests") == 0, "an empty queue")
    _each_once(url, ids)


def test_after_sigkill_a_new_start_need_not_wait_for_leases(
    nexus: Nexus, database_url: str
) -> None:
    _configure(nexus, database_url, latency=600.0)
    nexus.config.write_text(nexus.config.read_text() + "\n[queue]\nvisibility_timeout = 40000\n")
    service = nexus.start()
    service.wait_ready()
    ids = send(database_url, 10)
    wait_for(lambda: _running(service), "running calls")
    service.signal(signal.SIGKILL)
    service.wait()

    nexus.config.write_text(nexus.config.read_text().replace("latency = 600.0", "latency = 0.0"))
    nexus.start().wait_ready()
    wait_for(lambda: _count(database_url, "job_results") >= len(ids), "all results")
    _each_once(database_url, ids)


def _each_once(url: str, ids: list[str]) -> None:
    wait_for(lambda: _count(url, "pgmq.q_ai_results") == 0, "stored results")
    stored = query(url, "SELECT input ->> 'request_id' AS id, status FROM job_results ORDER BY 1")
    assert stored == [{"id": request_id, "status": "success"} for request_id in ids]
    published = query(
        url, "SELECT message ->> 'request_id' AS id FROM pgmq.a_ai_results ORDER BY 1"
    )
    assert [row["id"] for row in published] == ids
    assert _count(url, "pgmq.a_ai_requests") == len(ids)
