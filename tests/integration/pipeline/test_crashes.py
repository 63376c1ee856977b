"""A stage that crashes is replaced, and so is one whose linked task crashes."""

from pathlib import Path

import pytest
import trio

from nexus_actors.application import Application
from nexus_actors.storage.postgres.request_store import PostgresRequestStore
from supervisors import ActorRef
from tests.service import PATIENCE, find, request, running_service


@pytest.mark.parametrize(
    ("method", "name"),
    [("lease", "QueueConsumer"), ("finish", "ResultPublisher"), ("extend", "LeaseKeeper")],
)
async def test_a_stage_does_not_outlive_the_crash_of_its_work(
    method: str, name: str, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    works = getattr(PostgresRequestStore, method)
    crashes = iter([True])
    victims: list[ActorRef] = []

    async def crash_once(self: PostgresRequestStore, *args: object, **options: object) -> object:
        if next(crashes, False):
            victims.append(await find(started[0].root.ref, name))
            raise ZeroDivisionError("a mistake of ours")
        return await works(self, *args, **options)

    monkeypatch.setattr(PostgresRequestStore, method, crash_once)
    providers = {"echo": {"kind": "echo", "latency": 1.5 if method == "extend" else 0.0}}
    started: list[Application] = []
    async with running_service(
        database_url,
        tmp_path,
        before=started.append,
        providers=providers,
        queue={"visibility_timeout": 1.0},
    ) as service:
        await service.sql.send_many(request(n) for n in range(5))
        await service.stored(5)
        assert len(await service.sql.results()) == 5
        with trio.fail_after(PATIENCE):
            await victims[0].wait()
            while not (await service.actor(name)).is_alive:
                await trio.sleep(0.01)
