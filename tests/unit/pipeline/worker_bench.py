"""A worker with all that stands around it, on virtual time, for the tests beside this file."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import trio
import trio.lowlevel
from pydantic import SecretStr

from nexus_actors.admission.checks import Checks
from nexus_actors.admission.gates import Gates
from nexus_actors.admission.provider_limits import ProviderLimits
from nexus_actors.admission.quirks import Quirks
from nexus_actors.contract.request import LLMRequest
from nexus_actors.contract.result import Answer, Usage
from nexus_actors.pipeline.lane import Lane
from nexus_actors.pipeline.provider_worker import ProviderWorker
from nexus_actors.providers.port import NOTHING, Outcome, ProviderFailure, ProviderSettings
from nexus_actors.routing.catalog import Catalog
from nexus_actors.settings import parse_settings
from nexus_actors.settings.model import ModelRef, Settings
from nexus_actors.storage.ports import Lease
from nexus_actors.work.in_work import InWork
from nexus_actors.work.job import Job
from nexus_actors.work.metrics import Metrics
from nexus_actors.work.text_streams import TextStreams
from supervisors import Registry, open_tree

_settings = parse_settings({}, {})
assert isinstance(_settings, Settings)
NO_SETTINGS = _settings
NO_STORE: Any = None
"""No test here has a budget that would ask it."""
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
class Bench:
    """One worker and what it hands on."""

    provider: Scripted
    in_work: InWork
    lane: Lane
    routed: trio.MemoryReceiveChannel[Job]
    finished: trio.MemoryReceiveChannel[Job]
    metrics: Metrics
    gates: Gates
    quirks: Quirks

    def give(self, job: Job) -> None:
        self.in_work.add(job)
        self.lane.put(job)
        self.in_work.enter_lane(job, "p")


@asynccontextmanager
async def bench(
    *outcomes: Outcome | Callable[[], Outcome],
    max_attempts: int = 5,
    holds: bool = True,
    keys: Sequence[str] = (),
    **settings: Any,
) -> AsyncIterator[Bench]:
    in_work, lane, metrics = InWork({"p": 1}), Lane(2), Metrics()
    gates, quirks = Gates(), Quirks()
    to_router, routed = trio.open_memory_channel[Job](9)
    to_publisher, finished = trio.open_memory_channel[Job](9)
    provider = Scripted(list(outcomes))
    registry = Registry("Registry")

    checked = ProviderSettings(kind="scripted", **settings)
    limits = ProviderLimits(
        provider="p",
        settings=checked,
        keys=keys,
        gates=gates,
        in_work=in_work,
        breaker=registry.via("p.Breaker"),
    )

    def worker() -> ProviderWorker:
        return ProviderWorker(
            provider="p",
            kind=provider,
            settings=checked,
            api_keys=[SecretStr(key) for key in keys],
            max_attempts=max_attempts,
            holds=holds,
            in_work=in_work,
            metrics=metrics,
            lane=lane,
            limits=limits,
            checks=Checks(("*",), {}, Catalog(NO_SETTINGS), NO_STORE),
            streams=TextStreams(),
            quirks=quirks,
            pool=registry.via("p.Pool"),
            to_router=to_router,
            to_publisher=to_publisher,
        )

    async with open_tree(worker):
        yield Bench(provider, in_work, lane, routed, finished, metrics, gates, quirks)


def job(*models: str, number: int = 1, **fields: Any) -> Job:
    return Job(
        lease=Lease(number, 1),
        body=LLMRequest(request_id="r", complexity="simple", messages=()),
        request_id="r",
        candidates=tuple(ModelRef("p", model) for model in models or ("m",)),
        **fields,
    )
