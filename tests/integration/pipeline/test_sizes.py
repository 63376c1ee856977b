"""Messages of any size: too large ones end at once, and memory has a bound."""

from pathlib import Path

import pytest
import trio

from nexus_actors.pipeline.leasing import Leased, Leasing
from nexus_actors.storage.postgres.database import open_database
from nexus_actors.storage.requests import TOO_LARGE, GiveBack
from nexus_actors.work.in_work import InWork
from nexus_actors.work.job import Job
from tests.http_server import Reply, scripted_server
from tests.integration.storage.storage_helpers import send
from tests.service import PATIENCE, by_http, request, running_service


async def test_a_message_too_large_ends_as_a_dead_letter_unread_and_harms_no_neighbour(
    database_url: str, tmp_path: Path
) -> None:
    incompressible = "".join(chr(0x4E00 + (n * n * 7919) % 20000) for n in range(1_000_000))
    huge = {**request("huge"), "messages": [{"role": "user", "content": incompressible}]}
    bomb = {**request("bomb"), "messages": [{"role": "user", "content": "a" * 5_000_000}]}
    limit = {"message_megabytes": 1}
    async with running_service(database_url, tmp_path, queue=limit) as service:
        await service.sql.send_many([request(1), huge, bomb, request(2)])
        await service.stored(4)
        results = {r["request_id"]: r for r in await service.sql.results()}
        for name in ("request-huge", "request-bomb"):
            assert results[name]["error"]["type"] == "invalid_request"
            assert "MB allowed" in results[name]["error"]["message"]
        assert {results[f"request-{n}"]["status"] for n in (1, 2)} == {"ok"}
        assert sorted(it["request_id"] for it in await service.sql.dead()) == [
            "request-bomb",
            "request-huge",
        ]


async def test_a_batch_has_no_more_bytes_than_were_asked_for_but_one_message_at_least(
    database_url: str,
) -> None:
    async with open_database(database_url, instance_id="one") as db:
        for n in range(4):
            text = "".join(chr(0x4E00 + (k * k * (7919 + n)) % 20000) for k in range(10_000))
            await send(db, {"request_id": str(n), "input": text})
        first = await db.requests.lease(4, 30, together=1000)
        assert [it.request_id for it in first] == ["0"]
        size = first[0].size
        assert size is not None
        then = await db.requests.lease(4, 30, together=2 * size + 1000)
        assert [it.request_id for it in then] == ["1", "2"]
        (large,) = await db.requests.lease(4, 30, largest=1000, together=1)
        assert (large.body, large.request_id) == (None, "3")
        assert large.size is not None
        assert large.size > 1000


async def test_what_is_small_where_it_is_stored_counts_as_the_text_that_it_is(
    database_url: str,
) -> None:
    async with open_database(database_url, instance_id="one") as db:
        for n in range(5):
            await send(db, {"request_id": str(n), "input": "a" * 1_000_000})
        first = await db.requests.lease(5, 30, together=2_500_000)
        assert [(it.request_id, it.size) for it in first] == [
            (it.request_id, len(it.body or "")) for it in first
        ]
        assert [it.request_id for it in first] == ["0", "1"]
        await db.requests.give_back(
            [GiveBack(lease=it.lease, request_id=str(it.request_id), waits_for="x") for it in first]
        )
        (one,) = await db.requests.take_waiting({"x": 5}, 30, together=1_500_000)
        assert (one.request_id, one.size) == ("0", len(one.body or ""))
        (unread,) = await db.requests.take_waiting({"x": 5}, 30, largest=500_000)
        assert (unread.request_id, unread.body, unread.fault) == ("1", None, TOO_LARGE)
        # What may be 88 times as long as it is stored is looked at a few at a time.
        rest = await db.requests.lease(5, 30)
        assert [it.request_id for it in rest] == ["2", "3", "4"]


async def test_while_requests_in_work_take_all_memory_no_further_ones_are_read(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = looks = 0
    add, lease = InWork.add, Leasing.lease

    def counted_add(in_work: InWork, job: Job) -> None:
        nonlocal most
        add(in_work, job)
        most = max(most, len(in_work))

    async def counted_lease(leasing: Leasing) -> Leased:
        nonlocal looks
        leased = await lease(leasing)
        looks += 1
        return leased

    monkeypatch.setattr(InWork, "add", counted_add)
    monkeypatch.setattr(Leasing, "lease", counted_lease)
    may_answer = trio.Event()
    text = "".join(chr(0x4E00 + (n * n * 7919) % 20000) for n in range(700_000))
    async with (
        scripted_server({"*": Reply(after=may_answer)}) as server,
        running_service(
            database_url,
            tmp_path,
            **by_http(server, pool_size=16),
            queue={"memory_megabytes": 16, "poll_interval": 0.2},
        ) as service,
    ):
        in_work = service.application.in_work
        await service.sql.send_many(
            {**request(n), "messages": [{"role": "user", "content": text}]} for n in range(12)
        )
        with trio.fail_after(PATIENCE):
            while in_work.bytes_left > 0:
                await trio.sleep(0.01)
            full = len(in_work)
            assert 1 <= full < 12
            # The first of these began before the memory was used up, the others after it.
            enough = looks + 4
            while looks < enough:
                await trio.sleep(0.01)
        assert len(in_work) == full
        may_answer.set()
        await service.stored(12)
        assert most == full  # nor more at any time since
        assert in_work.bytes_left == 16 * 2**20
