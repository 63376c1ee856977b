"""What the stages tell of requests: which are traced, and how each left this process's hands."""

import hashlib
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Protocol
from urllib.parse import urlsplit

import structlog
import trio

from nexus_actors.contract.trace import SAMPLED, TraceParent
from nexus_actors.providers.port import ProviderSettings
from nexus_actors.routing.in_force import InForce
from nexus_actors.settings.model import Provider
from nexus_actors.tracing import conventions as name
from nexus_actors.tracing.spans import Attributes, Clock, How, Span, spans_of
from nexus_actors.work.job import Job

log = structlog.get_logger("nexus.tracing")


class Sink(Protocol):
    """Where finished spans go."""

    def put(self, spans: list[Span]) -> None:
        """Take them, or drop them; never waits, never raises."""
        ...


class Tracer:
    """A passive object, as the in-work table. Spans are made when a job leaves, from what it says
    of itself: what is not traced costs a look at it, and a kill loses the spans of what is in hand.

    A request with a `traceparent` is traced if its producer traces it (the flag `sampled`). Of
    those without one, a `sample` is; their trace's id is made of the request, so that each process
    that leases it finds the same, and comes to the same decision.
    """

    def __init__(self, in_force: InForce, sink: Sink) -> None:
        self._in_force = in_force
        self._sink = sink
        self._bound = round(in_force.settings.tracing.sample * 2**64)
        self._random = random.Random()  # noqa: S311 - ids, not secrets
        self._ids = self._new_ids()
        self._providers: Mapping[str, Provider] = {}
        self._fixed: dict[str, Attributes] = {}
        self._failed = False
        """Spans could not be made once, which was told."""

    def begin(self, job: Job, sent_at: datetime | None) -> None:
        """It was leased: give it a span, if it is to be traced. `sent_at`: as each process that
        leases it reads it; None where that is not known."""
        parent = job.traceparent
        if parent is not None:
            if parent.is_sampled:
                job.span = replace(parent, span_id=next(self._ids))
        elif sent_at is not None and job.request_id is not None:
            trace_id = _trace_id(job.request_id, job.lease.msg_id, sent_at)
            if int(trace_id[16:], 16) < self._bound:
                job.span = TraceParent(trace_id, next(self._ids), SAMPLED)

    def left(self, job: Job, how: How) -> None:
        """It leaves this process's hands now: hand on its spans, if it is traced."""
        if job.span is None:
            return
        clock = Clock(trio.current_time(), time.time_ns())
        queue = self._in_force.settings.queue.requests
        try:
            spans = spans_of(
                job, how, clock, queue=queue, new_ids=self._ids, providers=self._of_providers()
            )
        except Exception:
            # A bug, but the stage that tells of it has a batch in hand: no request is worth less
            # than its trace.
            if not self._failed:
                log.exception("a request could not be traced", **job.ids)
            self._failed = True
            return
        self._sink.put(spans)

    def _new_ids(self) -> Iterator[str]:
        while True:
            yield f"{self._random.getrandbits(64) or 1:016x}"

    def _of_providers(self) -> Mapping[str, Attributes]:
        """What is the same for all calls to a provider; worked out anew after a reload."""
        providers = self._in_force.settings.providers
        if providers is not self._providers:
            self._fixed = {key: _fixed(key, it.settings) for key, it in providers.items()}
            self._providers = providers
        return self._fixed


def _trace_id(request_id: str, msg_id: int, sent_at: datetime) -> str:
    """Of a request that came without one. Elsewhere others may have its id, but not all three."""
    text = f"{msg_id} {sent_at.timestamp():.6f} {request_id}"
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _fixed(provider: str, settings: ProviderSettings) -> Attributes:
    known = name.PROVIDER_NAMES
    preset = getattr(settings, "preset", None)
    fixed: Attributes = {
        name.GEN_AI_PROVIDER_NAME: known.get(preset or settings.kind) or provider,
    }
    base_url = getattr(settings, "base_url", None)
    if isinstance(base_url, str) and (url := urlsplit(base_url)).hostname:
        fixed[name.SERVER_ADDRESS] = url.hostname
        fixed[name.SERVER_PORT] = url.port or (443 if url.scheme == "https" else 80)
    return fixed
