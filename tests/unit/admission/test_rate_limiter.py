"""The limiter on virtual time, drawing from a bucket that fills by it."""

import itertools
from dataclasses import replace
from typing import Any

import pytest
import trio

from nexus_actors.admission.buckets import Account, make_buckets
from nexus_actors.admission.gates import Gates
from nexus_actors.admission.provider_admission import ProviderAdmission
from nexus_actors.admission.rate_limiter import Admit, GaveUp, RateLimiter, Renew, Settle
from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.port import ProviderFailure, ProviderSettings
from nexus_actors.storage.accounts import Quota
from nexus_actors.storage.errors import StorageUnavailable
from nexus_actors.storage.outages import Outages
from nexus_actors.work.concurrency import Concurrency
from supervisors import ActorRef, Caller, ChildSpec, Registry, Supervisor, open_tree


class Store:
    """Buckets as the database keeps them, by the same clock as everything here."""

    def __init__(self) -> None:
        self.filled: dict[str, tuple[float, float]] = {}
        self.away = False

    async def take_quota(self, quotas: list[Quota]) -> list[float]:
        await trio.lowlevel.checkpoint()
        if self.away:
            raise StorageUnavailable("gone")
        return [self._take(quota) for quota in quotas]

    def _take(self, quota: Quota) -> float:
        now = trio.current_time()
        level, since = self.filled.get(quota.bucket, (quota.capacity, now))
        level = min(quota.capacity, level + quota.rate * (now - since))
        taken = max(min(quota.wanted, level), 0.0)
        self.filled[quota.bucket] = level - taken, now
        return taken


def limiter(store: Any, **limits: float) -> RateLimiter:
    asked = {"requests_per_minute": None, "tokens_per_minute": None} | limits
    accounts = {0: Account[Caller](make_buckets("p", "k", **asked))}
    return RateLimiter(store=store, accounts=accounts, outages=Outages())


async def admitted(ref: ActorRef, count: int, tokens: float = 0.0) -> list[float]:
    """When each of so many that ask at once was admitted."""
    times: list[float] = []
    start = trio.current_time()

    async def one() -> None:
        await ref.call(Admit(0, tokens), timeout=3600.0)
        times.append(trio.current_time() - start)

    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(one)
    return times


async def test_so_many_a_minute_and_no_more(autojump_clock: Any) -> None:
    async with open_tree(lambda: limiter(Store(), requests_per_minute=60.0)) as ref:
        times = await admitted(ref, 31)
        assert times[0] == pytest.approx(0.0, abs=0.05)
        assert times[-1] == pytest.approx(30.0, rel=0.05)
        assert all(later - one > 0.9 for one, later in itertools.pairwise(times[1:]))


async def test_two_that_share_an_account_keep_its_limit_together(autojump_clock: Any) -> None:
    store = Store()
    async with (
        open_tree(lambda: limiter(store, requests_per_minute=600.0)) as one,
        open_tree(lambda: limiter(store, requests_per_minute=600.0)) as other,
    ):
        times: list[float] = []

        async def ask(ref: ActorRef) -> None:
            times.extend(await admitted(ref, 150))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, one)
            nursery.start_soon(ask, other)
        # 10 are there at first, then 10 come a second: exact within 5 %.
        assert max(times) == pytest.approx(29.0, rel=0.05)


async def test_tokens_are_settled_by_the_answer(autojump_clock: Any) -> None:
    async with open_tree(lambda: limiter(Store(), tokens_per_minute=6000.0)) as ref:
        assert (await admitted(ref, 1, tokens=1000.0))[0] == pytest.approx(9.0, rel=0.05)
        ref.cast(Settle(0, 900.0))  # a tenth was enough
        assert (await admitted(ref, 1, tokens=900.0))[0] == 0.0
        ref.cast(Settle(0, -500.0))  # it took more
        assert (await admitted(ref, 1, tokens=100.0))[0] >= 5.0


async def test_who_gives_up_leaves_its_share_to_the_next(autojump_clock: Any) -> None:
    async with open_tree(lambda: limiter(Store(), tokens_per_minute=60.0)) as ref:
        with trio.move_on_after(5.0):
            await ref.call(Admit(0, 31.0), timeout=3600.0)
        assert (await admitted(ref, 1, tokens=31.0))[0] == pytest.approx(25.0, abs=1.5)


async def test_while_the_database_is_away_nobody_is_admitted(autojump_clock: Any) -> None:
    store = Store()
    async with open_tree(lambda: limiter(store, requests_per_minute=6000.0)) as ref:
        store.away = True
        with trio.move_on_after(60.0) as waited:
            await ref.call(Admit(0, 0.0), timeout=3600.0)
        assert waited.cancelled_caught
        store.away = False
        assert (await admitted(ref, 1))[0] < 1.5


async def test_who_waits_survives_the_limiter_and_asks_its_successor(autojump_clock: Any) -> None:
    """Eight wait for the first request of a minute's worth; the limiter is killed; all pass."""
    store, registry = Store(), Registry("Registry")
    store.away = True
    name = registry.via("p.RateLimiter")
    limits = ProviderAdmission(
        "p",
        ProviderSettings(kind="echo", requests_per_minute=6000.0),
        keys=["K"],
        gates=Gates(),
        concurrency=Concurrency(8),
        breaker=registry.via("p.Breaker"),
        limiter=name,
    )
    spec = ChildSpec("p.RateLimiter", lambda: limiter(store, requests_per_minute=6000.0), name=name)
    admitted = []
    body = LLMRequest(request_id="r", complexity="simple", messages=())

    async def worker() -> None:
        await limits.admit(body, 0)
        admitted.append(trio.current_time())

    async with (
        open_tree(lambda: Supervisor([registry.child_spec(), spec])) as root,
        trio.open_nursery() as nursery,
    ):
        for _ in range(8):
            nursery.start_soon(worker)
        await trio.sleep(10.0)
        (ref,) = [it.ref for it in await Supervisor.which_children(root) if it.id == spec.id]
        assert ref is not None
        ref.kill()
        await ref.wait()
        store.away = False
    assert len(admitted) == 8


async def test_who_waits_for_limits_that_are_changed_asks_anew(autojump_clock: Any) -> None:
    store = Store()
    async with (
        open_tree(lambda: limiter(store, requests_per_minute=1.0)) as ref,
        trio.open_nursery() as nursery,
    ):
        answers: list[bool] = []

        async def ask() -> None:
            answers.append(await ref.call(Admit(0, 0.0), timeout=3600.0))

        for _ in range(3):
            nursery.start_soon(ask)
        await trio.sleep(1.0)
        assert answers == [True]
        buckets = make_buckets("p", "other", requests_per_minute=6000.0, tokens_per_minute=None)
        ref.cast(Renew({1: Account[Caller](buckets)}))
        ref.cast(GaveUp(0))  # of a key that is no more
        await trio.sleep(1.0)
        assert answers == [True, False, False]
        assert await ref.call(Admit(1, 0.0))


async def test_a_retired_admission_admits_nobody_and_teaches_the_new_one_nothing(
    autojump_clock: Any,
) -> None:
    registry, gates, concurrency = Registry("Registry"), Gates(), Concurrency(8)

    def made() -> ProviderAdmission:
        return ProviderAdmission(
            "p",
            ProviderSettings(kind="echo"),
            keys=["K"],
            gates=gates,
            concurrency=concurrency,
            breaker=registry.via("p.Breaker"),
        )

    old = made()
    key = old.begin("m")
    assert key is not None
    old.retire()
    new = made()
    refused = ProviderFailure(
        type="authentication_failed", message="no", retryable=False, scope="key"
    )
    old.blamed(key, refused, "r")
    old.throttled("m", key, replace(refused, type="rate_limited", retry_after=9.0), 0.0, "r")
    old.ended("m", key, replace(refused, scope="provider"), 0.1)
    assert new.no_key is None
    assert concurrency.limit == 8
    assert new.begin("m") is not None
    assert not await old.admit(LLMRequest(request_id="r", complexity="simple", messages=()), 0)
