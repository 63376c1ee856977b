"""The pool under trouble: cut, frozen, cancelled, and refused at the door."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import trio
import trio.testing

from nexus_actors.storage.errors import StorageRefused, StorageStrained, StorageUnavailable
from nexus_actors.storage.postgres import connection as connection_module
from nexus_actors.storage.postgres.connection import (
    Connection,
    PostgresPool,
    _lost,
    open_postgres,
)
from nexus_actors.storage.postgres.database import PostgresDatabase, open_database
from nexus_actors.storage.postgres.errors import DatabaseStartError, translated
from tests.integration.storage.storage_helpers import send, sql, success, until, value
from tests.postgres import with_database
from tests.wire import open_wire

UNHURRIED = {"statement_timeout": "0"}
"""For a busy machine: the driver alone looks at the clock then, and a second later."""


async def fetch_value(connection: Connection, statement: str) -> object:
    return await connection.fetchval(statement)


@contextmanager
def frozen(*pids: int) -> Iterator[None]:
    """Stop processes, as a machine without memory does; let them go on afterwards."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


async def test_one_that_was_seen_to_be_cut_costs_the_next_statement_nothing(
    db: PostgresDatabase, database_url: str
) -> None:
    async with open_postgres(database_url, pool_size=1) as pool:
        pid = await pool.run(fetch_value, "SELECT pg_backend_pid()")
        ((held, _),) = pool._held
        await value(db, "SELECT pg_terminate_backend($1, 10000)", pid)
        with trio.fail_after(30):
            while not _lost(held):
                await trio.sleep(0.01)
        await trio.sleep(0.05)  # and the pool, too
        assert await pool.run(fetch_value, "SELECT 1") == 1


async def test_one_that_is_cut_in_a_transaction_since_it_took_too_long_is_reported_as_that(
    db: PostgresDatabase, database_url: str
) -> None:
    """None of its statements takes too long, all do together."""

    async def long(connection: Connection) -> None:
        async with connection.transaction():
            while True:
                await connection.execute("SELECT pg_sleep(0.2)")

    async with open_postgres(database_url, pool_size=1) as pool:
        pool._limit = 0.6
        with pytest.raises(StorageStrained, match="no answer in time"):
            await pool.run(long)


async def test_cut_connections_are_replaced(db: PostgresDatabase) -> None:
    cut = (
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    gate = trio.Event()

    async def hold() -> None:
        await value(db, "SELECT pg_sleep(0.05)")
        gate.set()

    async with trio.open_nursery() as nursery:  # several connections, then idle
        for _ in range(5):
            nursery.start_soon(hold)
    await gate.wait()
    await sql(db, cut)
    for _ in range(10):
        assert await value(db, "SELECT 1") == 1


async def test_a_connection_cut_during_an_operation_is_unavailability(
    db: PostgresDatabase,
) -> None:
    async def cut_it(connection: Connection) -> object:
        return await connection.fetchval("SELECT pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(StorageUnavailable) as raised:
        await db.run(cut_it)
    assert "\n" not in str(raised.value)
    assert await value(db, "SELECT 1") == 1


async def test_cancelling_stops_the_statement_and_raises_nothing_else(
    db: PostgresDatabase,
) -> None:
    asleep = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND state = 'active' AND query LIKE 'SELECT pg_sleep%'"
    )

    async def started() -> bool:
        return bool(await value(db, asleep))

    async def stopped() -> bool:
        return not await value(db, asleep)

    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(value, db, "SELECT pg_sleep(1000)")
            await until(started)
            scope.cancel()
    assert scope.cancelled_caught
    await until(stopped)


async def test_a_statement_that_takes_too_long_is_unavailability(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server says what it ended, and the connection stays good."""
    for name in ("_SERVERS_WORD", "GRACE"):
        monkeypatch.setattr(connection_module, name, 30.0)

    async def long(connection: Connection) -> None:
        async with connection.transaction():
            # Its word may come a little late.
            await connection.execute("SET LOCAL statement_timeout = '300ms'")
            await connection.execute("SELECT pg_sleep(1000)")

    hasty = open_postgres(database_url, command_timeout=0.1, pool_size=1, settings=UNHURRIED)
    async with hasty as pool:
        pid = await pool.run(fetch_value, "SELECT pg_backend_pid()")
        with pytest.raises(StorageUnavailable, match="statement timeout"):
            await pool.run(long)
        assert await pool.run(fetch_value, "SELECT pg_backend_pid()") == pid


async def test_a_frozen_server_process_does_not_freeze_us(database_url: str) -> None:
    async with open_postgres(database_url, command_timeout=1.0, settings=UNHURRIED) as pool:
        pid = await pool.run(fetch_value, "SELECT pg_backend_pid()")
        assert isinstance(pid, int)
        with frozen(pid):
            with pytest.raises(StorageUnavailable):
                await pool.run(fetch_value, "SELECT 1")
            assert await pool.run(fetch_value, "SELECT 2") == 2


async def test_a_frozen_transaction_is_cut_by_the_watchdog(database_url: str) -> None:
    """The driver waits for its lost cancellation before it rolls back; the watchdog ends that."""
    async with open_postgres(database_url, command_timeout=0.2, settings=UNHURRIED) as pool:
        pid = await pool.run(fetch_value, "SELECT pg_backend_pid()")
        assert isinstance(pid, int)

        async def transaction(connection: Connection) -> None:
            async with connection.transaction():
                os.kill(pid, signal.SIGSTOP)
                await connection.fetchval("SELECT 1")

        with frozen(pid), pytest.raises(StorageUnavailable):
            await pool.run(transaction)


async def test_a_process_that_freezes_in_a_transaction_holds_its_locks_for_a_while_only(
    database_url: str,
) -> None:
    locked = trio.Event()

    async def freeze(connection: Connection) -> None:
        await connection.execute("BEGIN; SELECT pg_advisory_lock(1)")
        locked.set()
        await asyncio.sleep(60)

    async with (
        open_postgres(database_url, command_timeout=0.5, settings=UNHURRIED) as frozen,
        open_postgres(database_url) as pool,
        trio.open_nursery() as nursery,
    ):
        frozen._limit = 60  # the watchdog is frozen with its process
        nursery.start_soon(frozen.run, freeze)
        await locked.wait()
        free = "SELECT pg_try_advisory_lock(1)"
        await until(lambda: pool.run(lambda it: it.fetchval(free)))
        nursery.cancel_scope.cancel()


async def test_a_cancelled_task_gets_away_from_a_frozen_server(database_url: str) -> None:
    async with open_postgres(database_url, command_timeout=1000) as pool:
        pid = await pool.run(fetch_value, "SELECT pg_backend_pid()")
        assert isinstance(pid, int)
        with frozen(pid), trio.move_on_after(0.2) as scope:
            await pool.run(fetch_value, "SELECT 1")
        assert scope.cancelled_caught


async def test_leaving_while_frozen_is_bounded(database_url: str) -> None:
    pid = 0
    try:
        async with open_postgres(database_url) as pool:
            pid = int(str(await pool.run(fetch_value, "SELECT pg_backend_pid()")))
            os.kill(pid, signal.SIGSTOP)
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_a_closed_pool_is_unavailable(database_url: str) -> None:
    async with open_postgres(database_url) as pool:
        pass
    with pytest.raises(StorageUnavailable):
        await pool.run(fetch_value, "SELECT 1")


async def test_leaving_ends_what_is_running(database_url: str) -> None:
    """An operation of a task outside of the block ends with our error, not with asyncio's."""
    raised: list[BaseException] = []

    async def work(pool: PostgresPool) -> None:
        try:
            await pool.run(fetch_value, "SELECT pg_sleep(1000)")
        except StorageUnavailable as error:
            raised.append(error)

    async with trio.open_nursery() as nursery:  # noqa: SIM117 - the pool closes first
        async with open_postgres(database_url) as pool:
            nursery.start_soon(work, pool)
            await until(
                lambda: pool.run(
                    fetch_value,
                    "SELECT count(*) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND query = 'SELECT pg_sleep(1000)'",
                )
            )
    assert len(raised) == 1


async def test_an_exception_in_a_callback_does_not_end_the_loop(db: PostgresDatabase) -> None:
    async def stray(_connection: Connection) -> None:
        def fail() -> None:
            raise RuntimeError("stray")

        asyncio.get_running_loop().call_soon(fail)
        await asyncio.sleep(0)

    await db.run(stray)
    assert await value(db, "SELECT 1") == 1


async def test_an_error_of_the_caller_comes_out_as_itself(database_url: str) -> None:
    class MineError(Exception):
        pass

    with pytest.raises(MineError):
        async with open_database(database_url, instance_id="one"):
            raise MineError


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ('SELECT \'{"secret-prompt": "\\u0000"}\'::jsonb', StorageRefused),
        ("SELECT 'secret-prompt'::integer", StorageRefused),
        ("SELECT * FROM unknown_table", StorageUnavailable),
        ("SELECT 1 / 0", StorageRefused),
        (
            "DO $$ BEGIN RAISE SQLSTATE '40P01' USING MESSAGE = 'deadlock'; END $$",
            StorageUnavailable,
        ),
        ("DO $$ BEGIN RAISE SQLSTATE '57P01' USING MESSAGE = 'going'; END $$", StorageUnavailable),
        ("DO $$ BEGIN RAISE SQLSTATE '53300' USING MESSAGE = 'full'; END $$", StorageUnavailable),
        (
            "DO $$ BEGIN RAISE SQLSTATE '25006' USING MESSAGE = 'standby'; END $$",
            StorageUnavailable,
        ),
    ],
)
async def test_errors_are_told_apart_and_quote_no_values(
    db: PostgresDatabase, statement: str, error: type[Exception]
) -> None:
    with pytest.raises(error) as raised:
        await sql(db, statement)
    assert type(raised.value) is error
    assert "secret" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_asyncios_cancellation_never_reaches_trio_code() -> None:
    """It comes where the loop closes under an operation; under trio nobody would know it."""
    with pytest.raises(StorageUnavailable), translated():
        raise asyncio.CancelledError


async def test_an_unknown_database_is_named(database_url: str) -> None:
    with pytest.raises(DatabaseStartError, match="unknown_one") as raised:
        async with open_database(with_database(database_url, "unknown_one"), instance_id="one"):
            pass
    assert raised.value.kind == "unknown_database"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:sesame@127.0.0.1:1/db",
        "postgresql://me:sesame@/db?host=/nonexistent-directory",
        "postgresql://me:sesame@name.invalid:5432/db",
    ],
)
async def test_an_unreachable_server_is_said_to_be_so(url: str) -> None:
    with pytest.raises(DatabaseStartError) as raised:
        async with open_postgres(url):
            pass
    assert raised.value.kind == "unreachable"
    assert "sesame" not in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "url", ["", "nonsense", "mysql://me:sesame@host/db", "postgresql://me:sesame@host:port/db"]
)
async def test_a_url_that_is_none_is_refused_in_one_line(url: str) -> None:
    with pytest.raises(DatabaseStartError) as raised:
        async with open_postgres(url):
            pass
    assert "sesame" not in str(raised.value)
    assert "\n" not in str(raised.value)


async def test_a_server_that_never_answers_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nexus_actors.storage.postgres.connection.CONNECT_TIMEOUT", 0.2)
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listeners[0].socket.getsockname()[1]
        with pytest.raises(DatabaseStartError) as raised:
            async with open_postgres(f"postgresql://me@127.0.0.1:{port}/db"):
                pass
        assert raised.value.kind == "unreachable"
        for listener in listeners:
            await listener.aclose()
        nursery.cancel_scope.cancel()


async def test_many_tasks_share_few_connections(database_url: str) -> None:
    async with open_database(database_url, instance_id="one", pool_size=2) as db:
        await send(db, *(f"r{n}" for n in range(30)))

        async def work() -> None:
            [delivery] = await db.requests.lease(1, 30)
            await db.requests.finish([success(delivery)])

        async with trio.open_nursery() as nursery:
            for _ in range(30):
                nursery.start_soon(work)
        assert await value(db, "SELECT count(*) FROM pgmq.q_ai_results") == 30


async def test_one_connection_that_is_dead_without_a_word_costs_no_other_operation_its_time(
    database_url: str,
) -> None:
    together = asyncio.Barrier(6)

    async def meet(_connection: Connection) -> None:
        await together.wait()

    with open_wire(database_url) as wire:
        async with open_postgres(wire.url, command_timeout=1.0, settings=UNHURRIED) as pool:
            async with trio.open_nursery() as nursery:  # so many connections are there then
                for _ in range(6):
                    nursery.start_soon(pool.run, meet)
            wire.forget()
            with pytest.raises(StorageUnavailable):
                await pool.run(fetch_value, "SELECT 1")
            for number in range(6):
                assert await pool.run(fetch_value, f"SELECT {number}") == number


async def test_leases_are_kept_while_every_other_connection_is_busy(database_url: str) -> None:
    async with open_database(database_url, instance_id="one", pool_size=1) as db:
        await send(db, "r")
        [delivery] = await db.requests.lease(1, 30)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(value, db, "SELECT pg_sleep(1000)")
            await trio.testing.wait_all_tasks_blocked()
            with trio.fail_after(30):
                assert await db.requests.extend([delivery.lease], 60) == {
                    delivery.request_id: delivery.lease
                }
            nursery.cancel_scope.cancel()
