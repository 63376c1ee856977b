"""What an actor is, for numbers: its name without provider and number, of which there are many."""

import re
from typing import Final

OF_PROVIDER: Final = ("Supervisor", "Breaker", "RateLimiter", "Pool", "Server")
"""What a provider has one of, by what stands after its name."""
ALONE: Final = (
    "Nexus.Supervisor",
    "Registry",
    "ServiceManager.Supervisor",
    "ServiceManager",
    "Admin.Supervisor",
    "Admin",
    "Database",
    "Heartbeat.Supervisor",
    "Heartbeat",
    "ObserverBackend",
    "Pipeline.Supervisor",
    "LeaseKeeper",
    "ResultPublisher",
    "StreamPublisher",
    "Cancellations",
    "Steering",
    "ModelQuirks",
    "Providers.Supervisor",
    "ProviderKeeper",
    "Router",
    "QueueConsumer",
    "ResultPoller",
    "Pruner",
    "Rollup",
    "Control",
    "Watchdog",
)
"""Actors of which there is one."""
WORKER: Final = "Provider.Worker"
OTHER: Final = "other"
KINDS: Final = (*ALONE, *(f"Provider.{it}" for it in OF_PROVIDER), WORKER, OTHER)
_ALONE: Final = frozenset(ALONE)
_WORKER: Final = re.compile(r".+\.Worker\.\d+")


def kind_of(name: str) -> str:
    """One of `KINDS`."""
    if name in _ALONE:
        return name
    if _WORKER.fullmatch(name):
        return WORKER
    last = name.rpartition(".")[2]
    return f"Provider.{last}" if last in OF_PROVIDER else OTHER
