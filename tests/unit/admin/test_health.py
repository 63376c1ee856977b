"""Whether a service says that it is well."""

from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.requests import Request

from nexus_actors.admin.app import Pages
from nexus_actors.admin.counts import Counts
from nexus_actors.admin.health import readiness
from nexus_actors.steering.desired import Desired
from nexus_actors.storage.errors import StorageUnavailable
from tests.unit.admin.services import Tabled
from tests.unit.parts import control_row, known_desired

REQUEST = Request({"type": "http", "headers": []})


def pages(tabled: Tabled) -> Pages:
    return Pages(tabled.sources, tabled.tallies, Counts(tabled.ask))


def unstarted(tabled: Tabled) -> None:
    tabled.status.started = False


def draining(tabled: Tabled) -> None:
    tabled.in_work.draining = True


def away(tabled: Tabled) -> None:
    tabled.outages.patience("QueueConsumer").note(
        StorageUnavailable("postgresql://u:p@host is away")
    )


def unrecovered(tabled: Tabled) -> None:
    tabled.in_work.recovered = False


@pytest.mark.parametrize(
    ("spoil", "state", "reason"),
    [
        (unstarted, "starting", "starting"),
        (draining, "draining", "draining"),
        (away, "degraded", "database"),
        (unrecovered, "ready", "earlier answers"),
    ],
)
async def test_what_takes_no_requests_is_not_ready_and_says_why(
    spoil: Callable[[Tabled], None], state: str, reason: str, tmp_path: Path
) -> None:
    tabled = Tabled(tmp_path)
    assert readiness(tabled.status, tabled.sources.tables).reasons == ()
    spoil(tabled)
    found = readiness(tabled.status, tabled.sources.tables)
    assert (found.state, found.reasons) == (state, (reason,))
    ready, live = await pages(tabled).ready(REQUEST), await pages(tabled).live(REQUEST)
    assert (ready.status_code, live.status_code) == (503, 200)


@pytest.mark.parametrize("again", [False, True])
async def test_a_start_that_awaits_its_database_says_so_and_lives(
    again: bool, tmp_path: Path
) -> None:
    tabled = Tabled(tmp_path)
    tabled.status.started = again  # a Database that was restarted
    tabled.database = None
    state = "ready" if again else "starting"
    reasons = ("database",) if again else ("starting", "database")
    found = readiness(tabled.status, tabled.sources.tables)
    assert (found.state, found.reasons, found.outages) == (state, reasons, ())
    assert (await pages(tabled).ready(REQUEST)).status_code == 503
    assert (await pages(tabled).live(REQUEST)).status_code == 200


async def test_a_drained_node_is_not_ready_and_lives(tmp_path: Path) -> None:
    tabled = Tabled(tmp_path, known_desired(control_row("drain", "node")))
    tabled.in_work.draining = True
    assert readiness(tabled.status, tabled.sources.tables).reasons == ("drained",)
    assert (await pages(tabled).live(REQUEST)).status_code == 200


async def test_before_it_is_known_what_operators_want_it_is_not_ready(tmp_path: Path) -> None:
    tabled = Tabled(tmp_path, Desired())
    assert readiness(tabled.status, tabled.sources.tables).reasons == ("control not read",)


async def test_what_keeps_it_from_nothing_new_is_reported_and_it_is_ready(tmp_path: Path) -> None:
    tabled = Tabled(tmp_path, known_desired(control_row("pause", "agent", "secret-*")))
    tabled.outages.tell("pruning", "nobody has completed a round")
    response = await pages(tabled).ready(REQUEST)
    assert response.status_code == 200
    text = bytes(response.body).decode()
    assert '"state": "degraded"' in text
    assert '"outages": ["pruning"], "paused": ["agent"]' in text


async def test_no_words_of_others_are_reported(tmp_path: Path) -> None:
    """Whoever may ask may be anybody."""
    tabled = Tabled(tmp_path, known_desired(control_row("pause", "agent", "secret-*", why="me")))
    away(tabled)
    all_ = pages(tabled)
    told = [await page(REQUEST) for page in (all_.live, all_.startup, all_.ready, all_.metrics)]
    text = b"".join(bytes(it.body) for it in told).decode()
    assert "secret" not in text
    assert "u:p@host" not in text


@pytest.mark.parametrize(("started", "code"), [(True, 200), (False, 503)])
async def test_a_start_is_over_once_all_of_the_tree_was_started(
    started: bool, code: int, tmp_path: Path
) -> None:
    tabled = Tabled(tmp_path)
    tabled.status.started = started
    assert (await pages(tabled).startup(REQUEST)).status_code == code
