"""What attaches other packages to the runtime's telemetry: events arrive, none harms an actor."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client import CollectorRegistry, Counter, generate_latest

from supervisors import Supervisor, open_tree, telemetry
from supervisors.contrib import logging as event_log
from supervisors.contrib import opentelemetry, prometheus
from supervisors.contrib._measures import MEASURES, MOST_NAMES, NAMES, Labels
from tests.unit.supervisors.actors import Do, child, crash, puppet

ROOT = Path(__file__).resolve().parents[3]

RESTARTED = telemetry.ChildRestarted("house", "door", 3, 1, 5)
BLOCKED = telemetry.LoopBlocked(0.25, "step", 0.2, 0.2, "p", "Puppet", "handle_call", None, None)


@pytest.fixture(autouse=True)
def nothing_stays_attached():
    yield
    for module in (event_log, prometheus, opentelemetry):
        module.detach()
    assert telemetry.list_handlers() == []


@pytest.mark.parametrize("module", [event_log, prometheus, opentelemetry])
def test_it_attaches_once_and_detaches_once(module):
    options = {"registry": CollectorRegistry()} if module is prometheus else {}
    module.attach(**options)
    with pytest.raises(telemetry.AlreadyAttached):
        module.attach(**options)
    assert len(telemetry.list_handlers()) == 1
    assert module.detach()
    assert not module.detach()
    module.attach(**options)
    assert module.detach()


def test_every_event_of_the_runtime_has_a_measure_with_labels_that_it_has():
    assert [measure.event for measure in MEASURES] == list(
        dict.fromkeys(measure.event for measure in MEASURES)
    )
    assert {measure.event for measure in MEASURES} == set(telemetry.EVENTS)
    for measure in MEASURES:
        wanted = {*measure.labels, *([measure.seconds] if measure.seconds else [])}
        assert wanted <= set(measure.event.__dataclass_fields__)
        endless = {"pid", "process", "server"} | {"supervisor", "child", "task"} - NAMES
        assert not endless & wanted


def test_names_without_end_become_other():
    """As of a supervisor for each session."""
    registry = CollectorRegistry()
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    prometheus.attach(registry)
    opentelemetry.attach(provider)
    for number in [*range(MOST_NAMES + 3), 0]:
        telemetry.execute(telemetry.ChildRestarted(f"session {number}", f"{number}", 1, 1, 5))

    def counted(supervisor, child):
        labels = {"supervisor": supervisor, "child": child}
        return registry.get_sample_value("supervisors_child_restarts_total", labels)

    assert counted("other", "other") == 3
    assert (counted("session 0", "0"), counted("session 199", "199")) == (2, 1)
    assert counted("session 200", "200") is None
    assert generate_latest(registry).count(b"supervisors_child_restarts_total{") == MOST_NAMES + 1
    (resource,) = reader.get_metrics_data().resource_metrics
    (metric,) = resource.scope_metrics[0].metrics
    assert len(metric.data.data_points) == MOST_NAMES + 1
    provider.shutdown()


def test_names_do_not_hide_reasons():
    """A reason is no name: it is kept after the limit, too."""
    labels = Labels(next(it for it in MEASURES if it.event is telemetry.ChildStartFailed))
    for number in range(MOST_NAMES):
        labels.of(telemetry.ChildStartFailed("house", f"{number}", "crashed", None))
    late = telemetry.ChildStartFailed("house", "late", "killed", None)
    assert labels.of(late) == {"supervisor": "other", "child": "other", "reason": "killed"}


# --- logging ---


def test_an_event_is_one_record_with_its_facts(caplog):
    caplog.set_level(logging.DEBUG, logger="supervisors.events")
    event_log.attach()
    telemetry.execute(RESTARTED)
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("supervisors.events", "WARNING")
    assert record.event is RESTARTED
    assert record.getMessage() == (
        "supervisors.child.restarted supervisor='house' child='door' restarts=3"
        " recent_restarts=1 max_restarts=5"
    )


def test_levels_logger_and_kinds_of_events_can_be_chosen(caplog):
    caplog.set_level(logging.INFO)
    event_log.attach(
        [telemetry.ChildRestarted, telemetry.SupervisorGaveUp],
        logger=logging.getLogger("mine"),
        levels={telemetry.ChildRestarted: logging.INFO},
    )
    telemetry.execute(RESTARTED)
    telemetry.execute(telemetry.SupervisorGaveUp("house", "door", 3, 5.0))
    telemetry.execute(BLOCKED)
    assert [(it.name, it.levelname) for it in caplog.records] == [
        ("mine", "INFO"),
        ("mine", "WARNING"),
    ]


# --- prometheus ---


def test_prometheus_counts_and_measures():
    registry = CollectorRegistry()
    prometheus.attach(registry)
    for event in (RESTARTED, RESTARTED, BLOCKED):
        telemetry.execute(event)
    labels = {"supervisor": "house", "child": "door"}
    assert registry.get_sample_value("supervisors_child_restarts_total", labels) == 2
    cause = {"cause": "step"}
    assert registry.get_sample_value("supervisors_loop_blocked_seconds_sum", cause) == 0.25
    prometheus.detach()
    assert generate_latest(registry) == b""


def test_prometheus_prefix():
    registry = CollectorRegistry()
    prometheus.attach(registry, prefix="mine")
    telemetry.execute(RESTARTED)
    assert b'mine_child_restarts_total{child="door",supervisor="house"} 1.0' in generate_latest(
        registry
    )


def test_prometheus_names_that_are_taken_leave_nothing_attached():
    registry = CollectorRegistry()
    Counter("supervisors_child_restarts", "of another", registry=registry)
    with pytest.raises(ValueError, match="Duplicated timeseries"):
        prometheus.attach(registry)
    assert telemetry.list_handlers() == []


def test_prometheus_attaches_again_after_telemetry_has_detached_it(monkeypatch):
    registry = CollectorRegistry()
    prometheus.attach(registry)
    monkeypatch.setattr(prometheus._attached[0], "_observers", {})
    telemetry.execute(RESTARTED)  # which raises in the handler
    assert telemetry.list_handlers() == []
    prometheus.attach(registry)
    telemetry.execute(RESTARTED)
    assert b"supervisors_child_restarts_total" in generate_latest(registry)


# --- OpenTelemetry ---


def test_opentelemetry_counts_and_measures():
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    opentelemetry.attach(provider)
    for event in (RESTARTED, RESTARTED, BLOCKED):
        telemetry.execute(event)
    (resource,) = reader.get_metrics_data().resource_metrics
    (scope,) = resource.scope_metrics
    assert scope.scope.name == "supervisors"
    points = {metric.name: (metric.unit, *metric.data.data_points) for metric in scope.metrics}
    assert points.keys() == {"supervisors.child_restarts", "supervisors.loop_blocked"}
    unit, restarts = points["supervisors.child_restarts"]
    assert (unit, restarts.value) == ("1", 2)
    assert restarts.attributes == {"supervisor": "house", "child": "door"}
    unit, blocked = points["supervisors.loop_blocked"]
    assert (unit, blocked.sum, blocked.attributes) == ("s", 0.25, {"cause": "step"})
    provider.shutdown()


# --- all of them ---


def in_records(caplog):
    """The log's restarts."""
    caplog.set_level(logging.DEBUG, logger="supervisors.events")
    event_log.attach()
    return lambda: sum(
        isinstance(getattr(record, "event", None), telemetry.ChildRestarted)
        for record in caplog.records
    )


def in_prometheus(_):
    registry = CollectorRegistry()
    prometheus.attach(registry)
    labels = {"supervisor": "house", "child": "a"}
    return lambda: registry.get_sample_value("supervisors_child_restarts_total", labels)


def in_opentelemetry(_):
    reader = InMemoryMetricReader()
    opentelemetry.attach(MeterProvider([reader], shutdown_on_exit=False))

    def count():
        (resource,) = reader.get_metrics_data().resource_metrics
        (metrics,) = [scope.metrics for scope in resource.scope_metrics]
        (restarts,) = [it for it in metrics if it.name == "supervisors.child_restarts"]
        (point,) = restarts.data.data_points
        assert point.attributes == {"supervisor": "house", "child": "a"}
        return point.value

    return count


async def restart_once():
    """In a tree; what is attached must not harm it."""
    async with open_tree(lambda: Supervisor([puppet("a")], name="house")) as top:
        await crash(await child(top, "a"))
        assert await (await child(top, "a")).call(Do(lambda _: 7)) == 7


@pytest.mark.parametrize("attached", [in_records, in_prometheus, in_opentelemetry])
async def test_an_event_of_real_actors_arrives(autojump_clock, attached, caplog):
    count = attached(caplog)
    await restart_once()
    assert count() == 1
    assert len(telemetry.list_handlers()) == 1


@pytest.mark.parametrize(
    ("attached", "module", "part"),
    [
        (in_records, event_log, "_words"),
        (in_prometheus, Labels, "of"),
        (in_opentelemetry, Labels, "of"),
    ],
)
async def test_its_own_fault_harms_no_actor_and_detaches_it(
    autojump_clock, attached, module, part, caplog, monkeypatch
):
    attached(caplog)

    def fail(*_):
        raise RuntimeError("its own fault")

    monkeypatch.setattr(module, part, fail)
    await restart_once()
    assert telemetry.list_handlers() == []
    assert "is detached" in caplog.text
    assert "its own fault" in caplog.text


def test_the_runtime_needs_none_of_it():
    """Only the modules of contrib import other packages, and only they are imported by name."""
    program = (
        "import sys, supervisors, supervisors.testing, supervisors.contrib, "
        "supervisors.contrib.logging\n"
        "found = {'prometheus_client', 'opentelemetry', 'pytest', 'asyncio'} & sys.modules.keys()\n"
        "print(sorted(found))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
