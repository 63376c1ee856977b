"""Telemetry events as OpenTelemetry metrics. Needs `opentelemetry-api` (extra `opentelemetry`).

Once, before or after the tree is opened:

    from supervisors.contrib import opentelemetry

    opentelemetry.attach()

Instruments are named like the events' metrics in `supervisors.contrib.prometheus`, with dots:
`supervisors.child_restarts`, `supervisors.loop_blocked` (in seconds). They go to the global meter
provider, or to the one that is given. Their attributes are the same as the labels there, with the
same limit of names. There are no spans: a message is not a request.
"""

from __future__ import annotations

from collections.abc import Callable

from opentelemetry.metrics import Meter, MeterProvider, get_meter

from supervisors import telemetry
from supervisors.contrib._measures import MEASURES, Labels, Measure
from supervisors.telemetry import Event

__all__ = ["attach", "detach"]

HANDLER_ID = "supervisors.contrib.opentelemetry"


def attach(meter_provider: MeterProvider | None = None) -> None:
    """Record events from now on. meter_provider: None is the global one.

    Raises AlreadyAttached if it is attached.
    """
    meter = get_meter("supervisors", meter_provider=meter_provider)
    observers = {measure.event: _make(measure, meter) for measure in MEASURES}

    def observe(event: Event) -> None:
        observers[type(event)](event)

    telemetry.attach(HANDLER_ID, telemetry.EVENTS, observe)


def detach() -> bool:
    """Stop recording. False if it was not attached. The instruments stay, since the API cannot
    remove them.
    """
    return telemetry.detach(HANDLER_ID)


def _make(measure: Measure, meter: Meter) -> Callable[[Event], None]:
    name, labels = f"supervisors.{measure.name}", Labels(measure)
    if measure.seconds is None:
        counter = meter.create_counter(name, "1", measure.description)
        return lambda event: counter.add(1, labels.of(event))
    seconds = measure.seconds
    histogram = meter.create_histogram(name, "s", measure.description)
    return lambda event: histogram.record(getattr(event, seconds), labels.of(event))
