"""A request that failed is sent again under its own id: `nexus dead retry --same-id`."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import trio

from nexus_actors.cli import explain
from nexus_actors.cli import result as cli_result
from nexus_actors.cli.dead import retry as cli_retry
from nexus_actors.cli.report import CommandError
from nexus_actors.contract.result import Answer
from nexus_actors.storage.postgres import dead_letters
from nexus_actors.storage.postgres.dead_letters import Retried, Which
from tests.integration.result_poller.test_poller import drained, result
from tests.integration.storage.test_privileges import execute, rendered, temporary_roles, user
from tests.service import PATIENCE, Service, Sql, open_sql, request, running_service

CANNOT = {"echo": {"kind": "echo", "failure_rate": 1.0}}
ONCE: dict[str, Any] = {"queue": {"max_attempts": 1}}
ROW = (
    "SELECT status, error, output ->> 'supersedes' AS supersedes,"
    " (output ->> 'attempts')::integer AS attempts, inserted_at < updated_at AS updated"
    " FROM job_results WHERE input ->> 'request_id' = $1"
)


async def letter_of(service: Service, request_id: str) -> int:
    database = service.application.database
    letters = await dead_letters.find(database.pool, database.queues, Which())
    return max(letter.number for letter in letters if letter.request_id == request_id)


async def again(service: Service, request_id: str) -> Retried:
    number, database = await letter_of(service, request_id), service.application.database
    return await dead_letters.retry(database.pool, database.queues, number, same_id=True)


async def marks(sql: Sql, request_id: str) -> list[Any]:
    """What each published result says of whether it supersedes, oldest first."""
    rows = await sql.rows(
        "SELECT message -> 'supersedes' AS mark FROM"
        " (SELECT msg_id, message FROM pgmq.a_ai_results"
        "  UNION ALL SELECT msg_id, message FROM pgmq.q_ai_results) AS m"
        " WHERE message ->> 'request_id' = $1 ORDER BY msg_id",
        request_id,
    )
    return [row["mark"] for row in rows]


async def test_a_request_that_is_sent_again_under_its_id_supersedes_its_error(
    database_url: str, tmp_path: Path
) -> None:
    wrapped = {"request": {**request("wrapped"), "timestamp": "2026-01-02T03:04:05Z"}}
    first, second = "request-1", "request-wrapped"
    bad = request("bad", messages=[])
    async with running_service(database_url, tmp_path, providers=CANNOT, **ONCE) as service:
        sql = service.sql
        await sql.send(request(1), wrapped, bad)
        await service.stored(3)
        # A second failure supersedes the first, and so does the end of what is refused unread.
        assert (await again(service, first)).new_id == first
        assert (await again(service, "request-bad")).new_id == "request-bad"
        await sql.until("SELECT count(*) = 5 FROM pgmq.a_ai_results")
        assert await marks(sql, first) == [None, "true"]
        assert await marks(sql, "request-bad") == [None, "true"]
        [row] = await sql.rows(ROW, first)
        assert (row["status"], row["supersedes"], row["attempts"]) == ("failed", "true", 2)
        assert row["updated"]
        numbers = [await letter_of(service, name) for name in (first, second)]
    async with running_service(database_url, tmp_path, **ONCE) as service:
        sql, database = service.sql, service.application.database
        for number in numbers:
            await dead_letters.retry(database.pool, database.queues, number, same_id=True)
        # A waiter is not given the error that is to be superseded.
        settings = service.application.settings
        found = await cli_result._find(settings, database_url, first, 30.0)
        assert isinstance(found.outcome, Answer)
        await sql.until("SELECT count(*) = 7 FROM pgmq.a_ai_results")
        await drained(sql)
        assert await sql.value("SELECT count(*) FROM job_results") == 3
        for name, told, attempts in (
            (first, [None, "true", "true"], 3),
            (second, [None, "true"], 2),
        ):
            assert await marks(sql, name) == told
            [row] = await sql.rows(ROW, name)
            assert (row["status"], row["error"]) == ("success", None)
            assert (row["supersedes"], row["attempts"]) == ("true", attempts)
            [entry] = await sql.rows("SELECT * FROM nexus.requests WHERE request_id = $1", name)
            assert (entry["state"], entry["sent_again_after"]) == ("done", attempts - 1)
            assert entry["first_leased_at"] >= entry["received_at"]
        assert [it["number"] for it in await sql.attempts(first)] == [1, 2, 3]
        # What its producer sends again is the same request still.
        await sql.send(wrapped)
        await sql.until("SELECT count(*) = 0 FROM pgmq.q_ai_requests")
        assert await marks(sql, second) == [None, "true"]
        found = await explain._find(database_url, "ai_requests", first)
        assert (entry := found.entry) is not None
        assert entry.request["sent_again_after"] == 2


async def test_what_may_not_be_sent_under_its_id_stays_and_says_why(
    database_url: str, tmp_path: Path
) -> None:
    async with running_service(database_url, tmp_path) as service:
        sql = service.sql
        await sql.send(request("ok"))
        await service.stored(1)
        await sql.send(request("ok", complexity="complex"))  # another of that id
        await sql.send(request("gone", messages=[]), request("twice", messages=[]), [1])
        await sql.until("SELECT count(*) = 4 FROM pgmq.q_ai_requests_dead")
        await sql.rows("DELETE FROM nexus.requests WHERE request_id = 'request-gone'")
        copied = (
            "SELECT pgmq.send('ai_requests_dead', message || $2::text::jsonb)"
            " FROM (SELECT * FROM pgmq.q_ai_requests_dead WHERE message ->> 'request_id' = $1"
            "       ORDER BY msg_id LIMIT 1) AS d"
        )
        done = json.dumps({"request_id": "request-ok", "msg_id": 1, "request": request("ok")})
        forged = json.dumps({"request": request("other", messages=[])})
        await sql.rows(copied, "request-gone", done)
        await sql.rows(copied, "request-twice", "{}")
        await sql.rows(copied, "request-twice", forged)
        database = service.application.database
        numbers = await dead_letters.numbers(database.pool, database.queues, Which())
        told = [
            await dead_letters.retry(database.pool, database.queues, number, same_id=True)
            for number in reversed(numbers)
        ]
        assert sorted(str(one.why_not) for one in told) == [
            "None",
            "a success was published under its id",
            "its id is that of another message",
            "its id is that of another message",
            "its request has another id",
            "its request has no id",
            "the journal has its request no longer: send it without --same-id",
        ]
        assert len(await dead_letters.numbers(database.pool, database.queues, Which())) >= 6
        await sql.until("SELECT count(*) = 0 FROM pgmq.q_ai_requests")
        await drained(sql)
        assert await marks(sql, "request-ok") == [None]
        assert await marks(sql, "request-twice") == [None, "true"]


async def test_without_its_grant_only_what_supersedes_waits_and_status_names_it(
    database_url: str, tmp_path: Path
) -> None:
    mark = urlsplit(database_url).path.removeprefix("/")
    role = f"service_{mark}"
    await execute(database_url, rendered(mark), f"REVOKE UPDATE ON job_results FROM {role}")
    made = (role, f"producer_{mark}", f"operator_{mark}")
    async with (
        temporary_roles(database_url, *made),
        open_sql(database_url) as sql,
        running_service(user(database_url, role), tmp_path) as service,
    ):
        await sql.send(result("a"), result("b", supersedes=True), queue="ai_results")
        outages = service.application.outages
        with trio.fail_after(PATIENCE):
            while "ResultPoller" not in outages.describe(0.0):
                await trio.sleep(0.01)
        assert "needs UPDATE on public.job_results" in str(outages.describe(0.0)["ResultPoller"])
        await sql.send(result("c"), queue="ai_results")
        await sql.until("SELECT count(*) = 2 FROM job_results")
        await execute(database_url, rendered(mark))
        await sql.rows("UPDATE pgmq.q_ai_results SET vt = clock_timestamp()")
        await sql.send(result("d"), queue="ai_results")
        await sql.until("SELECT count(*) = 4 FROM job_results")
        with trio.fail_after(PATIENCE):
            while outages.describe(0.0):
                await trio.sleep(0.01)


def test_without_a_poller_nothing_is_sent_under_its_id(tmp_path: Path) -> None:
    config = tmp_path / "nexus.toml"
    config.write_text(
        "[database]\nurl = 'postgresql://127.0.0.1:1/none'\n[result_poller]\nenabled = false\n"
        "[providers.echo]\nkind = 'echo'\n[[routes]]\nmodels = ['echo/echo']\n"
    )
    with pytest.raises(CommandError, match="enabled is false") as refused:
        cli_retry(all_=True, same_id=True, config=config)
    assert refused.value.exit_code == 2
