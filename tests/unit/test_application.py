"""The tree's list, before any database: what stands where, and whom a crash takes along."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import trio
import trio.testing

from nexus_actors.admin.kinds import KINDS, OTHER, kind_of
from nexus_actors.application import Application
from nexus_actors.operations.instance import claim_instance
from nexus_actors.operations.service_manager import Notifier
from supervisors import ChildSpec, GenServer, Supervisor, open_tree
from tests.service import find
from tests.unit.parts import settings

PATIENCE = 20.0


@pytest.fixture
def application(tmp_path: Path) -> Iterator[Application]:
    """One that has all that is optional."""
    with claim_instance(tmp_path) as instance, closing(Notifier("/nowhere/at/all")) as notifier:
        configured = settings(admin={"listen": "127.0.0.1:0"}, result_poller={"enabled": True})
        yield Application(configured, instance, notifier=notifier)


def test_who_tells_of_the_service_starts_before_all_that_takes_its_time(
    application: Application,
) -> None:
    names = [it.id for it in application.children()]
    first = ["Registry", "ServiceManager.Supervisor", "Admin.Supervisor", "Database"]
    assert names[:4] == first
    assert names[-1] == "Watchdog"


def test_each_actor_of_the_tree_has_a_kind(application: Application) -> None:
    names = [it.id for it in application.children()]
    alone = [it.removesuffix(".Supervisor") for it in names if it != "Pipeline.Supervisor"]
    assert {kind_of(name) for name in (*names, *alone)} <= {*KINDS} - {OTHER}


class Calls(GenServer):
    """Stands for all that comes after it, with a call that runs."""

    async def init(self) -> None:
        self.spawn_link(trio.sleep_forever)


async def test_one_who_tells_and_crashes_for_ever_takes_no_call_along(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    (manager,) = [it for it in application.children() if it.id == "ServiceManager.Supervisor"]
    monkeypatch.setattr(application.status, "line", lambda: 1 / 0)
    children = [manager, ChildSpec("Calls", Calls)]
    async with open_tree(lambda: Supervisor(children, strategy="rest_for_one")) as root:
        calls = await find(root, "Calls")
        with trio.fail_after(PATIENCE):
            while (await Supervisor.count_children(root)).active > 1:
                await trio.sleep(0.001)
        await trio.testing.wait_all_tasks_blocked()
        assert (calls.is_alive, root.is_alive) == (True, True)
        assert await find(root, "Calls") == calls
