"""Numbers as Prometheus reads them, by its own library: as text, or as OpenMetrics."""

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
"""With which OpenMetrics ends."""
_HEAD: Final = re.compile(rb"(# .*\n)*")
"""What a family begins with."""
MOST_SAMPLES: Final = 100
"""Those that are written at once: a millisecond's work."""


def numbers(name: str, values: Values) -> Metric:
    """A counter or a gauge of the table. KeyError if it does not stand there, ValueError if it has
    other labels."""
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
    """One without labels."""
    return numbers(name, [((), value)])


def histograms(name: str, values: Iterable[tuple[tuple[str, ...], Histogram]]) -> Metric:
    """As `numbers`, of histograms."""
    family = BY_NAME[name]
    made = HistogramMetricFamily(name, family.help, labels=family.labels)
    for labels, histogram in values:
        bounds = [*map(floatToGoString, histogram.bounds), "+Inf"]
        counts = [float(it) for it in histogram.cumulative()]
        made.add_metric(labels, list(zip(bounds, counts, strict=True)), histogram.sum)
    return made


def info(name: str, values: tuple[str, ...]) -> Metric:
    """As `numbers`, of what has words only."""
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
    """All of them, and the content type that goes with the client's `Accept`.

    They are made a family at a time, and written some lines at a time, and others have their turn
    between: the loop is held up for a few milliseconds, however many numbers there are.
    """
    try:
        encode, content_type = choose_encoder(accept)
    except (TypeError, ValueError):  # a version that is none
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
