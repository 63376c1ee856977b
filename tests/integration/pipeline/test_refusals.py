"""What the store refuses is not the answer's fault until that is shown."""

import re
from pathlib import Path

import pytest
import trio

import nexus_actors.storage.postgres
from tests.service import PATIENCE, Service, open_sql, request, running_service

RAISING = (
    "CREATE FUNCTION objection() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN RAISE 'a secret: %', NEW USING ERRCODE = '{state}'; END $$",
    "CREATE {kind}TRIGGER objection {when} INSERT ON {table} {deferred}"
    " FOR EACH ROW EXECUTE FUNCTION objection()",
)
MENDED = ("DROP FUNCTION objection CASCADE",)
PARTITIONED = (
    "ALTER TABLE pgmq.a_ai_requests RENAME TO elsewhere",
    "CREATE TABLE pgmq.a_ai_requests (LIKE pgmq.elsewhere INCLUDING DEFAULTS)"
    " PARTITION BY RANGE (msg_id)",
)


def raising(state: str, table: str, deferred: bool = False) -> tuple[str, ...]:
    """A trigger that refuses whatever comes into a table."""
    words = {
        "state": state,
        "table": table,
        "kind": "CONSTRAINT " if deferred else "",
        "when": "AFTER" if deferred else "BEFORE",
        "deferred": "DEFERRABLE INITIALLY DEFERRED" if deferred else "",
    }
    return tuple(statement.format(**words) for statement in RAISING)


CONDITIONS = {
    "an operator's trigger": (
        raising("P0001", "pgmq.q_ai_results"), MENDED, "in function objection"),
    "one that speaks at the commit": (
        raising("P0001", "pgmq.q_ai_results", deferred=True), MENDED, "P0001"),
    "the end of transaction numbers": (raising("54000", "nexus.attempts"), MENDED, "54000"),
    "a full disk": (raising("53100", "pgmq.a_ai_requests"), MENDED, "53100"),
    "read-only": (raising("25006", "pgmq.q_ai_results"), MENDED, "25006"),
    "no partition": (
        PARTITIONED,
        ("DROP TABLE pgmq.a_ai_requests", "ALTER TABLE pgmq.elsewhere RENAME TO a_ai_requests"),
        "23514"),
    "a check that no answer passes": (
        ("ALTER TABLE pgmq.q_ai_results ADD CHECK (message ->> 'status' <> 'ok')",),
        ("ALTER TABLE pgmq.q_ai_results DROP CONSTRAINT q_ai_results_message_check",),
        "constraint q_ai_results_message_check, table pgmq.q_ai_results"),
}  # fmt: skip


def told(service: Service) -> str:
    """What is said of the publisher's trouble."""
    return str(service.application.outages.describe(0.0).get("ResultPublisher", {}).get("error"))


async def over(service: Service) -> None:
    """Wait until nothing is in trouble, and nothing is kept."""
    with trio.fail_after(PATIENCE):
        while service.application.outages.describe(0.0) or len(service.application.spool):
            await trio.sleep(0.01)


@pytest.mark.parametrize("condition", CONDITIONS)
async def test_a_condition_of_the_store_costs_no_answer_and_is_named(
    database_url: str, tmp_path: Path, condition: str
) -> None:
    begin, end, name = CONDITIONS[condition]
    direct = "q_ai_results" not in str(begin)
    async with running_service(database_url, tmp_path, direct=direct) as service:
        for statement in begin:
            await service.sql.rows(statement)
        await service.sql.send_many(request(n) for n in range(3))
        with trio.fail_after(PATIENCE):
            while name not in told(service) or len(service.application.spool) < 3:
                await trio.sleep(0.01)
        assert "secret" not in told(service)
        for statement in end:
            await service.sql.rows(statement)
        await service.stored(3)
        assert {result["status"] for result in await service.sql.results()} == {"ok"}
        assert await service.sql.dead() == []
        await over(service)


async def test_a_condition_of_some_requests_holds_up_no_other(
    database_url: str, tmp_path: Path
) -> None:
    async with running_service(database_url, tmp_path, direct=False) as service:
        await service.sql.rows(
            "ALTER TABLE pgmq.q_ai_results ADD CONSTRAINT tenants"
            " CHECK (message ->> 'agent_id' <> 'odd')"
        )
        odd = [request(f"odd-{n}", agent_id="odd") for n in range(3)]
        await service.sql.send_many([*odd, *(request(n) for n in range(30))])
        await service.stored(30)
        with trio.fail_after(PATIENCE):
            while "constraint tenants" not in told(service):
                await trio.sleep(0.01)
        await service.sql.send_many(request(n) for n in range(30, 40))
        await service.stored(40)
        await service.sql.rows("ALTER TABLE pgmq.q_ai_results DROP CONSTRAINT tenants")
        await service.stored(43)
        assert {result["status"] for result in await service.sql.results()} == {"ok"}
        await over(service)


async def test_what_an_earlier_process_left_is_judged_as_any_other(
    database_url: str, tmp_path: Path
) -> None:
    tables = "pgmq.q_ai_results", "pgmq.a_ai_results"  # by either way
    check = "ADD CONSTRAINT odd CHECK (message ->> 'agent_id' <> 'odd')"
    async with running_service(database_url, tmp_path) as service:
        for table in tables:
            await service.sql.rows(f"ALTER TABLE {table} {check}")
        await service.sql.send(request("odd", agent_id="odd"), request("good"))
        with trio.fail_after(PATIENCE):
            while "constraint odd" not in told(service):
                await trio.sleep(0.01)
        await service.stored(1)
    async with running_service(database_url, tmp_path) as service:
        # The others are served meanwhile, and it is not bought again.
        await service.sql.send(request("next"))
        await service.stored(2)
        assert "constraint odd" in told(service)
        for table in tables:
            await service.sql.rows(f"ALTER TABLE {table} DROP CONSTRAINT odd")
        await service.stored(3)
        assert await service.sql.value("SELECT count(*) FROM nexus.attempts") == 3
        await over(service)


async def test_nothing_of_ours_notifies_before_it_looks(database_url: str) -> None:
    """A full queue of notifications cannot be made for one database of the tests' server."""
    async with open_sql(database_url) as sql:
        functions = await sql.rows(
            "SELECT prosrc FROM pg_proc WHERE pronamespace = 'nexus'::regnamespace"
        )
    queries = Path(nexus_actors.storage.postgres.__file__).parent / "queries"
    texts = [row["prosrc"] for row in functions] + [it.read_text() for it in queries.glob("*.sql")]
    notifying = [text for text in texts if "pg_notify(" in text]
    assert len(notifying) >= 6
    assert all(re.search(r"usage\(\)\)? < 0.5", text) for text in notifying)
