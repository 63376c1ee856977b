"""What takes the place of an answer that the store refuses: as little of it is lost as can be."""

import json
import math
from typing import Any, cast

import pytest

from nexus_actors.storage.errors import StorageRefused
from nexus_actors.storage.refused_answers import is_unstorable, replacement, unstorable
from nexus_actors.storage.requests import Attempt, Finish, Lease, Step


class Picky:
    """A store that refuses some values, or all."""

    def __init__(self, refused: str) -> None:
        self.refused = refused

    async def rehearse(self, item: Finish) -> bool:
        if self.refused in ("all", "answer" if item.succeeded and item.steps else None):
            raise StorageRefused("no")
        if self.refused == "cost" and any(math.isnan(it.cost or 0) for it in item.attempts):
            raise StorageRefused("no")
        return self.refused != "lost"


END = Finish(
    lease=Lease(1, 1),
    request_id="r",
    result=json.dumps(
        {
            "request_id": "r",
            "status": "ok",
            "provider": "p",
            "usage": {"prompt_tokens": 3},
            "cost": 0.5,
            "cost_basis": "told",
        }
    ),
    attempts=(
        Attempt(
            number=1,
            provider="p",
            model="m",
            outcome="ok",
            status_code=200,
            duration_ms=1,
            cost=math.nan,
            error=None,
            started_at=cast("Any", None),
        ),
    ),
    steps=(Step(name="publish_result", outcome="ok", at=cast("Any", None)),),
)


@pytest.mark.parametrize("refused", ["cost", "answer"])
async def test_the_answer_is_kept_where_what_is_reported_besides_it_is_refused(
    refused: str,
) -> None:
    store: Any = Picky(refused)
    instead = await replacement(store, END, StorageRefused("no"))
    assert instead is not None
    assert is_unstorable(instead) is (refused == "answer")
    assert (instead.result == END.result) is (refused == "cost")


def test_what_an_answer_has_cost_is_reported_though_it_is_not_stored() -> None:
    end = unstorable(END, StorageRefused("no"))
    result, told = json.loads(end.result or ""), json.loads(end.journal or "")
    assert (result["error"]["type"], result["error"]["provider"]) == ("unstorable_result", "p")
    assert (result["cost"], result["usage"], result["provider"]) == (None, None, "p")
    assert (told["cost"], told["usage"]["prompt_tokens"], told["response_id"]) == (0.5, 3, None)
    assert {**told, "cost": None, "usage": None, "cost_basis": None} == result


async def test_a_condition_and_a_lease_that_is_lost_replace_nothing() -> None:
    store: Any = Picky("all")
    with pytest.raises(StorageRefused):
        await replacement(store, END, StorageRefused("no"))
    store = Picky("lost")
    assert await replacement(store, END, StorageRefused("no")) is None
