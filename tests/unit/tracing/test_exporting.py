"""Spans on their way: what a collector does harms nothing but them."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from nexus_actors.tracing import exporting
from nexus_actors.tracing.exporting import MOST, Counts, Exporting
from nexus_actors.tracing.otlp import Collector
from nexus_actors.tracing.spans import Span
from tests.collector import running_collector

SPAN = Span(
    name="chat m",
    trace_id="a" * 32,
    span_id="b" * 16,
    flags=1,
    parent=None,
    start=1,
    end=2,
    attributes={"text": "x", "number": 7, "half": 0.5, "yes": True, "list": ["a", "b"]},
)
LIMIT = 30.0
"""Seconds, for machines."""


class Slow:
    """A collector that takes each batch when it is let, and says what it is told to say."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.troubles: list[str | None] = []
        self.called = threading.Semaphore(0)
        self.let = threading.Semaphore(0)
        self.is_shut = threading.Event()

    def send(self, spans: Sequence[Span]) -> str | None:
        self.batches.append(len(spans))
        self.called.release()
        assert self.let.acquire(timeout=LIMIT)
        return self.troubles.pop(0) if self.troubles else None

    def shutdown(self) -> None:
        self.is_shut.set()
        self.let.release()


@pytest.fixture(autouse=True)
def no_lingering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "LINGER", 0.0)


def opened(collector: Any) -> Exporting:
    sending = Exporting(lambda: collector, "http://collector:4318")
    sending.open()
    return sending


def test_who_puts_spans_waits_for_nobody_and_what_is_too_much_is_counted() -> None:
    slow = Slow()
    sending = opened(slow)
    sending.put([SPAN])
    assert slow.called.acquire(timeout=LIMIT)  # and is held up there
    for _ in range(MOST // 2 + 10):
        sending.put([SPAN, SPAN])
    assert sending.counts == Counts(dropped=20)
    for _ in range(100):
        slow.let.release()
    with capture_logs() as lines:
        sending.close(LIMIT)
    assert sending.counts == Counts(sent=1 + MOST, dropped=20)
    assert max(slow.batches) < 600
    assert [it["event"] for it in lines] == ["spans were lost"]
    sending.put([SPAN])
    assert sending.counts.dropped == 21


def test_a_stop_waits_no_longer_than_it_may() -> None:
    slow = Slow()
    sending = opened(slow)
    sending.put([SPAN])
    assert slow.called.acquire(timeout=LIMIT)
    sending.put([SPAN])
    sending.close(0.01)
    assert slow.is_shut.wait(LIMIT)
    assert sending.counts.dropped == 1


def test_that_traces_are_not_taken_is_reported_once_and_that_they_are_again() -> None:
    slow = Slow()
    slow.troubles = ["HTTP 500", "ConnectionError", None, "HTTP 401"]
    sending = opened(slow)
    with capture_logs() as lines:
        for _ in range(5):
            sending.put([SPAN])
            assert slow.called.acquire(timeout=LIMIT)
            slow.let.release()
        sending.close(LIMIT)
    told = [(it["event"], it.get("why")) for it in lines]
    assert told == [
        ("traces are not taken", "HTTP 500"),
        ("traces are taken again", None),
        ("traces are not taken", "HTTP 401"),
        ("traces are taken again", None),
        ("spans were lost", None),
    ]
    assert sending.counts == Counts(sent=2, failed=3)


def test_an_exporter_that_cannot_be_made_harms_nothing() -> None:
    def connect() -> Any:
        raise ValueError("authorization: SECRET")

    sending = Exporting(connect, "http://collector:4318")
    with capture_logs() as lines:
        sending.open()
        sending.close(LIMIT)
        sending.put([SPAN])
    assert [(it["event"], it["error"]) for it in lines] == [
        ("nothing is traced any more", "ValueError")
    ]
    assert sending.counts.dropped == 1


IDENTITY: Mapping[str, str] = {"service.name": "nexus", "service.instance.id": "i"}


def test_a_collector_gets_otlp_with_what_the_environment_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20SECRET")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "llm")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "team=b,zone=z")
    with running_collector() as there:
        collector = Collector(there.url, IDENTITY, {"team": "a"})
        assert collector.send([SPAN]) is None
        collector.shutdown()
    [(path, headers)] = there.requests
    assert (path, headers["authorization"]) == ("/v1/traces", "Bearer SECRET")
    [span] = there.spans
    assert (span.name, span.trace_id, span.parent_id) == ("chat m", "a" * 32, "")
    assert span.attributes == SPAN.attributes
    assert {key: span.resource[key] for key in ("service.name", "team", "zone")} == {
        "service.name": "llm",
        "team": "a",
        "zone": "z",
    }


@pytest.mark.parametrize("status", [301, 401, 500])
def test_what_it_answers_is_reported_and_no_secret(
    status: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # One with a blank in its name is none: the SDK would quote it in its log.
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=SECRET,no header SECRET")
    caplog.set_level("DEBUG")
    with running_collector() as there:
        there.status = status
        collector = Collector(there.url, IDENTITY, {})
        assert collector.send([SPAN]) == f"HTTP {status}"
        collector.shutdown()
    assert collector.send([SPAN]) is not None
    assert caplog.records == []


def test_one_that_is_away_is_reported_after_the_time_that_was_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.2")
    with running_collector() as there:
        url = there.url
    assert Collector(url, IDENTITY, {}).send([SPAN]) == "ConnectionError"
