"""What each actor shows of its state to whoever looks: counts and names, and no request's words."""

import importlib
import inspect
import json
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trio

import nexus_actors
from nexus_actors.admission.provider_breaker import ProviderBreaker
from nexus_actors.contract.request import LLMRequest
from nexus_actors.pipeline.lease_keeper import LeaseKeeper
from nexus_actors.pipeline.provider_pool import ProviderPool
from nexus_actors.pipeline.provider_tree.keeper import ProviderKeeper
from nexus_actors.pipeline.queue_consumer import QueueConsumer
from nexus_actors.pipeline.result_publisher import ResultPublisher
from nexus_actors.pipeline.router import Router
from nexus_actors.pipeline.stream_publisher import StreamPublisher
from nexus_actors.shared import Shared
from nexus_actors.storage.requests import Lease
from nexus_actors.work.in_work import InWork
from nexus_actors.work.job import Job
from supervisors import GenServer, Status
from tests.unit.parts import shared

ASKED = "what somebody asked"


def _actors() -> Iterator[type[GenServer]]:
    for module in pkgutil.walk_packages(nexus_actors.__path__, "nexus_actors."):
        if "__main__" in module.name:
            continue
        for _, it in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if issubclass(it, GenServer) and it.__module__ == module.name:
                yield it


def test_each_actor_says_what_may_be_shown_of_it() -> None:
    mute = [
        it.__name__
        for it in _actors()
        if it.format_status is GenServer.format_status and it.__name__ != "Stage"
    ]
    assert mute == []


def bell() -> Any:
    return trio.open_memory_channel[None](1)[1]


MADE: dict[str, Callable[[Shared], GenServer]] = {
    "Router": lambda it: Router(it, bell()),
    "ProviderPool": lambda it: ProviderPool(it, "echo", list),
    "StreamPublisher": StreamPublisher,
    "ResultPublisher": lambda it: ResultPublisher(it, bell()),
    "LeaseKeeper": LeaseKeeper,
    "ProviderKeeper": lambda it: ProviderKeeper(it, lambda _: pytest.fail("not started")),
    "QueueConsumer": QueueConsumer,
    "ProviderBreaker": lambda it: ProviderBreaker("echo", it.gates, it.in_work),
}
COUNTED = {
    "Router": {"to_route": 1, "routed": 0},
    "LeaseKeeper": {"leases": 1},
    "QueueConsumer": {"jobs": 1, "stopping": False},
    "ProviderPool": {"workers_wanted": 3},
    "ProviderKeeper": {"providers": ["echo"]},
}


@pytest.mark.parametrize("name", MADE)
async def test_what_is_shown_is_counted_and_has_no_requests_words(name: str) -> None:
    table = InWork({"echo": 3})
    body = LLMRequest(request_id="r", complexity="simple", messages=({"content": ASKED},))
    table.add(Job(lease=Lease(1, 1), body=body, request_id="r"))
    actor = MADE[name](shared(table))
    state = actor.format_status(Status(state=vars(actor), message=body)).state
    assert isinstance(state, dict)
    assert ASKED not in json.dumps(state)
    assert state.items() >= COUNTED.get(name, {}).items()
