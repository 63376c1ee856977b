"""Small calls and large ones, on one limit of tokens a minute, on virtual time."""

from typing import Any

import trio

from nexus_actors.admission.gates import Gates
from nexus_actors.admission.provider_admission import ProviderAdmission
from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.port import ProviderSettings
from nexus_actors.work.concurrency import Concurrency
from supervisors import ActorRef, open_tree
from tests.unit.admission.test_rate_limiter import Store, limiter


def limits_of(ref: ActorRef) -> ProviderAdmission:
    return ProviderAdmission(
        "p",
        ProviderSettings(kind="echo", tokens_per_minute=60_000.0),
        keys=["K"],
        gates=Gates(),
        concurrency=Concurrency(8),
        breaker=ref,
        limiter=ref,
    )


async def admitted(limits: ProviderAdmission, max_tokens: int) -> float:
    """After how many seconds."""
    began = trio.current_time()
    asked = LLMRequest(request_id="r", complexity="simple", messages=(), max_tokens=max_tokens)
    await limits.admit(asked, 0)
    return trio.current_time() - began


async def test_who_gave_up_loses_its_place_at_once(autojump_clock: Any) -> None:
    async with open_tree(lambda: limiter(Store(), tokens_per_minute=60_000.0)) as ref:
        limits = limits_of(ref)
        with trio.move_on_after(2.0):
            await admitted(limits, 50_000)
        assert await admitted(limits, 2_000) < 0.01  # what it had waited for is there


async def test_small_calls_pass_a_large_one_which_waits_twice_as_long_at_most(
    autojump_clock: Any,
) -> None:
    async with open_tree(lambda: limiter(Store(), tokens_per_minute=60_000.0)) as ref:
        limits = limits_of(ref)
        large, small = [], []

        async def wait_large() -> None:
            large.append(await admitted(limits, 50_000))
            nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait_large)
            await trio.sleep(3.0)
            while True:  # more than the limit allows, were there no other
                nursery.start_soon(admitted, limits, 10)
                small.append(await admitted(limits, 1_000))
                await trio.sleep(0.1)
    assert max(small[:15]) < 4.0
    assert large[0] < 2 * 50.0 + 3.0
