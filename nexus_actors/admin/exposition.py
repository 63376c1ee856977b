"""Writes metrics in Prometheus' text format or as OpenMetrics, by Prometheus' own library."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

import trio
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from nexus_actors.admin.families import BY_NAME
from nexus_actors.work.histogram import Histogram

Values = Iterable[tuple[tuple[str, ...], float]]
"""The values of the labels, in their order, and the number."""
_END: Final = b"# EOF\n"
"""The end of OpenMetrics."""
_HEAD: Final = re.compile(rb"(# .*\n)*")
"""The comments at the beginning of a family."""
MOST_SAMPLES: Final = 100
"""Samples that are written at once: about a millisecond of work."""


def numbers(name: str, values: Values) -> Metric:
    """A counter or a gauge of `families`. Raises KeyError if it is not listed there, and ValueError
    if its labels differ."""
    family = BY_NAME[name]
    made: CounterMetricFamily | GaugeMetricFamily
    if family.kind == "counter":
        made = CounterMetricFamily(name, family.help, labels=family.labels)
    else:
        made = GaugeMetricFamily(name, family.help, labels=family.labels)
    for labels, value in values:
        if len(labels) != len(family.labels):
            raise ValueError(f"{name} has the labels {family.labels}, not {labels}")
        made.add_metric(labels, value)
    return made


def number(name: str, value: float) -> Metric:
    """A counter or a gauge without labels."""
    return numbers(name, [((), value)])


def histograms(name: str, values: Iterable[tuple[tuple[str, ...], Histogram]]) -> Metric:
    """Like `numbers`, for histograms."""
    family = BY_NAME[name]
    made = HistogramMetricFamily(name, family.help, labels=family.labels)
    for labels, histogram in values:
        bounds = [*map(floatToGoString, histogram.bounds), "+Inf"]
        counts = [float(it) for it in histogram.cumulative()]
        made.add_metric(labels, list(zip(bounds, counts, strict=True)), histogram.sum)
    return made


def info(name: str, values: tuple[str, ...]) -> Metric:
    """Like `numbers`, for a family that has only labels."""
    family = BY_NAME[name]
    labels = dict(zip(family.labels, values, strict=True))
    return InfoMetricFamily(name.removesuffix("_info"), family.help, value=labels)


class _One(Collector):
    """A registry of one family."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> Iterator[Metric]:
        yield self._metric


async def exposed(metrics: Iterable[Metric], accept: str) -> tuple[bytes, str]:
    """Write all metrics; returns the text and its content type, chosen by the client's `Accept`.

    Families are computed one by one, and written some samples at a time with checkpoints between,
    so that even many metrics block the event loop for only a few milliseconds.
    """
    try:
        encode, content_type = choose_encoder(accept)
    except (TypeError, ValueError):  # an invalid version
        encode, content_type = choose_encoder("")
    parts: list[bytes] = []
    is_open = content_type.startswith("application/openmetrics-text")
    for metric in metrics:
        samples = metric.samples
        for first in range(0, max(len(samples), 1), MOST_SAMPLES):
            metric.samples = samples[first : first + MOST_SAMPLES]
            text = encode(_One(metric)).removesuffix(_END)
            parts.append(_HEAD.sub(b"", text, count=1) if first else text)
            await trio.lowlevel.checkpoint()
    return b"".join((*parts, _END if is_open else b"")), content_type
