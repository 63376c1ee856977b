"""What `/metrics` says: all that the table of families has, and nothing else."""

import copy
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trio
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse_text
from prometheus_client.registry import Collector as PrometheusCollector

from nexus_actors.admin.collector import Collector
from nexus_actors.admin.exposition import MOST_SAMPLES, exposed, numbers
from nexus_actors.admin.families import ALL, BY_NAME
from nexus_actors.admission.circuit import CircuitSettings
from nexus_actors.admission.key_ring import KeyRing
from nexus_actors.contract.request import LLMRequest
from nexus_actors.contract.result import Answer, Failure, Usage
from nexus_actors.settings.model import ModelRef
from nexus_actors.storage.errors import StorageUnavailable
from nexus_actors.storage.requests import Attempt, Lease
from nexus_actors.work.job import Job
from nexus_actors.work.tallies import MOST_KEPT, MOST_MODELS, OTHER
from supervisors.telemetry import ChildRestarted, LoopBlocked
from tests.unit.admin.services import SECTIONS, Tabled
from tests.unit.parts import control_row, known_desired, settings

Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def attempt(provider: str, model: str, number: int = 1, **fields: Any) -> Attempt:
    told: dict[str, Any] = {
        "outcome": "ok",
        "status_code": 200,
        "duration_ms": 1500,
        "cost": 0.25,
        "cost_basis": "list",
        "error": None,
        "started_at": datetime(2026, 1, 1, tzinfo=UTC),
    }
    return Attempt(number=number, provider=provider, model=model, **{**told, **fields})


def ended(outcome: Answer | Failure, *candidates: ModelRef, latency_ms: int = 1600) -> Job:
    """One that was sent 3 s before it was leased, called 0.1 s later, and answered 2 s ago."""
    now = trio.current_time()
    body = LLMRequest(request_id="r", complexity="simple", messages=())
    job = Job(lease=Lease(1, 1), body=body, request_id="r", leased_at=now - 2 - latency_ms / 1000)
    job.sent_at, job.tried_at = job.leased_at - 3, job.leased_at + 0.1
    job.candidates = candidates
    job.outcome, job.latency_ms = outcome, latency_ms
    return job


def answer(model: str = "one", provider: str = "echo") -> Answer:
    usage = Usage(100, 20, 120, cached_tokens=60, reasoning_tokens=5)
    return Answer(response="", provider=provider, model=model, usage=usage, cost=0.25)


class _Made(PrometheusCollector):
    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


async def scrape(tabled: Tabled, accept: str = "", *, is_away: bool = False) -> Samples:
    collector = Collector(tabled.sources, tabled.tallies)
    counted = None if is_away else tabled.counted
    text, content_type = await exposed(collector.families(counted, unavailable=is_away), accept)
    is_open = content_type.startswith("application/openmetrics-text")
    parse = parse_openmetrics if is_open else parse_text
    samples = {}
    for family in parse(text.decode()):
        for it in family.samples:
            labels = frozenset((name, value) for name, value in it.labels.items())
            samples[it.name, labels] = it.value
    return samples


def value(samples: Samples, name: str, /, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]


async def busy(folder: Path) -> Tabled:
    """A service where something of everything has happened."""
    pauses = control_row("pause", "provider", "rest"), control_row("pause", "agent", "a*")
    tabled = Tabled(folder, known_desired(*pauses))
    now, one = trio.current_time(), ModelRef("echo", "one")
    tabled.metrics.called("echo", attempt("echo", "one", first_text_ms=300))
    throttled = {"outcome": "rate_limited", "cost": None, "cost_basis": None}
    tabled.metrics.called("echo", attempt("echo", "one", 2, **throttled))
    tabled.metrics.called("echo", attempt("echo", "one", 3, cost=None, cost_basis="partial"))
    tabled.metrics.track(ended(answer(), one))
    refused = Failure(type="timeout", message="", retryable=False, provider="echo")
    tabled.metrics.track(ended(refused, one, latency_ms=2001))
    tabled.metrics.track(ended(Failure(type="invalid_request", message="", retryable=False)))
    for model, failures in (("one", 1), ("two", 0)):
        gate = tabled.gates.gate("echo", model, CircuitSettings(failures=1), now)
        gate.throttled_until = now + 60
        for _ in range(failures):
            gate.circuit.failed(now)
    tabled.gates.keys["echo"] = ring = KeyRing(("A", "B", "C"))
    ring.suspend(1, now, 60.0, "refused", sure=True)
    for number in (1, 2):
        event = ChildRestarted("echo.Supervisor", f"echo.Worker.{number}", 1, 1, 3)
        tabled.metrics.heard(event)
    tabled.metrics.heard(LoopBlocked(0.75, "step", 0.7, 0.7, None, None, None, None, None))
    tabled.unread = {"echo.Worker.1": 3, "echo.Worker.2": 8, "Router": 1, "strange": 2}
    tabled.tallies.loop_lag.observe(0.02)
    tabled.outages.tell("pruning", "nobody")
    await tabled.reloading.reload()
    return tabled


async def test_all_that_the_table_has_is_exposed_and_nothing_else(tmp_path: Path) -> None:
    tabled = await busy(tmp_path)
    families = [*Collector(tabled.sources, tabled.tallies).families(tabled.counted)]
    found = {
        (
            f"{it.name}_total"
            if it.type == "counter"
            else it.name + ("_info" * (it.type == "info")),
            it.type,
            frozenset(name for sample in it.samples for name in sample.labels) - {"le"},
        )
        for it in families
    }
    assert found == {(it.name, it.kind, frozenset(it.labels)) for it in ALL}
    assert len(families) == len(ALL) == len(BY_NAME)


async def test_both_formats_say_the_same(tmp_path: Path) -> None:
    tabled = await busy(tmp_path)
    text, openmetrics = await scrape(tabled), await scrape(tabled, OPENMETRICS)
    moving = {"process_cpu_seconds_total", "process_resident_memory_bytes"}
    still = {key for key in text if key[0] not in moving}
    assert {key: text[key] for key in still} == {key: openmetrics[key] for key in still}
    assert text.keys() == openmetrics.keys()


@pytest.mark.parametrize(
    "accept", [f"{OPENMETRICS.replace('1.0.0', 'x')}", "text/plain;version=9x", "*/*", ";;=,"]
)
async def test_a_client_that_accepts_nonsense_gets_text(accept: str, tmp_path: Path) -> None:
    samples = await scrape(Tabled(tmp_path), accept)
    assert value(samples, "nexus_database_up") == 1


async def test_a_long_family_is_written_in_pieces_that_make_one(tmp_path: Path) -> None:
    names = [f"echo/m{number}" for number in range(3 * MOST_SAMPLES)]
    tabled = Tabled(tmp_path, routes=[{"complexity": "*", "task_type": "*", "models": names}])
    for number in range(len(names)):
        tabled.metrics.called("echo", attempt("echo", f"m{number}"))
    families = [*Collector(tabled.sources, tabled.tallies).families(tabled.counted)]
    for accept in ("", OPENMETRICS):
        encode, _ = choose_encoder(accept)
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Made(families))
        whole = encode(registry)
        pieces, _ = await exposed(copy.deepcopy(families), accept)
        assert pieces == whole


async def test_what_a_busy_service_says(tmp_path: Path) -> None:
    samples = await scrape(await busy(tmp_path))
    echo_one = {"provider": "echo", "model": "one"}
    assert value(samples, "nexus_requests_total", **echo_one, outcome="ok") == 1
    assert value(samples, "nexus_requests_total", **echo_one, outcome="timeout") == 1
    none = {"provider": "none", "model": "none", "outcome": "invalid_request"}
    assert value(samples, "nexus_requests_total", **none) == 1
    assert value(samples, "nexus_objective_requests_total", within="true") == 2
    assert value(samples, "nexus_objective_requests_total", within="false") == 1
    assert value(samples, "nexus_objective_ratio") == pytest.approx(2 / 3)
    assert value(samples, "nexus_calls_total", provider="echo", outcome="rate_limited") == 1
    assert value(samples, "nexus_call_seconds_sum", provider="echo") == 4.5
    assert value(samples, "nexus_call_seconds_bucket", provider="echo", le="1.0") == 0
    assert value(samples, "nexus_call_seconds_bucket", provider="echo", le="2.0") == 3
    assert value(samples, "nexus_first_text_seconds_sum", provider="echo") == 0.3
    assert value(samples, "nexus_retries_total", provider="echo") == 2
    assert value(samples, "nexus_throttled_total", provider="echo") == 1
    assert value(samples, "nexus_tokens_total", **echo_one, direction="input") == 100
    assert value(samples, "nexus_cached_tokens_total", **echo_one) == 60
    assert value(samples, "nexus_cost_dollars_total", **echo_one, basis="list") == 0.25
    assert value(samples, "nexus_unpriced_calls_total", **echo_one, why="partial") == 1
    assert value(samples, "nexus_circuits", provider="echo", state="open") == 1
    assert value(samples, "nexus_throttled_models", provider="echo") == 1
    assert value(samples, "nexus_keys", provider="echo", state="usable") == 2
    assert value(samples, "nexus_keys", provider="echo", state="suspended") == 1
    assert value(samples, "nexus_queue_oldest_age_seconds", queue="requests") == 12.5
    assert value(samples, "nexus_queue_oldest_age_seconds", queue="results") == 0
    assert value(samples, "nexus_budget_limit_dollars", budget="nightly") == 5
    assert value(samples, "nexus_budget_spent_dollars", budget="nightly") == 1.25
    assert value(samples, "nexus_nodes", state="lost") == 1
    assert value(samples, "nexus_nodes", state="draining") == 0
    assert value(samples, "nexus_state", state="degraded") == 1
    assert value(samples, "nexus_state", state="ready") == 0
    assert value(samples, "nexus_outage", name="pruning") == 1
    assert value(samples, "nexus_paused", subject="agent") == 1
    assert value(samples, "nexus_restarts_total", actor="Provider.Worker") == 2
    assert value(samples, "nexus_mailbox_messages", actor="Provider.Worker") == 8
    assert value(samples, "nexus_mailbox_messages", actor="other") == 2
    assert value(samples, "nexus_loop_blocked_seconds_total", cause="step") == 0.75
    assert value(samples, "nexus_reloads_total", outcome="refused") == 1
    assert value(samples, "nexus_spans_total", outcome="sent") == 9


@pytest.mark.parametrize(
    ("stage", "seconds"), [("queue_wait", 9.0), ("admission", 0.3), ("call", 4.5), ("publish", 6.0)]
)
async def test_each_stage_has_its_time(stage: str, seconds: float, tmp_path: Path) -> None:
    samples = await scrape(await busy(tmp_path))
    assert value(samples, "nexus_stage_seconds_count", stage=stage) == 3
    found = value(samples, "nexus_stage_seconds_sum", stage=stage)
    assert found == pytest.approx(seconds, abs=0.25)


async def test_what_the_database_knows_is_absent_while_it_is_away(tmp_path: Path) -> None:
    tabled = Tabled(tmp_path)
    samples = await scrape(tabled, is_away=True)
    assert value(samples, "nexus_database_up") == 0
    assert value(samples, "nexus_database_counted") == 0
    there = {name for name, _ in samples}
    assert not there & {"nexus_queue_messages", "nexus_nodes", "nexus_budget_spent_dollars"}
    assert "nexus_in_flight_requests" in there


async def test_before_a_database_is_open_it_is_down_and_the_rest_is_reported(
    tmp_path: Path,
) -> None:
    tabled = Tabled(tmp_path)
    tabled.database = None
    samples = await scrape(tabled)
    assert value(samples, "nexus_database_up") == 0
    there = {name for name, _ in samples}
    assert "nexus_notifications_connected" not in there
    assert {"nexus_node_info", "nexus_state", "nexus_in_flight_requests"} <= there


async def test_a_database_that_is_not_there_for_who_always_asks_it_is_down(tmp_path: Path) -> None:
    tabled = Tabled(tmp_path)
    tabled.outages.patience("Heartbeat").note(StorageUnavailable("no answer"))
    samples = await scrape(tabled)
    assert value(samples, "nexus_database_up") == 0


async def test_reloads_count_and_dry_runs_do_not(tmp_path: Path) -> None:
    tabled = Tabled(tmp_path)
    await tabled.reloading.reload()
    await tabled.reloading.reload(dry_run=True)
    tabled.load = lambda: tabled.in_force.settings
    await tabled.reloading.reload()
    await tabled.reloading.reload(dry_run=True)
    samples = await scrape(tabled)
    assert value(samples, "nexus_reloads_total", outcome="refused") == 1
    assert value(samples, "nexus_reloads_total", outcome="ok") == 1


async def test_a_family_with_other_labels_than_the_table_is_refused() -> None:
    with pytest.raises(ValueError, match="nexus_queue_messages has the labels"):
        numbers("nexus_queue_messages", [((), 1.0)])
    with pytest.raises(KeyError):
        numbers("nexus_strange", [((), 1.0)])


# -- a counter that is born as 1 shows no increase


async def test_what_is_configured_is_counted_before_it_happens(tmp_path: Path) -> None:
    tabled = Tabled(tmp_path)
    samples = await scrape(tabled)
    for provider, model in (("echo", "one"), ("rest", "two")):
        labels = {"provider": provider, "model": model}
        for outcome in ("ok", "provider_error", "timeout", "rate_limited", "connection_failed"):
            assert value(samples, "nexus_requests_total", **labels, outcome=outcome) == 0
            assert value(samples, "nexus_calls_total", provider=provider, outcome=outcome) == 0
        for basis in ("told", "list"):
            assert value(samples, "nexus_cost_dollars_total", **labels, basis=basis) == 0
        assert value(samples, "nexus_unpriced_calls_total", **labels, why="maybe_paid") == 0
        assert value(samples, "nexus_tokens_total", **labels, direction="output") == 0
        assert value(samples, "nexus_retries_total", provider=provider) == 0
        assert value(samples, "nexus_call_seconds_count", provider=provider) == 0
    none = {"provider": "none", "model": "none", "outcome": "missing_fields"}
    assert value(samples, "nexus_requests_total", **none) == 0


async def test_a_model_that_a_reload_brings_is_counted_from_then_on(tmp_path: Path) -> None:
    tabled = Tabled(tmp_path)
    tabled.metrics.track(ended(answer(), ModelRef("echo", "one")))
    tabled.load = lambda: settings(**{**SECTIONS, "routes": [{"models": ["echo/one", "rest/new"]}]})
    await tabled.reloading.reload()
    samples = await scrape(tabled)
    new = {"provider": "rest", "model": "new", "outcome": "ok"}
    assert value(samples, "nexus_requests_total", **new) == 0
    one = {"provider": "echo", "model": "one", "outcome": "ok"}
    assert value(samples, "nexus_requests_total", **one) == 1


# -- labels are few, whatever requests name


def labels_of(tabled: Tabled) -> set[tuple[str, str]]:
    """Of what has happened."""
    models = tabled.tallies.models.items()
    return {labels for labels, it in models if it.ended.total() or any(it.dollars.values())}


async def test_models_that_nobody_knows_are_one(tmp_path: Path) -> None:
    tabled = Tabled(tmp_path)
    for number in range(MOST_KEPT + 10):
        tabled.metrics.track(ended(answer(f"made-up-{number}"), ModelRef("echo", f"m{number}")))
    tabled.metrics.track(ended(answer(), ModelRef("echo", "one")))
    assert labels_of(tabled) == {("echo", OTHER), ("echo", "one")}
    assert len(tabled.tallies._known) <= MOST_KEPT
    samples = await scrape(tabled)
    other = {"provider": "echo", "model": OTHER, "outcome": "ok"}
    assert value(samples, "nexus_requests_total", **other) == MOST_KEPT + 10


async def test_a_model_of_the_price_list_is_called_as_there(tmp_path: Path) -> None:
    groq = {"kind": "openai_compatible", "preset": "groq", "api_key_env": ""}
    route = {"complexity": "*", "task_type": "*", "models": ["groq/my-own"]}
    tabled = Tabled(tmp_path, providers={"groq": groq}, routes=[route])
    for model in ("my-own", "openai/gpt-oss-120b", "openai/gpt-oss-120b-nonsense-7", "nonsense"):
        tabled.metrics.called("groq", attempt("groq", model))
    names = {model for _, model in labels_of(tabled)}
    assert names >= {"my-own", "openai/gpt-oss-120b", OTHER}
    assert "nonsense" not in names
    assert "openai/gpt-oss-120b-nonsense-7" not in names


async def test_a_config_with_any_number_of_models_has_so_many_labels(tmp_path: Path) -> None:
    names = [f"echo/m{number}" for number in range(MOST_MODELS + 20)]
    tabled = Tabled(tmp_path, routes=[{"complexity": "*", "task_type": "*", "models": names}])
    for number in range(MOST_MODELS + 20):
        tabled.metrics.called("echo", attempt("echo", f"m{number}"))
    assert len(tabled.tallies.models) == MOST_MODELS + 1


async def test_an_answer_of_an_earlier_process_counts_by_what_is_configured_now(
    tmp_path: Path,
) -> None:
    tabled = Tabled(tmp_path)
    job = ended(answer("one"))
    job.sent_at, job.tried_at = -math.inf, None
    tabled.metrics.track(job)
    tabled.metrics.track(ended(answer("one", "gone")))
    assert labels_of(tabled) == {("echo", "one"), (OTHER, OTHER)}
    assert tabled.tallies.queue_wait.count == 1
