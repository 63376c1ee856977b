"""Questions that are asked at once, and a store that refuses some of them."""

import pytest

from nexus_actors.monitoring.overview import read_present
from nexus_actors.storage.errors import StorageStrained
from tests.unit.dashboard.asgi import FakeReader


@pytest.mark.parametrize("refused", [["overview_queues"], ["overview_queues", "overview_waiting"]])
async def test_a_refusal_is_raised_as_itself(refused: list[str]) -> None:
    reader = FakeReader()
    for name in refused:
        reader.rows[name] = StorageStrained("no answer in two seconds")
    with pytest.raises(StorageStrained, match="two seconds"):
        await read_present(reader, "me")
