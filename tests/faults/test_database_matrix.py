"""Whatever happens to the database, the service stays up, and each request ends once."""

from collections.abc import Sequence
from urllib.parse import urlsplit

import psutil
import pytest

from nexus_actors.storage.postgres.embedded import embedded_url, server_pid
from tests.acceptance.nexus import Nexus, Service, query, send, value, wait_for
from tests.wire import open_wire

CONFIG = """
[service]
{service}
[database]
url = "{url}"
pool_size = 3
statement_timeout = 2
[queue]
poll_interval = 0.2
visibility_timeout = 30
[providers.one]
kind = "echo"
latency = 0.1
pool_size = 4
[[routes]]
models = ["one/model"]
"""
COUNT = 40
END_ALL = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = '{name}' AND pid <> pg_backend_pid()"
)
FULL = """
CREATE FUNCTION public.full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE 'No space left on device' USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER full_disk BEFORE INSERT ON {table} FOR EACH STATEMENT
    EXECUTE FUNCTION public.full_disk()
"""
SLOW = """
CREATE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM pg_sleep(3600); RETURN NEW; END $$;
CREATE TRIGGER slow BEFORE INSERT ON pgmq.a_ai_requests FOR EACH STATEMENT
    EXECUTE FUNCTION public.slow()
"""
TROUBLES: dict[str, tuple[Sequence[str], Sequence[str]]] = {
    # what is done to the database, and what fixes it; {name} is the database's
    "backends ended, the listening one too": ((END_ALL,), ()),
    "nobody let in": (
        ("ALTER DATABASE {name} ALLOW_CONNECTIONS false", END_ALL),
        ("ALTER DATABASE {name} ALLOW_CONNECTIONS true",),
    ),
    # Who connects meanwhile stays read-only, until it connects anew.
    "read-only, as after a failover": (
        ("ALTER DATABASE {name} SET default_transaction_read_only = on", END_ALL),
        ("ALTER DATABASE {name} RESET default_transaction_read_only",),
    ),
}
WORDS = {
    "nobody let in": "not currently accepting connections",
    "read-only, as after a failover": "read-only transaction",
    "the disk full for results": "disk full (53100)",
    "the disk full for job_results": "disk full (53100)",
    "statements that take too long": "statement timeout",
    "the journal gone": "does not exist",
    "the queue gone": "does not exist",
}
"""What the service's log says meanwhile."""
INSIDE: dict[str, tuple[str, str]] = {
    "the disk full for results": (
        FULL.format(table="pgmq.a_ai_requests"),
        "DROP FUNCTION public.full_disk CASCADE",
    ),
    "the disk full for job_results": (
        FULL.format(table="public.job_results"),
        "DROP FUNCTION public.full_disk CASCADE",
    ),
    "statements that take too long": (SLOW, "DROP FUNCTION public.slow CASCADE"),
    "the journal gone": (
        "ALTER TABLE nexus.requests RENAME TO elsewhere",
        "ALTER TABLE nexus.elsewhere RENAME TO requests",
    ),
    "the queue gone": (
        "ALTER TABLE pgmq.q_ai_requests RENAME TO elsewhere",
        "ALTER TABLE pgmq.elsewhere RENAME TO q_ai_requests",
    ),
}


def _begun(nexus: Nexus, url: str, *, service_url: str | None = None) -> Service:
    """A service in the middle of its work. `service_url`: where it finds the database of `url`."""
    service_url = url if service_url is None else service_url
    config = CONFIG.format(service=f'data_dir = "{nexus.data_dir}"', url=service_url)
    nexus.config.write_text(config)
    service = nexus.start()
    service.wait_ready()
    send(url, COUNT)
    wait_for(lambda: value(url, "SELECT count(*) FROM job_results") > 4, "first results")
    return service


def _ended(service: Service, url: str) -> None:
    wait_for(lambda: value(url, "SELECT count(*) FROM job_results") == COUNT, "results")
    wait_for(lambda: value(url, "SELECT count(*) FROM pgmq.q_ai_requests") == 0, "the end")
    published = query(url, "SELECT message ->> 'request_id' AS id FROM pgmq.a_ai_results")
    assert sorted(row["id"] for row in published) == [f"request-{n:03}" for n in range(1, 41)]
    attempts = query(url, "SELECT outcome FROM nexus.attempts")
    assert [row["outcome"] for row in attempts] == ["ok"] * COUNT, "paid twice"
    send(url, 1, first=COUNT + 1)  # and it goes on
    wait_for(lambda: value(url, "SELECT count(*) FROM job_results") == COUNT + 1, "one more")
    wait_for(lambda: service.status()["state"] == "ready", "the end of the trouble")
    assert service.status()["outages"] == {}


@pytest.mark.parametrize("trouble", list(TROUBLES))
def test_a_database_that_cannot_be_used_for_a_while_costs_nothing(
    nexus: Nexus, database_url: str, trouble: str
) -> None:
    name = urlsplit(database_url).path.lstrip("/")
    elsewhere = urlsplit(database_url)._replace(path="/postgres").geturl()
    service = _begun(nexus, database_url)
    harm, fix = TROUBLES[trouble]
    for statement in harm:
        query(elsewhere, statement.format(name=name))
    try:
        if fix:
            wait_for(lambda: WORDS[trouble] in service.log, "the trouble to be noticed")
            assert service.status()["state"] == "degraded"
        query(elsewhere, "SELECT pg_sleep(0.5)")
    finally:
        for statement in fix:
            query(elsewhere, statement.format(name=name))
    _ended(service, database_url)


@pytest.mark.parametrize("trouble", list(INSIDE))
def test_what_the_database_cannot_do_for_a_while_is_waited_for(
    nexus: Nexus, database_url: str, trouble: str
) -> None:
    service = _begun(nexus, database_url)
    harm, fix = INSIDE[trouble]
    query(database_url, f"DO $do$ BEGIN EXECUTE $sql${harm}$sql$; END $do$")
    wait_for(lambda: WORDS[trouble] in service.log, "the trouble to be noticed")
    query(database_url, "SELECT pg_sleep(0.5)")
    query(database_url, fix)
    _ended(service, database_url)


@pytest.mark.usefixtures("cluster")
def test_a_server_that_is_frozen_holds_up_nothing_but_itself(nexus: Nexus) -> None:
    url = embedded_url(nexus.data_dir)
    service = _begun(nexus, url, service_url="")
    server = psutil.Process(server_pid(nexus.data_dir))
    frozen = [server, *server.children(recursive=True)]
    for process in frozen:
        process.suspend()
    try:
        # It says so, goes on with the calls it has begun, and keeps their answers.
        wait_for(lambda: service.status()["state"] == "degraded", "the trouble to be noticed")
        wait_for(lambda: service.status()["spooled"] > 0, "answers to be kept")
        wait_for(lambda: service.status()["running"] == 0, "no new call to begin")
    finally:
        for process in reversed(frozen):
            process.resume()
    _ended(service, url)


def test_connections_that_are_lost_without_a_word_are_made_anew(
    nexus: Nexus, database_url: str
) -> None:
    with open_wire(database_url) as wire:
        service = _begun(nexus, database_url, service_url=wire.url)
        wire.forget()
        wait_for(lambda: "no answer in time" in service.log, "the trouble to be noticed")
        _ended(service, database_url)
        service.process.terminate()
        assert service.wait() == 0


def test_a_server_without_a_connection_to_spare_is_waited_for(
    nexus: Nexus, database_url: str, roles: tuple[str, str]
) -> None:
    """Only who is no superuser can be turned away for that."""
    service = _begun(nexus, database_url, service_url=roles[0])
    name = urlsplit(database_url).path.lstrip("/")
    query(database_url, f"ALTER DATABASE {name} CONNECTION LIMIT 0")
    query(database_url, END_ALL.format(name=name))
    wait_for(lambda: "too many connections" in service.log, "the trouble to be noticed")
    query(database_url, f"ALTER DATABASE {name} CONNECTION LIMIT -1")
    _ended(service, database_url)
