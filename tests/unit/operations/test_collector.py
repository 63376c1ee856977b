"""`nexus start` imports without the garbage collector, and runs with it."""

import gc
from collections.abc import Iterator

import pytest

from nexus_actors.cli import service
from nexus_actors.cli.report import CommandError
from nexus_actors.program import tune_collector


@pytest.fixture
def collector() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.enable()


@pytest.mark.usefixtures("collector")
def test_the_collector_is_off_while_the_service_is_imported_and_on_while_it_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found: list[bool] = []

    def stop_here(_path: object) -> None:
        found.append(gc.isenabled())
        raise CommandError("enough")

    monkeypatch.setattr(service, "read_settings", stop_here)
    with pytest.raises(CommandError):
        service.start()
    tune_collector()
    assert [*found, gc.isenabled()] == [False, True]
