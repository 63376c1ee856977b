"""The embedded server: it lives exactly as long as its owner."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psutil  # type: ignore[import-untyped]
import pytest
import trio

from nexus_actors.storage.errors import StorageUnavailable
from nexus_actors.storage.outages import Outages
from nexus_actors.storage.postgres import embedded
from nexus_actors.storage.postgres.connection import Connection, fetch, open_postgres
from nexus_actors.storage.postgres.embedded import embedded_url, open_embedded
from nexus_actors.storage.postgres.errors import DatabaseStartError
from tests.integration.storage.storage_helpers import until
from tests.postgres import copy_cluster

SETTINGS = ("fsync=off", "shared_buffers=16MB")
OWNER = """
import sys, trio
from pathlib import Path
from nexus_actors.storage.postgres.embedded import open_embedded

async def main():
    async with open_embedded(Path(sys.argv[1]), settings=("fsync=off",)):
        print("ready", flush=True)
        await trio.sleep_forever()

trio.run(main)
"""


@pytest.fixture
def new_dir() -> Iterator[Path]:
    """Not pytest's directory, which is private to its user: the server may run as another one."""
    directory = Path(tempfile.mkdtemp(prefix="nexus-tests-"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def data_dir(new_dir: Path, postgres_server: str) -> Path:
    """One with a cluster in it."""
    copy_cluster(postgres_server, new_dir)
    return new_dir


async def ask(url: str, statement: str) -> object:
    async def operation(connection: Connection) -> object:
        return await connection.fetchval(statement)

    async with open_postgres(url) as pool:
        return await pool.run(operation)


def postmaster(data_dir: Path) -> int:
    return int((data_dir / "postgres" / "postmaster.pid").read_text().partition("\n")[0])


async def gone(pid: int) -> None:
    """Wait until the process has ended, whether or not its parent has taken notice."""

    async def ended() -> bool:
        try:
            return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return True

    await until(ended)


async def test_it_runs_for_as_long_as_the_block_and_keeps_its_data(new_dir: Path) -> None:
    async with open_embedded(new_dir, settings=SETTINGS) as url:
        assert url == embedded_url(new_dir)
        await ask(url, "CREATE TABLE kept (n integer)")
        assert await ask(url, "SHOW fsync") == "off"
        pid = postmaster(new_dir)
    await gone(pid)
    assert not (new_dir / "postgres" / "postmaster.pid").exists()
    async with open_embedded(new_dir, settings=SETTINGS) as url:
        assert await ask(url, "SELECT count(*) FROM kept") == 0


async def test_the_second_to_come_is_a_guest(data_dir: Path) -> None:
    async with open_embedded(data_dir, settings=SETTINGS) as url:
        async with open_embedded(data_dir) as guest:
            assert guest == url
            assert await ask(guest, "SELECT 1") == 1
        assert await ask(url, "SELECT 1") == 1


async def test_two_that_start_together_share_one_server(new_dir: Path) -> None:
    async def start() -> None:
        async with open_embedded(new_dir, settings=SETTINGS) as url:
            assert await ask(url, "SELECT 1") == 1
            await arrived.send(None)
            await leave.wait()

    arrived, arrivals = trio.open_memory_channel[None](2)
    leave = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(start)
        nursery.start_soon(start)
        await arrivals.receive()
        await arrivals.receive()
        leave.set()


async def test_a_killed_owner_takes_the_server_along(data_dir: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(  # noqa: ASYNC220 - starts at once, and outlives no test
        [sys.executable, "-Wignore", "-c", OWNER, str(data_dir)],
        stdout=subprocess.PIPE,
        env=environment,
    ) as owner:
        assert owner.stdout is not None
        assert await trio.to_thread.run_sync(owner.stdout.readline) == b"ready\n"
        pid = postmaster(data_dir)
        owner.kill()
        await trio.to_thread.run_sync(owner.wait)
        with trio.fail_after(30):  # at once, beside the dying one
            async with open_embedded(data_dir, settings=SETTINGS) as url:
                assert postmaster(data_dir) != pid
                assert await ask(url, "SELECT 1") == 1
    await gone(pid)


async def test_a_guest_learns_that_the_owner_has_ended(data_dir: Path) -> None:
    async with trio.open_nursery() as nursery:

        async def own() -> None:
            async with open_embedded(data_dir, settings=SETTINGS):
                running.set()
                await leave.wait()

        running, leave = trio.Event(), trio.Event()
        nursery.start_soon(own)
        await running.wait()
        with pytest.raises(StorageUnavailable, match="owner"):  # noqa: PT012
            async with open_embedded(data_dir):
                leave.set()
                await trio.sleep_forever()


async def test_a_cancelled_owner_stops_the_server(data_dir: Path) -> None:
    pid = 0
    with trio.CancelScope() as scope:
        async with open_embedded(data_dir, settings=SETTINGS):
            pid = postmaster(data_dir)
            scope.cancel()
            await trio.sleep_forever()
    await gone(pid)


async def test_a_server_that_ends_by_itself_ends_the_block(data_dir: Path) -> None:
    with pytest.raises(StorageUnavailable, match="has ended"):  # noqa: PT012
        async with open_embedded(data_dir, settings=SETTINGS):
            os.kill(postmaster(data_dir), signal.SIGKILL)
            await trio.sleep_forever()
    async with open_embedded(data_dir, settings=SETTINGS) as url:
        assert await ask(url, "SELECT 1") == 1


async def test_a_service_has_its_server_started_again_and_says_so_meanwhile(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "AGAIN", 0.0)
    outages = Outages()
    patience = outages.patience("embedded PostgreSQL")
    async with open_embedded(data_dir, settings=SETTINGS, patience=patience) as url:
        async with open_postgres(url) as pool:
            before = await pool.run(fetch, "SELECT pg_backend_pid()")
            first = postmaster(data_dir)
            os.kill(first, signal.SIGKILL)

            async def noticed() -> bool:
                return patience.tried

            await until(noticed)
            told = outages.describe(trio.current_time())["embedded PostgreSQL"]["error"]
            assert "has ended" in str(told)

            async def back() -> bool:
                with suppress(StorageUnavailable):
                    return await pool.run(fetch, "SELECT pg_backend_pid()") != before
                return False

            await until(back)

            async def over() -> bool:
                return not outages.describe(0)

            await until(over)
        second = postmaster(data_dir)
        assert second != first
    await gone(second)


async def test_what_a_killed_server_leaves_behind_is_waited_for(data_dir: Path) -> None:
    left = 0
    with pytest.raises(StorageUnavailable, match="has ended"):  # noqa: PT012
        async with open_embedded(data_dir, settings=SETTINGS):
            server = postmaster(data_dir)
            children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
            left = int(children[0])
            os.kill(left, signal.SIGSTOP)  # it holds the memory, and notices nothing
            os.kill(server, signal.SIGKILL)
            await trio.sleep_forever()

    async def end_it() -> None:
        log = data_dir / "postgres.log"
        while "pre-existing shared memory block" not in log.read_text():
            await trio.sleep(0.02)
        os.kill(left, signal.SIGKILL)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(end_it)
        async with open_embedded(data_dir, settings=SETTINGS) as url:
            assert await ask(url, "SELECT 1") == 1


async def test_the_number_of_a_dead_server_given_to_another_program(data_dir: Path) -> None:
    """As after the restart of a container, where the same few numbers come again."""
    async with open_embedded(data_dir, settings=SETTINGS):
        text = (data_dir / "postgres" / "postmaster.pid").read_text()
    _, _, rest = text.partition("\n")
    # Of the server's own user: PostgreSQL itself knows that another user's program is none of its.
    user = (data_dir / "postgres").stat().st_uid if os.geteuid() == 0 else None
    with subprocess.Popen(["sleep", "1000"], user=user) as other:  # noqa: ASYNC220
        try:
            (data_dir / "postgres" / "postmaster.pid").write_text(f"{other.pid}\n{rest}")
            async with open_embedded(data_dir, settings=SETTINGS) as url:
                assert await ask(url, "SELECT 1") == 1
        finally:
            other.kill()


async def test_a_server_that_cannot_start_says_where_to_look(data_dir: Path) -> None:
    with pytest.raises(DatabaseStartError, match=r"postgres\.log") as raised:
        async with open_embedded(data_dir, settings=("no_such_setting=1",)):
            pass
    assert raised.value.kind == "unusable"
    assert "no_such_setting" in (data_dir / "postgres.log").read_text()


async def test_a_long_path_is_no_obstacle(new_dir: Path, postgres_server: str) -> None:
    deep = new_dir / ("x" * 60) / ("y" * 60)
    deep.mkdir(parents=True)
    copy_cluster(postgres_server, deep)
    async with open_embedded(deep, settings=SETTINGS) as url:
        assert url == embedded_url(deep)
        assert await ask(url, "SELECT 1") == 1
    sockets = Path(parse_qs(urlsplit(url).query)["host"][0])
    assert sockets.parent == Path(tempfile.gettempdir())
    assert not sockets.exists()


async def test_a_killed_attempt_to_make_the_cluster_is_made_again(new_dir: Path) -> None:
    half = new_dir / "postgres.new.half"
    half.mkdir()
    (half / "PG_VERSION").write_text("18")
    async with open_embedded(new_dir, settings=SETTINGS) as url:
        assert await ask(url, "SELECT 1") == 1
    assert not half.exists()


async def test_what_others_may_see(data_dir: Path) -> None:
    async with open_embedded(data_dir, settings=SETTINGS):
        assert (data_dir / "postgres").stat().st_mode & 0o077 == 0
        assert (data_dir / "postgres.log").stat().st_mode & 0o077 == 0


async def test_a_wrong_password_is_said_to_be_one(data_dir: Path) -> None:
    async with open_embedded(data_dir, settings=SETTINGS) as url:
        await ask(url, "CREATE ROLE guarded LOGIN PASSWORD 'right'")
        rules = data_dir / "postgres" / "pg_hba.conf"
        rules.write_text("local all guarded scram-sha-256\n" + rules.read_text())
        await ask(url, "SELECT pg_reload_conf()")
        await until(
            lambda: ask(
                url, "SELECT count(*) FROM pg_hba_file_rules WHERE auth_method LIKE 'scram%'"
            )
        )
        assert await ask(url.replace("postgres@", "guarded:right@"), "SELECT 1") == 1
        for login in ("guarded:sesame@", "guarded@", "nobody:sesame@"):
            with pytest.raises(DatabaseStartError) as raised:
                await ask(url.replace("postgres@", login), "SELECT 1")
            assert raised.value.kind == "wrong_password"
            assert "sesame" not in str(raised.value)
