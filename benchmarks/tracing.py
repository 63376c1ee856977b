"""What tracing costs a request: on the loop, where spans are made, and in the thread that sends.

    python -m benchmarks.tracing [--requests 20000]

No service is started: jobs are leased, routed, called for once and published on paper, and their
spans go to a collector on 127.0.0.1, in a process of its own, that takes whatever comes.
Microseconds of CPU, the median of five rounds. `off` is what a service without `[tracing] endpoint`
pays, `not chosen` what one pays for a request that its sample leaves out.
"""

import argparse
import os
import signal
import socket
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import trio

from nexus_actors.contract.request import LLMRequest
from nexus_actors.contract.result import Answer, Usage
from nexus_actors.routing.in_force import InForce
from nexus_actors.settings import Settings, parse_settings
from nexus_actors.storage.requests import Attempt, Lease
from nexus_actors.tracing.otlp import Collector
from nexus_actors.tracing.spans import Span
from nexus_actors.tracing.tracer import Tracer
from nexus_actors.work.job import Job

ROUNDS = 5
BATCH = 512
"""Spans sent at once."""


def job(number: int) -> Job:
    """One that was answered at the first call."""
    now = datetime.now(UTC)
    body = LLMRequest(
        request_id=f"request-{number}",
        complexity="simple",
        messages=({"role": "user", "content": "hello"},),
        agent_id="agent",
        max_tokens=500,
    )
    made = Job(lease=Lease(number, 1), body=body, request_id=body.request_id, size=600)
    made.waits_since = made.leased_at - 0.01
    made.step("validate")
    made.step("route_llm", candidates=["echo/echo", "other/model"], route="routes[0]")
    made.attempts.append(
        Attempt(
            number=1,
            provider="echo",
            model="echo",
            outcome="ok",
            status_code=None,
            duration_ms=5,
            cost=0.0,
            error=None,
            started_at=now,
            cost_basis="list",
        )
    )
    usage = Usage(prompt_tokens=7, completion_tokens=9, total_tokens=16)
    made.outcome = Answer(
        response=None, provider="echo", model="echo", usage=usage, cost=0.0, finish_reason="stop"
    )
    made.finished_at = now
    return made


class Kept(list[Span]):
    """A sink that keeps what comes."""

    def put(self, spans: list[Span]) -> None:
        self += spans


def sink_process() -> tuple[int, str]:
    """A collector that answers 200 to all that comes, and reads no more of it than its length; its
    process and URL."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        if pid := os.fork():
            return pid, url
        while True:
            connection, _ = server.accept()
            with connection, connection.makefile("rb") as file:
                while head := file.readline():
                    length = 0
                    while (line := file.readline()) not in (b"\r\n", b""):
                        if line.lower().startswith(b"content-length:"):
                            length = int(line.split(b":")[1])
                    assert head.startswith(b"POST /v1/traces")
                    file.read(length)
                    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")


def measured(count: int, work: Callable[[], Any]) -> float:
    """Microseconds of this thread's CPU, for each of `count`."""
    began = time.thread_time()
    work()
    return (time.thread_time() - began) / count * 1e6


def begin_and_leave(tracer: Tracer | None, jobs: Sequence[Job], sent_at: datetime) -> None:
    """As the stages do it."""
    for it in jobs:
        if tracer is not None:
            tracer.begin(it, sent_at)
        if tracer is not None:
            tracer.left(it, "ended")


def send(collector: Collector, spans: Sequence[Span]) -> None:
    """As the thread does it."""
    for start in range(0, len(spans), BATCH):
        assert collector.send(spans[start : start + BATCH]) is None


async def main(count: int, url: str) -> None:
    """Print the figures."""
    settings = parse_settings({"tracing": {"endpoint": url}}, {})
    assert isinstance(settings, Settings)
    now = datetime.now(UTC)
    sink = Kept()
    tracer = Tracer(InForce(settings), sink)
    collector = Collector(url, {"service.name": "benchmark"}, {})
    none = parse_settings({"tracing": {"endpoint": url, "sample": 0.0}}, {})
    assert isinstance(none, Settings)
    leaves_out = Tracer(InForce(none), sink)
    off, out, on, sent = [], [], [], []
    for _ in range(ROUNDS):
        jobs = [job(number) for number in range(count)]
        off.append(measured(count, lambda jobs=jobs: begin_and_leave(None, jobs, now)))
        out.append(measured(count, lambda jobs=jobs: begin_and_leave(leaves_out, jobs, now)))
        on.append(measured(count, lambda jobs=jobs: begin_and_leave(tracer, jobs, now)))
        sent.append(measured(count, lambda: send(collector, sink)))
        spans = len(sink) / count
        sink.clear()
    measures = {"off": off, "not chosen": out, "made on the loop": on, "sent by the thread": sent}
    for what, figures in measures.items():
        print(f"{what:>20}: {statistics.median(figures):7.2f} µs a request")
    print(f"{'spans a request':>20}: {spans:7.1f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--requests", type=int, default=20_000)
    options = parser.parse_args()
    pid, where = sink_process()
    try:
        trio.run(main, options.requests, where)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
