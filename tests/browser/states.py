"""The states in which the dashboard is looked at: what the database holds, what the service is
made of, and what it is given to do meanwhile.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from tests.browser.seed import BUSY, DEGRADED, EMPTY, FAILING, Plan
from tests.browser.site import PROVIDERS, Site

BUDGETS: Final = """
[budgets.nightly]
dollars = 20.0
agent = "agent-0*"
unknown_price = "ignore"
[budgets.all]
dollars = 600.0
per = "month"
unknown_price = "ignore"
"""
EVERY: Final = 0.25
"""Seconds between two requests."""


@dataclass(frozen=True, slots=True)
class State:
    """One of them."""

    name: str
    plan: Plan
    toml: str
    mix: tuple[dict[str, object], ...] = ()
    """Requests that are sent again and again, in turns."""
    orders: tuple[str, ...] = ()
    """SQL, once the service is there."""


_USUAL: Final = (
    {"complexity": "simple"},
    {"complexity": "simple", "agent_id": "agent-03", "task_type": "classify"},
    {"complexity": "medium", "task_type": "coder", "agent_id": "agent-01"},
    {"complexity": "simple", "task_type": "summary"},
)
_LONG: Final = {"complexity": "complex", "task_type": "architect", "agent_id": "agent-02"}
_FAILS: Final = PROVIDERS.replace("latency = 0.2", "failure_rate = 1.0\nmax_retries = 0").replace(
    "latency = 0.5", "latency = 0.5\nrequests_per_minute = 20"
)
_DEAD: Final = _FAILS.replace("latency = 0.5", "failure_rate = 1.0\nmax_retries = 0").replace(
    "latency = 1.0", "failure_rate = 1.0\nmax_retries = 0"
)

STATES: Final = (
    State("empty", EMPTY, PROVIDERS),
    State("busy", BUSY, PROVIDERS + BUDGETS, (*_USUAL, _LONG)),
    State(
        "degraded",
        DEGRADED,
        _FAILS + BUDGETS,
        (*_USUAL, _LONG, {"complexity": "medium", "task_type": "broken"}),
        (
            "SELECT nexus.pause('agent', 'batch-*', why => 'the report may wait', by => 'mara')",
            "SELECT nexus.scale('openai', 3, why => 'their limit', by => 'mara')",
        ),
    ),
    State(
        "failing",
        FAILING,
        _DEAD + BUDGETS,
        (*_USUAL, _LONG),
        (
            "SELECT nexus.drain(node, why => 'incident 4711', by => 'mara')"
            " FROM nexus.node_states WHERE state NOT IN ('lost', 'stopped')",
        ),
    ),
)


@contextmanager
def in_state(site: Site, state: State) -> Iterator[None]:
    """Orders given, requests sent, until the block ends."""
    over = threading.Event()
    for order in state.orders:
        site.rows(order)

    def send() -> None:
        number = 0
        while state.mix and not over.wait(EVERY):
            number += 1
            site.send(f"live-{number:05}", **state.mix[number % len(state.mix)])

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        over.set()
        sender.join()
