"""Computes the metrics of `/metrics` from the passive tables and from the database's counts."""

import platform
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Final, get_args

import trio
from prometheus_client.metrics_core import Metric
from prometheus_client.process_collector import ProcessCollector

from nexus_actors import __version__
from nexus_actors.admin.exposition import histograms, info, number, numbers
from nexus_actors.admin.health import database_away
from nexus_actors.admin.kinds import KINDS, kind_of
from nexus_actors.admin.sources import Sources
from nexus_actors.storage.nodes import NodeState
from nexus_actors.storage.postgres.counted import Counted
from nexus_actors.work.histogram import merged
from nexus_actors.work.tallies import NONE, Tallies
from supervisors.telemetry import BlockCause

_STATES: Final[tuple[str, ...]] = get_args(NodeState)
_CAUSES: Final[tuple[str, ...]] = get_args(BlockCause)
_SUBJECTS: Final = ("node", "queue", "provider", "model", "agent")
"""The subjects of pauses; a node's is a drain."""


class Collector:
    """Computes the metrics of one service, one family after the other."""

    def __init__(self, sources: Sources, tallies: Tallies) -> None:
        self._sources = sources
        self._in_force = sources.in_force
        self._tables = sources.tables
        self._metrics = sources.tables.metrics
        self._tallies = tallies
        self._process = ProcessCollector(registry=None)

    def families(self, counted: Counted | None, *, unavailable: bool = False) -> Iterator[Metric]:
        """All families of `families.ALL`. Without `counted`, those from the database are missing.
        `unavailable`: the database could not be reached."""
        self._tallies.keep_up()
        yield from self._requests()
        yield from self._calls()
        yield from self._models()
        yield from self._providers()
        yield from self._database(counted, is_up=not unavailable)
        if counted is not None:
            yield from self._counted(counted)
        yield from self._service()
        yield from self._runtime()
        yield from self._process.collect()

    def _requests(self) -> Iterator[Metric]:
        tallies, objective = self._tallies, self._metrics.objective
        yield numbers(
            "nexus_requests_total",
            [
                ((*labels, outcome), count)
                for labels, tally in tallies.models.items()
                for outcome, count in tally.ended.items()
            ],
        )
        yield histograms("nexus_request_seconds", [((), tallies.request)])
        stages = {
            "queue_wait": tallies.queue_wait,
            "admission": tallies.admission,
            "call": merged(it.seconds for it in tallies.providers.values()),
            "publish": tallies.publish,
        }
        yield histograms("nexus_stage_seconds", [((it,), found) for it, found in stages.items()])
        ended = [(("true",), objective.within), (("false",), objective.beyond)]
        yield numbers("nexus_objective_requests_total", ended)
        ratio = objective.last_hour(trio.current_time()).ratio
        yield numbers("nexus_objective_ratio", [] if ratio is None else [((), ratio)])
        yield _by("nexus_in_flight_requests", self._places())
        left = self._tables.in_work.bytes_left
        yield number("nexus_work_memory_left_bytes", max(left, 0))
        yield number("nexus_leases_lost_total", self._metrics.leases_lost)

    def _places(self) -> Mapping[str, int]:
        in_work = self._tables.in_work
        queues = [in_work.queue(name) for name in in_work.providers]
        return {
            "unrouted": len(in_work.unrouted()),
            "assigned": sum(len(it.waiting) for it in queues),
            "held": sum(len(it.held) for it in queues),
            "leaving": len(in_work.leaving()),
            "answered": len(in_work.answered()),
        }

    def _calls(self) -> Iterator[Metric]:
        providers = self._tallies.providers
        yield numbers(
            "nexus_calls_total",
            [
                ((name, outcome), count)
                for name, tally in providers.items()
                for outcome, count in tally.outcomes.items()
            ],
        )
        seconds = [((name,), it.seconds) for name, it in providers.items()]
        yield histograms("nexus_call_seconds", seconds)
        first = [((name,), it.first_text) for name, it in providers.items() if it.first_text.count]
        yield histograms("nexus_first_text_seconds", first)
        retries = [((name,), it.retries) for name, it in providers.items()]
        yield numbers("nexus_retries_total", retries)
        throttled = [((name,), it.throttled) for name, it in providers.items()]
        yield numbers("nexus_throttled_total", throttled)

    def _models(self) -> Iterator[Metric]:
        models = self._tallies.models.items()
        called = [(labels, it) for labels, it in models if labels[0] != NONE]
        yield numbers(
            "nexus_tokens_total",
            [
                ((*labels, direction), count)
                for labels, it in called
                for direction, count in (("input", it.input_tokens), ("output", it.output_tokens))
            ],
        )
        cached = [(labels, it.cached_tokens) for labels, it in called]
        yield numbers("nexus_cached_tokens_total", cached)
        thoughts = [(labels, it.reasoning_tokens) for labels, it in called]
        yield numbers("nexus_reasoning_tokens_total", thoughts)
        yield numbers(
            "nexus_cost_dollars_total",
            [
                ((*labels, basis), dollars)
                for labels, it in models
                for basis, dollars in it.dollars.items()
            ],
        )
        yield numbers(
            "nexus_unpriced_calls_total",
            [
                ((*labels, why), count)
                for labels, it in models
                for why, count in it.unpriced.items()
            ],
        )

    def _providers(self) -> Iterator[Metric]:
        in_work, gates, now = self._tables.in_work, self._tables.gates, trio.current_time()
        names = in_work.providers
        queues = {name: in_work.queue(name) for name in names}
        workers = [((name,), it.concurrency.most) for name, it in queues.items()]
        yield numbers("nexus_provider_workers", workers)
        limits = [((name,), it.concurrency.limit) for name, it in queues.items()]
        yield numbers("nexus_provider_concurrency_limit", limits)
        running = [((name,), len(it.held)) for name, it in queues.items()]
        yield numbers("nexus_provider_running", running)
        waiting = [((name,), len(it.waiting)) for name, it in queues.items()]
        yield numbers("nexus_provider_waiting", waiting)
        census = gates.census(now)
        yield numbers(
            "nexus_circuits",
            [
                ((name, state), census.circuits[name, state])
                for name in names
                for state in ("open", "half_open")
            ],
        )
        throttled = [((name,), census.throttled[name]) for name in names]
        yield numbers("nexus_throttled_models", throttled)
        keys: list[tuple[tuple[str, ...], float]] = []
        for name in names:
            if (ring := gates.keys.get(name)) is not None:
                suspended = ring.suspended(now)
                keys += ((name, "usable"), len(ring) - suspended), ((name, "suspended"), suspended)
        yield numbers("nexus_keys", keys)

    def _database(self, counted: Counted | None, *, is_up: bool) -> Iterator[Metric]:
        awaited = self._sources.status.awaits_database
        answers = is_up and not awaited and not database_away(self._tables.outages)
        yield number("nexus_database_up", answers)
        yield number("nexus_database_counted", counted is not None)
        hints = self._sources.hints()
        connected = [] if hints is None else [((), float(hints.connected))]
        yield numbers("nexus_notifications_connected", connected)

    def _counted(self, counted: Counted) -> Iterator[Metric]:
        queues = counted.queues.items()
        yield numbers("nexus_queue_messages", [((it,), found["total"]) for it, found in queues])
        visible = [((it,), found["visible"]) for it, found in queues]
        yield numbers("nexus_queue_visible_messages", visible)
        due = [((it,), found["due_seconds"] or 0.0) for it, found in queues]
        yield numbers("nexus_queue_oldest_age_seconds", due)
        yield _by("nexus_waiting_requests", counted.waiting)
        limits = self._in_force.settings.budgets
        spent = {name: it for name, it in counted.spending.items() if name in limits}
        yield _by("nexus_budget_limit_dollars", {name: limits[name].dollars for name in spent})
        yield _by("nexus_budget_spent_dollars", {name: it.spent for name, it in spent.items()})
        reserved = {name: it.reserved for name, it in spent.items()}
        yield _by("nexus_budget_reserved_dollars", reserved)
        yield _by("nexus_nodes", {it: counted.nodes.get(it, 0) for it in (*_STATES, "lost")})
        idle = counted.unpruned_seconds
        yield numbers("nexus_pruning_age_seconds", [] if idle is None else [((), idle)])

    def _service(self) -> Iterator[Metric]:
        status, tables = self._sources.status, self._tables
        node = status.report()
        python = platform.python_version()
        yield info("nexus_node_info", (node.name, node.node, __version__, python))
        yield _by("nexus_state", {it: it == node.state for it in _STATES})
        subjects = [it.subject for it in tables.desired.pauses]
        yield _by("nexus_paused", {it: subjects.count(it) for it in _SUBJECTS})
        yield _by("nexus_outage", dict.fromkeys(status.outages(), 1))
        yield number("nexus_spool_answers", len(tables.spool))
        yield number("nexus_spool_bytes", tables.spool.size)
        spans = tables.spans
        yield _by("nexus_spans_total", {} if spans is None else asdict(spans))
        reloads = self._sources.reloading.counts
        yield _by("nexus_reloads_total", reloads)

    def _runtime(self) -> Iterator[Metric]:
        metrics = self._metrics
        restarts = dict.fromkeys(KINDS, 0)
        for name, count in metrics.restarts.items():
            restarts[kind_of(name)] += count
        yield _by("nexus_restarts_total", restarts)
        unread = dict.fromkeys(KINDS, 0)
        for name, count in self._sources.unread().items():
            kind = kind_of(name)
            unread[kind] = max(unread[kind], count)
        yield _by("nexus_mailbox_messages", unread)
        yield number("nexus_tasks", trio.lowlevel.current_statistics().tasks_living)
        yield histograms("nexus_loop_lag_seconds", [((), self._tallies.loop_lag)])
        yield _by("nexus_loop_blocked_total", {it: metrics.blocked[it] for it in _CAUSES})
        seconds = {it: metrics.blocked_seconds.get(it, 0.0) for it in _CAUSES}
        yield _by("nexus_loop_blocked_seconds_total", seconds)


def _by(name: str, values: Mapping[str, float]) -> Metric:
    """A family with one label."""
    return numbers(name, [((label,), value) for label, value in values.items()])
