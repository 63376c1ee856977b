"""Decides which requests are traced, and makes their spans when they leave this process."""

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
    """The receiver of finished spans."""

    def put(self, spans: list[Span]) -> None:
        """Take the spans, or drop them. Never blocks, never raises."""
        ...


class Tracer:
    """A passive object, like the in-work table. Spans are made when a job leaves, from what the job
    has on record. So untraced jobs cost one check, and a kill loses the spans of jobs in work.

    A request with a `traceparent` is traced if its producer traces it (the flag `sampled`). Of the
    others, the share `sample` is traced. Their trace id is derived from the request, so all
    processes that lease it get the same id and make the same decision.
    """

    def __init__(self, in_force: InForce, sink: Sink) -> None:
        self._in_force = in_force
        self._sink = sink
        self._bound = round(in_force.settings.tracing.sample * 2**64)
        self._random = random.Random()  # noqa: S311 - ids are not secrets
        self._ids = self._new_ids()
        self._providers: Mapping[str, Provider] = {}
        self._fixed: dict[str, Attributes] = {}
        self._failed = False
        """Whether making spans has failed once, which was logged."""

    def begin(self, job: Job, sent_at: datetime | None) -> None:
        """Give a leased job a span, if it is to be traced. `sent_at`: when its message was
        enqueued, the same for all processes; None if unknown."""
        parent = job.traceparent
        if parent is not None:
            if parent.is_sampled:
                job.span = replace(parent, span_id=next(self._ids))
        elif sent_at is not None and job.request_id is not None:
            trace_id = _trace_id(job.request_id, job.lease.msg_id, sent_at)
            if int(trace_id[16:], 16) < self._bound:
                job.span = TraceParent(trace_id, next(self._ids), SAMPLED)

    def left(self, job: Job, how: How) -> None:
        """Pass on the spans of a job that leaves now, if it is traced."""
        if job.span is None:
            return
        clock = Clock(trio.current_time(), time.time_ns())
        queue = self._in_force.settings.queue.requests
        try:
            spans = spans_of(
                job, how, clock, queue=queue, new_ids=self._ids, providers=self._of_providers()
            )
        except Exception:
            # A bug. But the calling stage is handling a batch, and requests matter more than
            # traces.
            if not self._failed:
                log.exception("a request could not be traced", **job.ids)
            self._failed = True
            return
        self._sink.put(spans)

    def _new_ids(self) -> Iterator[str]:
        while True:
            yield f"{self._random.getrandbits(64) or 1:016x}"

    def _of_providers(self) -> Mapping[str, Attributes]:
        """Common attributes of all calls to a provider, computed again after a reload."""
        providers = self._in_force.settings.providers
        if providers is not self._providers:
            self._fixed = {key: _fixed(key, it.settings) for key, it in providers.items()}
            self._providers = providers
        return self._fixed


def _trace_id(request_id: str, msg_id: int, sent_at: datetime) -> str:
    """The trace id of a request without one. Only the three values together are unique."""
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
