"""Telemetry events as Prometheus metrics. Needs `prometheus-client` (extra `prometheus`).

Once, before or after the tree is opened:

    from supervisors.contrib import prometheus

    prometheus.attach()

Counters end in `_total`, distributions in `_seconds`: `supervisors_child_restarts_total`,
`supervisors_loop_blocked_seconds_bucket`. Names of supervisors and linked tasks, and ids of
children, are labels: each metric keeps the first 200 of them apart, and counts the rest as "other".
So give the children of a DynamicSupervisor one id for each kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from supervisors import telemetry
from supervisors.contrib._measures import MEASURES, Labels, Measure
from supervisors.telemetry import Event

__all__ = ["attach", "detach"]

HANDLER_ID = "supervisors.contrib.prometheus"

_attached: list[_Metrics] = []


def attach(registry: CollectorRegistry = REGISTRY, *, prefix: str = "supervisors") -> None:
    """Count events from now on, in metrics that `registry` collects.

    prefix: begins the name of each metric. Raises AlreadyAttached if it is attached, ValueError if
    the registry has metrics of these names; nothing is attached then.
    """
    metrics = _Metrics(registry, prefix)
    telemetry.attach(HANDLER_ID, telemetry.EVENTS, metrics.observe)
    _forget()  # a handler that raised was detached by telemetry
    try:
        registry.register(metrics)
    except ValueError:
        telemetry.detach(HANDLER_ID)
        raise
    _attached.append(metrics)


def detach() -> bool:
    """Stop counting, and remove the metrics from the registry. False if it was not attached."""
    was_attached = telemetry.detach(HANDLER_ID)
    _forget()
    return was_attached


def _forget() -> None:
    while _attached:
        metrics = _attached.pop()
        metrics.registry.unregister(metrics)


class _Metrics(Collector):
    """All metrics as one collector, so that they are registered and removed together."""

    def __init__(self, registry: CollectorRegistry, prefix: str) -> None:
        self.registry = registry
        self._metrics: list[Counter | Histogram] = []
        self._observers: dict[type[Event], Callable[[Event], None]] = {}
        for measure in MEASURES:
            self._observers[measure.event] = self._make(measure, f"{prefix}_{measure.name}")

    def _make(self, measure: Measure, name: str) -> Callable[[Event], None]:
        about, labels = (measure.description, measure.labels), Labels(measure)
        if measure.seconds is None:
            counter = Counter(name, *about, registry=None)
            self._metrics.append(counter)
            return lambda event: counter.labels(**labels.of(event)).inc()
        seconds = measure.seconds
        histogram = Histogram(f"{name}_seconds", *about, registry=None)
        self._metrics.append(histogram)
        return lambda event: histogram.labels(**labels.of(event)).observe(getattr(event, seconds))

    def observe(self, event: Event) -> None:
        self._observers[type(event)](event)

    def describe(self) -> Iterator[Metric]:
        for metric in self._metrics:
            yield from metric.describe()

    def collect(self) -> Iterator[Metric]:
        for metric in self._metrics:
            yield from metric.collect()
