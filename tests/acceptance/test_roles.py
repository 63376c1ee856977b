"""The roles of `nexus db roles` can do their work, and no more."""

import asyncpg
import pytest

from tests.acceptance.nexus import Nexus, one_line, query, send, value, wait_for


def test_a_service_and_a_producer_with_just_what_they_need(
    nexus: Nexus, database_url: str, roles: tuple[str, str, str]
) -> None:
    service_url, producer_url, _ = roles
    nexus.configure(url=service_url)
    service = nexus.start()
    service.wait_ready()
    send(producer_url, 20)
    query(producer_url, "SELECT pgmq.send('ai_requests', '{\"request_id\": \"bad\"}')")
    wait_for(lambda: value(producer_url, "SELECT count(*) FROM job_results") == 21, "results")
    assert value(database_url, "SELECT count(*) FROM pgmq.q_ai_requests_dead") == 1
    assert nexus.run("explain", "request-001").returncode == 0
    service.process.terminate()
    assert service.wait() == 0
    assert "permission" not in service.log

    for url, statement in (
        (service_url, "SELECT pgmq.purge_queue('ai_requests')"),
        (service_url, "DROP TABLE nexus.requests"),
        (service_url, "DELETE FROM public.job_results"),
        (service_url, "SELECT pgmq.create('another')"),
        (producer_url, "SELECT message FROM pgmq.q_ai_requests"),
        (producer_url, "DELETE FROM pgmq.q_ai_requests"),
        (producer_url, "SELECT * FROM nexus.requests"),
        (producer_url, "SELECT * FROM pgmq.q_ai_results"),
        (producer_url, "INSERT INTO public.job_results DEFAULT VALUES"),
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            query(url, statement)


def test_a_roles_name_is_a_name(nexus: Nexus) -> None:
    refused = nexus.run("db", "roles", "--service", "x; DROP TABLE y")
    assert "not a role's name" in one_line(refused, 2)
