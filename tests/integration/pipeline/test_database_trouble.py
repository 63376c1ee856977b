"""Connections come and go; what is in work does not notice."""

from pathlib import Path

import trio

from tests.http_server import Reply, scripted_server
from tests.service import PATIENCE, by_http, request, running_service


async def test_ended_backends_lose_and_double_nothing(database_url: str, tmp_path: Path) -> None:
    may_answer = trio.Event()
    end_all = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'nexus' AND datname = current_database()"
    )
    async with (
        scripted_server({"*": lambda _: Reply(after=may_answer)}) as server,
        running_service(database_url, tmp_path, **by_http(server, pool_size=4)) as service,
    ):
        for number in range(5):
            await service.sql.send_many(request(60 * number + n) for n in range(60))
            await service.running_calls(4)
            # These four are waited for, and many more are in the queue.
            with trio.fail_after(PATIENCE):
                await server.until(lambda it, calls=4 * (number + 1): len(it.requests) >= calls)
            assert await service.sql.rows(end_all)
            this_round, may_answer = may_answer, trio.Event()
            this_round.set()
            await service.stored(4 * (number + 1))
        may_answer.set()
        await service.stored(300)
        results = await service.sql.results()
        assert len({result["request_id"] for result in results}) == len(results) == 300


async def test_a_queue_that_is_gone_for_a_moment_costs_no_answer(
    database_url: str, tmp_path: Path
) -> None:
    may_answer = trio.Event()
    async with (
        scripted_server({"*": Reply(after=may_answer)}) as server,
        running_service(database_url, tmp_path, **by_http(server, pool_size=4)) as service,
    ):
        await service.sql.send_many(request(n) for n in range(4))
        await service.running_calls(4)
        for table in ("q_ai_results", "a_ai_results"):  # by either way
            await service.sql.rows(f"ALTER TABLE pgmq.{table} RENAME TO {table}_elsewhere")
        may_answer.set()
        with trio.fail_after(PATIENCE):
            while len(service.application.in_work.answered()) < 4:
                await trio.sleep(0.01)
        await trio.sleep(0.3)
        for table in ("q_ai_results", "a_ai_results"):
            await service.sql.rows(f"ALTER TABLE pgmq.{table}_elsewhere RENAME TO {table}")
        await service.stored(4)
        assert {result["status"] for result in await service.sql.results()} == {"ok"}


async def test_one_answer_that_the_store_refuses_holds_up_no_other(
    database_url: str, tmp_path: Path
) -> None:
    async with running_service(database_url, tmp_path) as service:
        refused = "CHECK (message ->> 'response' <> 'echo: message 3')"
        for table in ("q_ai_results", "a_ai_results"):  # by either way
            await service.sql.rows(f"ALTER TABLE pgmq.{table} ADD {refused}")
        await service.sql.send_many(request(n) for n in range(20))
        await service.stored(20)
        results = {r["request_id"]: r for r in await service.sql.results()}
        assert results.pop("request-3")["error"]["type"] == "unstorable_result"
        assert {result["status"] for result in results.values()} == {"ok"}


async def test_one_answer_that_a_trigger_objects_to_or_that_takes_too_long_holds_up_no_other(
    database_url: str, tmp_path: Path
) -> None:
    async with running_service(database_url, tmp_path, direct=False) as service:
        for statement in (
            "CREATE FUNCTION object() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " IF NEW.message ->> 'request_id' = 'request-3' THEN"
            " RAISE 'no' USING ERRCODE = 'query_canceled'; END IF; RETURN NEW; END $$",
            "CREATE TRIGGER object BEFORE INSERT ON pgmq.q_ai_results"
            " FOR EACH ROW EXECUTE FUNCTION object()",
        ):
            await service.sql.rows(statement)
        await service.sql.send_many(request(n) for n in range(60))
        await service.stored(59)
        await service.sql.rows("DROP TRIGGER object ON pgmq.q_ai_results")
        await service.stored(60)
        assert {result["status"] for result in await service.sql.results()} == {"ok"}
