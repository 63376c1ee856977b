"""A worker with all that stands around it, on virtual time, for the tests beside this file."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import trio
import trio.lowlevel
from pydantic import SecretStr

from nexus_actors.admission.before_call import Checks
from nexus_actors.admission.gates import Gates
from nexus_actors.admission.quirks import Quirks
from nexus_actors.contract.request import LLMRequest
from nexus_actors.contract.result import Answer, Usage
from nexus_actors.pipeline.provider_tree.terms import TermsInForce
from nexus_actors.pipeline.provider_worker import ProviderWorker
from nexus_actors.providers.port import NOTHING, Outcome, ProviderFailure, ProviderSettings
from nexus_actors.routing.routes import Routes
from nexus_actors.settings.model import ModelRef, Provider, ProviderKey
from nexus_actors.steering.desired import Desired
from nexus_actors.storage.requests import Lease
from nexus_actors.work.in_work import InWork
from nexus_actors.work.job import Job
from nexus_actors.work.metrics import Metrics
from supervisors import open_tree
from tests.unit.parts import shared

ANSWER = Answer(
    response="yes", provider="p", model="m", usage=Usage(1, 1, 2), cost=0.25, finish_reason="stop"
)


def failure(**fields: Any) -> ProviderFailure:
    return ProviderFailure(
        **{"type": "provider_error", "message": "no", "retryable": True, **fields}
    )


@dataclass
class Scripted:
    """A provider that answers as told; the last outcome repeats."""

    outcomes: list[Outcome | Callable[[], Outcome]]
    settings: type[ProviderSettings] = ProviderSettings
    calls: list[tuple[float, str, float]] = field(default_factory=list)
    """When, which model, with which timeout."""
    delay: float = 1.0
    keys: list[str] = field(default_factory=list)
    without: list[dict[str, str]] = field(default_factory=list)
    """The fields that each call was to leave out."""
    key_names: list[str | None] = field(default_factory=list)

    @asynccontextmanager
    async def open(
        self, name: str, settings: Any, api_key: SecretStr | None
    ) -> AsyncIterator["ScriptedSession"]:
        yield ScriptedSession(self, "" if api_key is None else api_key.get_secret_value())


@dataclass
class ScriptedSession:
    """One session with it, by one key."""

    provider: Scripted
    key: str

    async def complete(
        self,
        request: LLMRequest,
        model: str,
        *,
        timeout: float,
        on_text: Any = None,
        without: Mapping[str, str] = NOTHING,
        key_name: str | None = None,
    ) -> Outcome:
        self.provider.calls.append((trio.current_time(), model, timeout))
        self.provider.keys.append(self.key)
        self.provider.without.append(dict(without))
        self.provider.key_names.append(key_name)
        await trio.sleep(self.provider.delay)
        outcomes = self.provider.outcomes
        outcome = outcomes.pop(0) if len(outcomes) > 1 else outcomes[0]
        return outcome() if callable(outcome) else outcome


@dataclass
class Jobs:
    """Those that come to the stage behind a bell, one by one."""

    bell: trio.MemoryReceiveChannel[None]
    take: Callable[[], Sequence[Job]]
    left: list[Job] = field(default_factory=list)

    async def receive(self) -> Job:
        while not self.left:
            await self.bell.receive()
            self.left.extend(self.take())
        return self.left.pop(0)


@dataclass
class Bench:
    """One worker and what it hands on."""

    provider: Scripted
    in_work: InWork
    routed: Jobs
    """Back to the Router; it is out of the table then."""
    finished: Jobs
    metrics: Metrics
    gates: Gates
    quirks: Quirks
    routes: Routes
    desired: Desired

    def give(self, job: Job) -> None:
        job.routes = self.routes
        self.in_work.add(job)
        self.in_work.assign(job, "p")


@asynccontextmanager
async def bench(
    *outcomes: Outcome | Callable[[], Outcome],
    max_attempts: int = 5,
    holds: bool = True,
    keys: Sequence[str] = (),
    **settings: Any,
) -> AsyncIterator[Bench]:
    checked = ProviderSettings(kind="scripted", **settings)
    in_work = InWork({"p": checked.pool_size})
    to_router, unrouted = trio.open_memory_channel[None](1)
    to_publisher, answered = trio.open_memory_channel[None](1)
    in_work.connect(to_router, to_publisher)
    around = shared(in_work, max_attempts=max_attempts, on_no_key="hold" if holds else "fail")
    scripted = Scripted(list(outcomes))
    own = tuple(ProviderKey(key, SecretStr(key)) for key in keys)
    provider = Provider("p", checked, scripted, own)
    terms = TermsInForce(around, provider, scripted)
    checks = Checks(around.in_force, around.store)

    def unroute() -> Sequence[Job]:
        jobs = in_work.unrouted()
        for one in jobs:
            in_work.remove(one)
        return jobs

    def worker() -> ProviderWorker:
        return ProviderWorker(around, terms, checks, around.registry.via("p.Pool"))

    async with open_tree(worker):
        yield Bench(
            scripted,
            in_work,
            Jobs(unrouted, unroute),
            Jobs(answered, in_work.take_answered),
            around.metrics,
            around.gates,
            around.quirks,
            around.routes,
            around.desired,
        )


def job(*models: str, number: int = 1, **fields: Any) -> Job:
    return Job(
        lease=Lease(number, 1),
        body=LLMRequest(request_id="r", complexity="simple", messages=()),
        request_id="r",
        candidates=tuple(ModelRef("p", model) for model in models or ("m",)),
        **fields,
    )
