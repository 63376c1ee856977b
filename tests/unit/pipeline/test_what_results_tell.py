"""Every producer reads every result: it tells neither of operators nor of other requests."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import trio

from nexus_actors.admission.circuit import CircuitSettings
from nexus_actors.contract.request import LLMRequest
from nexus_actors.contract.result import Failure
from nexus_actors.pipeline.router import Router
from nexus_actors.routing import Candidate
from nexus_actors.shared import Shared
from nexus_actors.storage.requests import GiveBack, Lease
from nexus_actors.work.in_work import InWork
from nexus_actors.work.job import Job
from supervisors import ChildSpec, Supervisor, open_tree
from tests.unit.parts import control_row, shared

QUOTE = "not for all"
PAUSE = {"by": QUOTE, "why": QUOTE}


@dataclass
class Store:
    """Takes back what it is given."""

    closed: bool = False
    returned: list[GiveBack] = field(default_factory=list)

    async def give_back(self, returns: Sequence[GiveBack]) -> None:
        self.returned += returns


@dataclass
class Bench:
    """The Router with what it consults."""

    around: Shared
    store: Store

    async def route(self, seconds: float = 5.0, **fields: Any) -> Job:
        """Route one that has so many seconds left."""
        now = trio.current_time()
        body = LLMRequest(request_id="r", agent_id="a", complexity="simple", messages=())
        told = {"candidates": (Candidate("p", "m"),), "routes": self.around.routes, **fields}
        job = Job(
            lease=Lease(1, 1), body=body, request_id="r", **{"deadline": now + seconds, **told}
        )
        self.around.in_work.add(job)
        await trio.sleep(1)
        return job


@asynccontextmanager
async def routing() -> AsyncIterator[Bench]:
    table, store = InWork({"p": 4}), Store()
    to_router, bell = trio.open_memory_channel[None](1)
    to_publisher, _ = trio.open_memory_channel[None](1)
    table.connect(to_router, to_publisher)
    around = shared(table, store=store)
    async with open_tree(lambda: Supervisor([ChildSpec("router", lambda: Router(around, bell))])):
        yield Bench(around, store)


def open_circuit(around: Shared) -> None:
    """Another request's call could not connect."""
    now = trio.current_time()
    gate = around.gates.gate("p", "m", CircuitSettings(failures=1, open_seconds=34.0), now)
    gate.circuit.failed(now)
    gate.why, gate.cause = "connection_failed", f"connection_failed: cannot connect to {QUOTE}"


def pause(subject: str, name: str) -> Callable[[Shared], None]:
    def now(around: Shared) -> None:
        row = control_row("pause", subject, name, **PAUSE)
        around.desired.replace([row], "ai_requests", trio.current_time())

    return now


def pause_queue_until_just_now(around: Shared) -> None:
    pause("queue", "ai_requests")(around)
    around.desired.replace([], "ai_requests", trio.current_time() + 0.1)


LANED = {"waited_for": "paused", "waited_detail": QUOTE}


@pytest.mark.parametrize(
    ("happens", "fields", "told"),
    [
        (
            open_circuit,
            {},
            "it would wait another 34 s for a circuit to close (p/m), longer than its timeout"
            " allows",
        ),
        (
            open_circuit,
            {"seconds": 0.0, "waited_for": "circuit_open", "waited_detail": QUOTE},
            "timed out while waiting for a circuit to close (p/m)",
        ),
        (open_circuit, {"seconds": 0.0}, "timed out in the queue, before a service took it"),
        (
            pause("provider", "p"),
            {"seconds": 0.0, **LANED},
            "timed out while waiting for the end of a pause of provider p",
        ),
        (
            pause("agent", "a*"),
            {"seconds": 0.0, **LANED},
            "timed out while waiting for the end of a pause of agent a*",
        ),
        (
            pause("provider", "p"),
            {"seconds": 0.0},
            "timed out in the queue, before a service took it",
        ),
        (
            lambda _: None,
            {"seconds": 0.0, **LANED},
            "timed out while waiting for the end of a pause",
        ),
        (
            pause("queue", "ai_requests"),
            {"seconds": 0.0},
            "timed out while waiting for the end of a pause of queue ai_requests",
        ),
        (
            pause_queue_until_just_now,
            {"seconds": 0.0},
            "timed out while waiting for the end of a pause of queue ai_requests",
        ),
    ],
)
async def test_a_result_names_what_was_waited_for_and_quotes_nobody_else(
    autojump_clock: Any, happens: Callable[[Shared], None], fields: dict[str, Any], told: str
) -> None:
    async with routing() as bench:
        happens(bench.around)
        job = await bench.route(**fields)
        assert isinstance(job.outcome, Failure)
        assert job.outcome.message == told


@pytest.mark.parametrize("happens", [open_circuit, pause("provider", "p")])
async def test_what_operators_read_of_a_wait_has_all_of_it(
    autojump_clock: Any, happens: Callable[[Shared], None]
) -> None:
    async with routing() as bench:
        happens(bench.around)
        await bench.route(seconds=99.0)
        (returned,) = bench.store.returned
        assert returned.detail is not None
        assert QUOTE in returned.detail
