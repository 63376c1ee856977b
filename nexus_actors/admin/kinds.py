"""The kind of an actor, for labels of metrics: its name without the provider and the number."""

import re
from typing import Final

OF_PROVIDER: Final = ("Supervisor", "Breaker", "RateLimiter", "Pool", "Server")
"""Actors that each provider has one of, by the end of their name."""
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
"""Actors that exist once."""
WORKER: Final = "Provider.Worker"
OTHER: Final = "other"
KINDS: Final = (*ALONE, *(f"Provider.{it}" for it in OF_PROVIDER), WORKER, OTHER)
_ALONE: Final = frozenset(ALONE)
_WORKER: Final = re.compile(r".+\.Worker\.\d+")


def kind_of(name: str) -> str:
    """The actor's kind, one of `KINDS`."""
    if name in _ALONE:
        return name
    if _WORKER.fullmatch(name):
        return WORKER
    last = name.rpartition(".")[2]
    return f"Provider.{last}" if last in OF_PROVIDER else OTHER
