"""Keys that are pressed before there is anything to see, or while it comes."""

import asyncio

import pytest
from textual.widgets import TabbedContent

from nexus_actors.observer.app import Observer
from nexus_actors.observer.command import runner
from nexus_actors.observer.snapshots import Overview
from tests.observer.fake import FakeSource
from tests.observer.screens import until


def test_keys_work_while_no_service_answers() -> None:
    """The filter's input, which is hidden, does not take them."""
    source = FakeSource()
    source.away = "no service is running"

    async def main() -> tuple[str, bool]:
        app = Observer(source, refresh=0.05)
        async with app.run_test(size=(80, 24)) as pilot:
            await until(pilot, "no service is running")
            await pilot.press("slash", "x", "escape", "2")
            active = app.query_one(TabbedContent).active
            await pilot.press("q")
        return active, app.is_running

    with runner() as running:
        assert running.run(main()) == ("tree", False)


class Held(FakeSource):
    """Answers for the overview when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.asks = asyncio.Event()
        self.answers_now = asyncio.Event()

    async def overview(self) -> Overview:
        self.asks.set()
        await self.answers_now.wait()
        return await super().overview()


@pytest.mark.parametrize("turns", range(0, 16, 3))
def test_a_table_that_comes_late_does_not_lead_back_to_its_tab(turns: int) -> None:
    """Whenever it comes: `turns` of the loop before the key is pressed."""

    async def main() -> str:
        source = Held()
        app = Observer(source, refresh=0.05)
        async with app.run_test(size=(80, 24)) as pilot:
            await source.asks.wait()
            source.answers_now.set()
            for _ in range(turns):
                await asyncio.sleep(0)
            app.action_tab(2)
            await until(pilot, "Pipeline.Supervisor")
            await pilot.pause()
            return app.query_one(TabbedContent).active

    with runner() as running:
        assert running.run(main()) == "tree"
