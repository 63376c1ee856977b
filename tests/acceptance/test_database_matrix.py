"""Whatever happens to the database, the service stays up, and each request ends once."""

from collections.abc import Sequence
from urllib.parse import urlsplit

import pytest

from tests.acceptance.nexus import Nexus, Service, query, send, value, wait_for

CONFIG = """
[service]
{service}
[database]
url = "{url}"
pool_size = 3
[queue]
poll_interval = 0.2
visibility_timeout = 3
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
TROUBLES: dict[str, tuple[Sequence[str], Sequence[str]]] = {
    # what is done to the database, and what mends it; {name} is the database's
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
    "the journal gone": "does not exist",
    "the queue gone": "does not exist",
}
"""What the service's log says meanwhile."""
INSIDE: dict[str, tuple[str, str]] = {
    "the disk full for results": (
        FULL.format(table="pgmq.q_ai_results"),
        "DROP FUNCTION public.full_disk CASCADE",
    ),
    "the disk full for job_results": (
        FULL.format(table="public.job_results"),
        "DROP FUNCTION public.full_disk CASCADE",
    ),
    "the journal gone": (
        "ALTER TABLE nexus.requests RENAME TO elsewhere",
        "ALTER TABLE nexus.elsewhere RENAME TO requests",
    ),
    "the queue gone": (
        "ALTER TABLE pgmq.q_ai_requests RENAME TO elsewhere",
        "ALTER TABLE pgmq.elsewhere RENAME TO q_ai_requests",
    ),
}


def _begun(nexus: Nexus, url: str) -> Service:
    nexus.config.write_text(CONFIG.format(service=f'data_dir = "{nexus.data_dir}"', url=url))
    service = nexus.start()
    service.wait_ready()
    send(url, COUNT)
    wait_for(lambda: value(url, "SELECT count(*) FROM job_results") > 4, "first results")
    return service


def _ended(nexus: Nexus, url: str) -> None:
    wait_for(lambda: value(url, "SELECT count(*) FROM job_results") == COUNT, "results")
    wait_for(lambda: value(url, "SELECT count(*) FROM pgmq.q_ai_requests") == 0, "the end")
    published = query(url, "SELECT message ->> 'request_id' AS id FROM pgmq.a_ai_results")
    assert sorted(row["id"] for row in published) == [f"request-{n:03}" for n in range(1, 41)]
    attempts = query(url, "SELECT outcome FROM nexus.attempts")
    assert [row["outcome"] for row in attempts] == ["ok"] * COUNT, "paid twice"
    send(url, 1, first=COUNT + 1)  # and it goes on
    wait_for(lambda: value(url, "SELECT count(*) FROM job_results") == COUNT + 1, "one more")


@pytest.mark.parametrize("trouble", list(TROUBLES))
def test_a_database_that_cannot_be_used_for_a_while_costs_nothing(
    nexus: Nexus, database_url: str, trouble: str
) -> None:
    name = urlsplit(database_url).path.lstrip("/")
    elsewhere = urlsplit(database_url)._replace(path="/postgres").geturl()
    service = _begun(nexus, database_url)
    harm, mend = TROUBLES[trouble]
    for statement in harm:
        query(elsewhere, statement.format(name=name))
    try:
        if mend:
            wait_for(lambda: WORDS[trouble] in service.log, "the trouble to be noticed")
        query(elsewhere, "SELECT pg_sleep(0.5)")
    finally:
        for statement in mend:
            query(elsewhere, statement.format(name=name))
    _ended(nexus, database_url)


@pytest.mark.parametrize("trouble", list(INSIDE))
def test_what_the_database_cannot_do_for_a_while_is_waited_for(
    nexus: Nexus, database_url: str, trouble: str
) -> None:
    service = _begun(nexus, database_url)
    harm, mend = INSIDE[trouble]
    query(database_url, f"DO $do$ BEGIN EXECUTE $sql${harm}$sql$; END $do$")
    wait_for(lambda: WORDS[trouble] in service.log, "the trouble to be noticed")
    query(database_url, "SELECT pg_sleep(0.5)")
    query(database_url, mend)
    _ended(nexus, database_url)
