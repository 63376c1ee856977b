"""The SQL that the pages show for some purpose serves it. That all of it runs: test_snippets.py."""

import re
from pathlib import Path
from uuid import UUID, uuid5

import pytest

from nexus_actors.storage.postgres.database import open_database
from tests.docs.pages import pages
from tests.integration.storage.storage_helpers import give_back
from tests.service import open_sql, request, running_service

PAGES = pages()
BLOCKS = [it.text for page in PAGES for it in page.of("sql")]
ROUTE = [{"complexity": "*", "task_type": "*", "models": ["one/m"]}]


async def test_a_failed_request_is_sent_again_under_a_new_id(
    database_url: str, tmp_path: Path
) -> None:
    (replay,) = (block for block in BLOCKS if "gen_random_uuid" in block)
    broken = {"one": {"kind": "echo", "failure_rate": 1.0, "max_retries": 0}}
    async with running_service(database_url, tmp_path, providers=broken, routes=ROUTE) as service:
        await service.sql.send(request(1))
        await service.stored(1)
    async with running_service(
        database_url, tmp_path, providers={"one": {"kind": "echo"}}, routes=ROUTE
    ) as service:
        await service.sql.rows(replay.rstrip().rstrip(";"))
        await service.stored(2)
        failed, answered = await service.sql.results()
        assert (failed["status"], answered["status"]) == ("error", "ok")
        assert failed["request_id"] != answered["request_id"]
        assert answered["response"] == "echo: message 1"
        assert await service.sql.dead() == []


async def test_whose_requests_wait_is_asked_in_sql(database_url: str) -> None:
    (whose,) = (block for block in BLOCKS if "GROUP BY lane" in block)
    async with open_database(database_url, instance_id="one") as db, open_sql(database_url) as sql:
        waiting = [request(n, agent_id="ab"[n % 2], task_type="chat") for n in range(3)]
        await sql.send(*waiting, request("other"))
        leased = await db.requests.lease(3, 30)
        await db.requests.give_back([give_back(it, waits_for="one") for it in leased])
        rows = [tuple(row.values())[:-1] for row in await sql.rows(whose.rstrip().rstrip(";"))]
    assert rows == [("one", "a", "chat", "simple", 2), ("one", "b", "chat", "simple", 1)]


async def test_a_request_is_cancelled_by_a_row(database_url: str, tmp_path: Path) -> None:
    (cancel,) = (block for block in BLOCKS if "INSERT INTO nexus.cancellations" in block)
    providers = {"one": {"kind": "echo"}}
    async with running_service(
        database_url, tmp_path, providers=providers, routes=ROUTE
    ) as service:
        await service.sql.rows(cancel.rstrip().rstrip(";"))
        await service.sql.send(request(1), request(2))
        await service.stored(2)
        results = {it["request_id"]: it for it in await service.sql.results()}
        assert results["request-2"]["status"] == "ok"
        cancelled = results["request-1"]
        assert (cancelled["error"]["type"], cancelled["error"]["retryable"]) == ("cancelled", False)
        assert (cancelled["agent_id"], cancelled["complexity"]) == ("test-agent", "simple")
        [letter] = await service.sql.dead()
        assert (letter["reason"], letter["request_id"]) == ("cancelled", "request-1")
        assert await service.sql.attempts("request-1") == []


@pytest.mark.parametrize("name", ["request-1", "ümlaut und Leerzeichen"])
async def test_a_row_is_found_by_the_id_that_the_pages_tell(
    name: str, database_url: str, tmp_path: Path
) -> None:
    named = r"""(?:UUID\(|dump!\(|uuid5\([^)"']*)["']([0-9a-f-]{36})"""
    told = [re.findall(named, it.path.read_text()) for it in PAGES]
    (namespace,) = {it for found in told for it in found}
    async with running_service(database_url, tmp_path) as service:
        await service.sql.send(request(1, request_id=name))
        await service.stored(1)
        assert await service.sql.value("SELECT id FROM job_results") == uuid5(UUID(namespace), name)
