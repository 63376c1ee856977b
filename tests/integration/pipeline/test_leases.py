"""What is in work stays this process's own while it is; what a worker drops is picked up."""

from pathlib import Path
from typing import Any

import trio

from nexus_actors.work.job import Held, Job
from supervisors import ActorRef
from tests.http_server import Reply, scripted_server
from tests.service import PATIENCE, Service, by_http, request, running_service

SLOW: dict[str, Any] = {"slow": {"kind": "echo", "latency": 3600.0, "pool_size": 2}}
ROUTE = [{"complexity": "*", "task_type": "*", "models": ["slow/s"]}]


async def test_a_call_that_outlives_the_visibility_timeout_stays_invisible(
    database_url: str, tmp_path: Path
) -> None:
    may_answer = trio.Event()
    async with (
        scripted_server({"*": Reply(after=may_answer)}) as server,
        running_service(
            database_url, tmp_path, **by_http(server), queue={"visibility_timeout": 3.0}
        ) as service,
    ):
        await service.sql.send(request(1))
        await service.running_calls(1)
        end = await service.sql.value("SELECT vt + interval '0.5 s' FROM pgmq.q_ai_requests")
        await service.sql.until("SELECT clock_timestamp() > $1", end)
        may_answer.set()
        await service.stored(1)
        assert await service.sql.value("SELECT read_ct FROM pgmq.a_ai_requests") == 1
        assert len(await service.sql.attempts("request-1")) == 1


async def test_a_lost_lease_cancels_the_call_and_publishes_nothing(
    database_url: str, tmp_path: Path
) -> None:
    async with running_service(
        database_url, tmp_path, providers=SLOW, routes=ROUTE, queue={"visibility_timeout": 1.0}
    ) as service:
        await service.sql.send(request(1))
        await service.running_calls(1)
        # Another process leases the message, as it may once the lease has lapsed.
        await service.sql.rows("UPDATE nexus.requests SET read_ct = read_ct + 1, owner = 'another'")
        await service.sql.rows(
            "UPDATE pgmq.q_ai_requests SET read_ct = read_ct + 1, vt = now() + interval '1 hour'"
        )
        with trio.fail_after(PATIENCE):
            while len(service.application.in_work):
                await trio.sleep(0.02)
        assert await service.sql.results() == []
        assert service.application.in_work.running == 0
        assert service.application.in_work.room("slow") == 4
        # All workers are free again.
        await service.sql.send(request(2), request(3))
        await service.running_calls(2)


async def worker_with_job(service: Service) -> str:
    await service.running_calls(1)
    (job,) = service.application.in_work
    assert isinstance(job.place, Held)
    return job.place.worker.name


def _holds(worker: ActorRef, job: Job) -> bool:
    return isinstance(job.place, Held) and job.place.worker == worker


async def test_a_worker_that_crashes_is_replaced_and_its_request_tried_again_at_once(
    database_url: str, tmp_path: Path
) -> None:
    async with (
        scripted_server({"*": [Reply(breaks="hang"), Reply()]}) as server,
        running_service(
            database_url, tmp_path, **by_http(server), queue={"visibility_timeout": 3600.0}
        ) as service,
    ):
        await service.sql.send(request(1))
        name = await worker_with_job(service)
        await server.until(lambda it: len(it.requests) == 1)
        (await service.actor(name)).kill()
        await service.stored(1)
        assert service.application.metrics.as_dict()["restarts"] == {name: 1}
        outcomes = [a["outcome"] for a in await service.sql.attempts("request-1")]
        assert outcomes == ["worker_crashed", "ok"]
        assert await service.sql.value("SELECT attempts FROM nexus.requests") == 2
        assert await service.sql.value("SELECT read_ct FROM pgmq.a_ai_requests") == 1


async def test_a_request_that_kills_every_worker_ends_at_max_attempts(
    database_url: str, tmp_path: Path
) -> None:
    async with running_service(
        database_url, tmp_path, providers=SLOW, routes=ROUTE, queue={"max_attempts": 3}
    ) as service:
        await service.sql.send(request(1))
        for _ in range(3):
            worker = await service.actor(await worker_with_job(service))
            worker.kill()
            await worker.wait()
            with trio.fail_after(PATIENCE):
                while any(_holds(worker, job) for job in service.application.in_work):
                    await trio.sleep(0.01)
        await service.stored(1)
        (result,) = await service.sql.results()
        assert (result["error"]["type"], result["attempts"]) == ("worker_crashed", 3)
        assert [letter["reason"] for letter in await service.sql.dead()] == ["worker_crashed"]


async def test_a_killed_process_leaves_its_attempt_on_record_and_its_successor_starts_at_once(
    database_url: str, tmp_path: Path
) -> None:
    async with running_service(
        database_url, tmp_path, providers=SLOW, routes=ROUTE, queue={"visibility_timeout": 3600.0}
    ) as service:
        await service.sql.send(request(1))
        await service.running_calls(1)
        service.root.kill()
        await service.root.wait()
    swift = {"slow": {"kind": "echo"}}
    async with running_service(
        database_url, tmp_path, providers=swift, routes=ROUTE, queue={"visibility_timeout": 3600.0}
    ) as service:
        await service.stored(1)
        outcomes = [a["outcome"] for a in await service.sql.attempts("request-1")]
        assert outcomes == ["interrupted", "ok"]
