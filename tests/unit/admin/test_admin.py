"""The actor that keeps the admin server up, or says that it cannot."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from nexus_actors.admin import admin
from nexus_actors.admin.admin import NAME, Serve
from nexus_actors.admin.part import AdminPart
from nexus_actors.cli import exit_codes, report
from supervisors import ActorRef, CallError, ChildSpec, StartError, Supervisor, Watchdog, open_tree
from tests.service import PATIENCE, find
from tests.unit.admin.services import Tabled

GET = b"GET /health/live HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n"


@pytest.fixture
def folder() -> Iterator[Path]:
    """Whose name is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="nx-") as name:
        yield Path(name)


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[tuple[Tabled, ActorRef]]:
    """A tree as the service's, but for what stands before its admin server."""
    tabled = Tabled(folder, admin={"listen": "unix:admin.sock"})
    part = AdminPart(tabled.sources, folder)
    children = [*part.children(), ChildSpec("Watchdog", Watchdog)]
    async with open_tree(lambda: Supervisor(children, strategy="rest_for_one")) as root:
        with trio.fail_after(PATIENCE):
            yield tabled, root


async def is_up(folder: Path) -> bool:
    try:
        async with await trio.open_unix_socket(folder / "admin.sock") as stream:
            await stream.send_all(GET)
            return (await stream.receive_some()).startswith(b"HTTP/1.1 200")
    except (OSError, trio.BrokenResourceError):
        return False


async def kill(root: ActorRef, name: str) -> None:
    victim = await find(root, name)
    victim.kill()
    await victim.wait()


async def test_it_serves_and_leaves_nothing(folder: Path) -> None:
    async with running(folder) as (tabled, _):
        assert await is_up(folder)
        assert not tabled.outages.has(NAME)
        tallies = tabled.metrics.tallies
        assert tallies is not None
        while not tallies.loop_lag.count:
            await trio.sleep(0.01)
    assert not tabled.outages.has(NAME), "a stop in order is nothing to tell"
    assert not (folder / "admin.sock").exists()


async def test_a_start_that_cannot_listen_ends_with_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "admin.sock").write_text("mine")
    with pytest.raises(StartError) as caught:
        async with running(folder):
            pass
    assert report._report(caught.value) == exit_codes.FAILED, "the unit tries again"
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith('nexus: [admin] listen = "unix:admin.sock": ')


async def test_one_that_is_killed_is_there_again(folder: Path) -> None:
    async with running(folder) as (tabled, root):
        watchdog = await find(root, "Watchdog")
        await kill(root, "Admin")
        while not await is_up(folder):
            await trio.sleep(0.01)
        assert not tabled.outages.has(NAME)
        assert await find(root, "Watchdog") == watchdog


async def test_one_that_cannot_listen_again_is_reported_and_tries_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin, "FIRST_PAUSE", 0.01)
    async with running(folder) as (tabled, root):
        (folder / "admin.sock").unlink()
        (folder / "admin.sock").write_text("mine")
        await kill(root, "Admin")
        told = '[admin] listen = "unix:admin.sock": address already in use'
        while tabled.outages.describe(0.0).get(NAME, {}).get("error") != told:
            await trio.sleep(0.01)
        assert tabled.status.state(tabled.status.outages()) == "degraded"
        (folder / "admin.sock").unlink()
        while not await is_up(folder):
            await trio.sleep(0.01)
        assert not tabled.outages.has(NAME)


async def test_one_that_can_accept_no_more_listens_anew(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin, "FIRST_PAUSE", 0.01)
    made, breaks = AdminPart._make, [trio.Event()]

    def make(part: AdminPart) -> Serve:
        serve = made(part)

        async def once(listeners: list[trio.SocketListener]) -> None:
            if breaks:
                await breaks.pop().wait()
                raise ExceptionGroup("in a nursery", [OSError(9, "bad file descriptor")])
            await serve(listeners)

        return once

    monkeypatch.setattr(AdminPart, "_make", make)
    (break_,) = breaks
    async with running(folder) as (tabled, root):
        actor = await find(root, "Admin")
        break_.set()
        while not await is_up(folder):
            await trio.sleep(0.01)
        assert not tabled.outages.has(NAME)
        assert await find(root, "Admin") == actor


async def test_one_that_is_killed_again_and_again_takes_nobody_along(folder: Path) -> None:
    async with running(folder) as (tabled, root):
        watchdog, supervisor = await find(root, "Watchdog"), await find(root, "Admin.Supervisor")
        while supervisor.is_alive:
            try:
                await kill(root, "Admin")
            except (LookupError, CallError):  # it is about to be there again, or has given up
                await trio.sleep(0.001)
        assert tabled.outages.describe(0.0)[NAME]["error"] == "it does not run"
        assert await find(root, "Watchdog") == watchdog
        assert root.is_alive


def test_without_the_setting_there_is_nothing(tmp_path: Path) -> None:
    tabled = Tabled(tmp_path, admin={"listen": ""})
    tabled.metrics.tallies = None
    assert AdminPart(tabled.sources, tmp_path).children() == ()
    assert tabled.metrics.tallies is None, "no request pays for it"
