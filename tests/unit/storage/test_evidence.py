"""What takes the place of an answer that the store refuses: as little of it is lost as can be."""

import math
from typing import Any, cast

import pytest

from nexus_actors.storage.evidence import is_unstorable, replacement
from nexus_actors.storage.ports import Finish, Lease, Step, StorageRefused


class Picky:
    """A store that refuses some values, or all."""

    def __init__(self, refused: str) -> None:
        self.refused = refused

    async def rehearse(self, item: Finish) -> bool:
        if self.refused in ("all", "answer" if item.succeeded and item.steps else None):
            raise StorageRefused("no")
        if self.refused == "cost" and item.cost is not None and not math.isfinite(item.cost):
            raise StorageRefused("no")
        return self.refused != "lost"


END = Finish(
    lease=Lease(1, 1),
    request_id="r",
    result='{"paid": 1}',
    succeeded=True,
    dead_reason=None,
    dead_detail=None,
    provider="p",
    cost=math.nan,
    steps=(Step(name="publish_result", outcome="ok", at=cast("Any", None)),),
)


@pytest.mark.parametrize("refused", ["cost", "answer"])
async def test_the_answer_is_kept_where_what_is_told_besides_it_is_refused(refused: str) -> None:
    store: Any = Picky(refused)
    instead = await replacement(store, END, StorageRefused("no"))
    assert instead is not None
    assert is_unstorable(instead) is (refused == "answer")
    assert (instead.result == END.result) is (refused == "cost")


async def test_a_condition_and_a_lease_that_is_lost_replace_nothing() -> None:
    store: Any = Picky("all")
    with pytest.raises(StorageRefused):
        await replacement(store, END, StorageRefused("no"))
    store = Picky("lost")
    assert await replacement(store, END, StorageRefused("no")) is None
