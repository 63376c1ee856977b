"""What the store does not take of some is in the way of no others, however many there are."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from nexus_actors.storage.postgres.connection import open_postgres
from tests.integration.pipeline.test_refusals import over, told
from tests.service import PATIENCE, Service, open_sql, request, running_service

FEW = {"providers": {"echo": {"kind": "echo", "pool_size": 2}}}
"""A backlog of four answers."""
OBJECTION = """CREATE FUNCTION objection() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.message ->> 'agent_id' = 'odd' THEN {what}; END IF; RETURN NEW; END $$"""
TRIGGER = (
    "CREATE TRIGGER objection BEFORE INSERT ON pgmq.q_ai_results"
    " FOR EACH ROW EXECUTE FUNCTION objection()"
)


async def kept(service: Service, count: int) -> None:
    """Wait until so many are in the spool."""
    with trio.fail_after(PATIENCE):
        while len(service.application.spool) < count:
            await trio.sleep(0.01)


@asynccontextmanager
async def locking(url: str, lock: str) -> AsyncIterator[None]:
    """Another session's locks, for as long as the block lasts."""
    sleeping = "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    async with (
        open_sql(url) as sql,
        open_postgres(url, command_timeout=100) as pool,
        trio.open_nursery() as nursery,
    ):
        statement = f"BEGIN; {lock}; SELECT pg_sleep(90)"
        nursery.start_soon(pool.run, lambda it: it.execute(statement))
        await sql.until(f"{sleeping} AND datname = current_database()")
        yield
        nursery.cancel_scope.cancel()


async def test_one_agents_condition_takes_no_place_of_others_and_keeps_back_no_other_condition(
    database_url: str, tmp_path: Path
) -> None:
    async with running_service(database_url, tmp_path, direct=False, **FEW) as service:
        sql = service.sql
        await sql.rows(OBJECTION.format(what="RAISE 'no: %', NEW"))
        await sql.rows(TRIGGER)
        await sql.rows(
            "ALTER TABLE pgmq.q_ai_results ADD CONSTRAINT tenants"
            " CHECK (message ->> 'agent_id' <> 'other')"
        )
        odd = [request(f"odd-{n}", agent_id="odd") for n in range(20)]
        other = [request(f"other-{n}", agent_id="other") for n in range(6)]
        await sql.send_many([*odd, *other, *(request(n) for n in range(10))])
        await service.stored(10)
        await kept(service, 26)
        assert service.application.in_work.demand() == {"echo": 4}
        # One condition is over, the other is not.
        await sql.rows("ALTER TABLE pgmq.q_ai_results DROP CONSTRAINT tenants")
        await service.stored(16)
        await sql.send_many(request(n) for n in range(10, 20))
        await service.stored(26)
        assert "in function objection" in told(service)
        await sql.rows("DROP FUNCTION objection CASCADE")
        await service.stored(46)
        assert {result["status"] for result in await sql.results()} == {"ok"}
        await over(service)


async def test_a_condition_that_tells_requests_apart_by_their_ids_takes_no_place_of_others(
    database_url: str, tmp_path: Path
) -> None:
    async with running_service(database_url, tmp_path, direct=False, **FEW) as service:
        sql = service.sql
        await sql.send(request("odd-0"))  # the last that got through is one of them
        await service.stored(1)
        await sql.rows(
            "ALTER TABLE pgmq.q_ai_results ADD CONSTRAINT tenants"
            " CHECK (message ->> 'request_id' NOT LIKE 'request-odd%')"
        )
        await sql.send_many([request(f"odd-{n}") for n in range(1, 21)])
        await kept(service, 4)
        await sql.send_many(request(n) for n in range(5))
        await service.stored(6)
        assert await sql.value("SELECT count(*) FROM nexus.requests") == 26
        await sql.rows("ALTER TABLE pgmq.q_ai_results DROP CONSTRAINT tenants")
        await service.stored(26)


async def test_while_nothing_gets_through_no_more_is_bought_than_the_backlog(
    database_url: str, tmp_path: Path
) -> None:
    async with running_service(database_url, tmp_path, direct=False, **FEW) as service:
        sql = service.sql
        await sql.rows("ALTER TABLE pgmq.q_ai_results ADD CONSTRAINT nobody CHECK (msg_id < 0)")
        await sql.send_many(request(n, agent_id=f"agent-{n}") for n in range(60))
        with trio.fail_after(PATIENCE):
            in_work = service.application.in_work
            while not in_work.is_full or len(in_work.answered()) < 4:
                await trio.sleep(0.01)
        await trio.sleep(0.5)
        assert 4 <= len(in_work.answered()) <= 12
        assert in_work.is_full
        await sql.rows("ALTER TABLE pgmq.q_ai_results DROP CONSTRAINT nobody")
        await service.stored(60)


async def test_one_that_alone_fails_in_time_is_held_and_reported_and_holds_up_no_next_process(
    database_url: str, tmp_path: Path
) -> None:
    done = "SELECT count(*) = 1 FROM nexus.requests WHERE state = 'done' AND request_id = $1"
    async with running_service(database_url, tmp_path, direct=False, **FEW) as service:
        sql = service.sql
        await sql.rows(OBJECTION.format(what="RAISE 'no' USING ERRCODE = 'query_canceled'"))
        await sql.rows(TRIGGER)
        slow = [request(name, agent_id="odd") for name in ("slow", "too")]
        await sql.send(request(1), *slow, request(2), request(3))
        await service.stored(3)
        number = 3
        with trio.fail_after(PATIENCE):
            while "57014" not in told(service):
                number += 1
                await sql.send(request(number))
                await service.stored(number - 1)
        await kept(service, 2)
    async with running_service(database_url, tmp_path, direct=False, **FEW) as service:
        await service.sql.send(request("next"))
        await service.sql.until(done, "request-next")
        await service.sql.rows("DROP FUNCTION objection CASCADE")
        await service.sql.until(done, "request-slow")
        await over(service)
        attempts = await service.sql.attempts("request-slow")
        assert [attempt["outcome"] for attempt in attempts] == ["ok"]


async def test_a_row_that_another_session_locks_holds_up_no_other_result(
    database_url: str, tmp_path: Path
) -> None:
    patient = {"statement_timeout": 2 * PATIENCE}
    providers = {"echo": {"kind": "echo", "pool_size": 2, "latency": 0.2}}
    async with running_service(
        database_url, tmp_path, database=patient, providers=providers
    ) as service:
        await service.sql.send_many(request(f"locked-{n}") for n in range(4))  # the backlog
        await service.sql.until("SELECT count(*) = 4 FROM nexus.requests")
        async with locking(database_url, "SELECT FROM nexus.requests FOR UPDATE"):
            await service.sql.send_many(request(n) for n in range(4))
            await service.stored(4)
            await kept(service, 4)
        await service.stored(8)
        await over(service)
