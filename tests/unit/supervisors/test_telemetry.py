"""Telemetry: what handlers get, what they cannot break, and what the events are."""

import dataclasses
import logging
import math
import typing

import pytest

from supervisors import (
    ChildSpec,
    Crashed,
    GenServer,
    Killed,
    NoProc,
    Normal,
    Shutdown,
    StartError,
    Supervisor,
    open_tree,
    telemetry,
)
from supervisors.supervision.crash_reports import report
from supervisors.telemetry import (
    AlreadyAttached,
    ChildStartFailed,
    Event,
    ProcessUnkillable,
    SupervisorGaveUp,
    attach,
    attached,
    detach,
    error_of,
    execute,
    kind_of,
    list_handlers,
)

GAVE_UP = SupervisorGaveUp("top", "a", 3, 5.0)
UNKILLABLE = ProcessUnkillable("a", 7, "A", None, 5.0)


@pytest.fixture(autouse=True)
def nobody_is_left_attached():
    yield
    assert list_handlers() == []


def test_the_list_of_events_is_stable():
    assert [event.name for event in telemetry.EVENTS] == [
        "supervisors.process.started",
        "supervisors.process.exited",
        "supervisors.process.unkillable",
        "supervisors.task.exited",
        "supervisors.child.restarted",
        "supervisors.child.start_failed",
        "supervisors.child.shutdown_timed_out",
        "supervisors.supervisor.gave_up",
        "supervisors.supervisor.stopping",
        "supervisors.call.timed_out",
        "supervisors.mailbox.dropped",
        "supervisors.loop.blocked",
    ]


def test_no_event_of_the_runtime_is_missing_in_the_list():
    classes = {c for c in vars(telemetry).values() if isinstance(c, type)}
    assert {c for c in classes if issubclass(c, Event)} - {Event} == set(telemetry.EVENTS)


def test_the_fields_of_events_are_stable():
    assert {e.__name__: [f.name for f in dataclasses.fields(e)] for e in telemetry.EVENTS} == {
        "ProcessStarted": ["process", "pid", "class_name", "init_seconds"],
        "ProcessExited": [
            "process",
            "pid",
            "class_name",
            "reason",
            "error",
            "uptime_seconds",
            "unread",
        ],
        "ProcessUnkillable": ["process", "pid", "class_name", "task", "waited_seconds"],
        "TaskExited": ["process", "task", "reason", "error", "uptime_seconds"],
        "ChildRestarted": ["supervisor", "child", "restarts", "recent_restarts", "max_restarts"],
        "ChildStartFailed": ["supervisor", "child", "reason", "error"],
        "ShutdownTimedOut": ["process", "pid", "class_name", "timeout_seconds"],
        "SupervisorGaveUp": ["supervisor", "child", "max_restarts", "max_seconds"],
        "SupervisorStopping": ["supervisor", "pid", "reason"],
        "CallTimedOut": ["server", "caller", "request", "timeout_seconds", "unread"],
        "MessageDropped": ["process", "policy", "message", "unread"],
        "LoopBlocked": [
            "seconds",
            "cause",
            "caused_seconds",
            "cpu_seconds",
            "process",
            "class_name",
            "handler",
            "message",
            "where",
        ],
    }


@pytest.mark.parametrize("event", telemetry.EVENTS)
def test_events_are_frozen_and_hold_names_and_numbers_only(event):
    plain = {str, int, float, str | None}
    hints = typing.get_type_hints(event)
    for field in dataclasses.fields(event):
        kind = hints[field.name]
        assert kind in plain or typing.get_origin(kind) is typing.Literal, field.name
        assert field.name.endswith("seconds") == (kind is float), field.name
    assert event.__dataclass_params__.frozen
    assert not hasattr(object.__new__(event), "__dict__")


def test_a_handler_gets_the_events_it_is_attached_to_and_no_others():
    seen = []
    attach("t", SupervisorGaveUp, seen.append)
    try:
        execute(GAVE_UP)
        execute(UNKILLABLE)
    finally:
        assert detach("t")
    execute(GAVE_UP)
    assert seen == [GAVE_UP]


def test_handlers_are_called_in_the_order_they_were_attached():
    seen = []
    with (
        attached("b", (SupervisorGaveUp, ProcessUnkillable), lambda e: seen.append(("b", e))),
        attached("a", SupervisorGaveUp, lambda e: seen.append(("a", e))),
    ):
        execute(GAVE_UP)
        execute(UNKILLABLE)
    assert seen == [("b", GAVE_UP), ("a", GAVE_UP), ("b", UNKILLABLE)]


def test_attaching_to_one_kind_does_not_make_the_others_pay():
    with attached("t", SupervisorGaveUp, print):
        assert [e for e in telemetry.EVENTS if e.handlers] == [SupervisorGaveUp]
        assert not Event.handlers
    assert not any(e.handlers for e in telemetry.EVENTS)


def test_one_id_is_one_handler():
    with attached("t", SupervisorGaveUp, print):
        with pytest.raises(AlreadyAttached, match="'t'"):
            attach("t", ProcessUnkillable, print)
        assert [h.id for h in list_handlers()] == ["t"]
        assert not ProcessUnkillable.handlers
    attach("t", ProcessUnkillable, print)
    assert detach("t")
    assert not detach("t")


def test_a_kind_given_twice_is_attached_once():
    seen = []
    with attached("t", (SupervisorGaveUp, SupervisorGaveUp), seen.append):
        execute(GAVE_UP)
    assert seen == [GAVE_UP]


@pytest.mark.parametrize("wrong", [int, Event, ["supervisors.child.restarted"], [None]])
def test_what_is_no_event_is_refused(wrong):
    with pytest.raises(TypeError, match="is no telemetry event"):
        attach("t", wrong, print)


def test_the_handlers_of_one_kind_are_listed():
    with (
        attached("a", telemetry.EVENTS, print),
        attached("b", ProcessUnkillable, print),
    ):
        assert [h.id for h in list_handlers()] == ["a", "b"]
        assert [h.id for h in list_handlers(ProcessUnkillable)] == ["a", "b"]
        assert [h.id for h in list_handlers(SupervisorGaveUp)] == ["a"]
        assert list_handlers()[1].function is print


def test_a_handler_that_raises_is_detached_and_the_others_are_called(caplog):
    seen = []

    def broken(event):
        raise ZeroDivisionError

    with (
        attached("broken", (SupervisorGaveUp, ProcessUnkillable), broken),
        attached("t", SupervisorGaveUp, seen.append),
    ):
        execute(GAVE_UP)
        assert [h.id for h in list_handlers()] == ["t"]
        assert not ProcessUnkillable.handlers
        execute(GAVE_UP)
    assert seen == [GAVE_UP, GAVE_UP]
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "'broken'" in record.getMessage()
    assert "supervisors.supervisor.gave_up" in record.getMessage()
    assert record.exc_info[0] is ZeroDivisionError


def test_a_handler_may_detach_itself_and_attach_others():
    seen = []

    def once(event):
        detach("once")
        attach("later", SupervisorGaveUp, seen.append)

    attach("once", SupervisorGaveUp, once)
    execute(GAVE_UP)
    assert seen == []
    execute(GAVE_UP)
    assert seen == [GAVE_UP]
    assert detach("later")


def test_an_interrupt_is_not_swallowed():
    def interrupted(event):
        raise KeyboardInterrupt

    with attached("t", SupervisorGaveUp, interrupted), pytest.raises(KeyboardInterrupt):
        execute(GAVE_UP)


def test_a_block_that_fails_is_detached_from():
    with pytest.raises(ZeroDivisionError), attached("t", SupervisorGaveUp, print):
        raise ZeroDivisionError


def test_an_event_of_ones_own():
    @dataclasses.dataclass(frozen=True, slots=True)
    class Billed(SupervisorGaveUp):
        name = "shop.billed"
        euros: float

    seen = []
    billed = Billed("top", "a", 3, 5.0, math.pi)
    with attached("super", SupervisorGaveUp, seen.append):
        assert not Billed.handlers
        with attached("t", Billed, seen.append):
            execute(billed)
    assert seen == [billed]


@pytest.mark.parametrize(
    ("reason", "kind", "error"),
    [
        (Normal(), "normal", None),
        (Shutdown(), "shutdown", None),
        (Shutdown(ValueError("secret")), "shutdown", "ValueError"),
        (Killed(), "killed", None),
        (NoProc(), "noproc", None),
        (Crashed(KeyError("secret")), "crashed", "KeyError"),
    ],
)
def test_what_is_said_of_a_reason(reason, kind, error):
    assert (kind_of(reason), error_of(reason)) == (kind, error)


class Refuses(GenServer):
    async def init(self):
        raise ValueError


async def test_a_supervisor_says_that_it_stops_before_its_children_do():
    seen = []
    kinds = telemetry.SupervisorStopping, telemetry.ProcessExited
    specs = [ChildSpec("a", GenServer)]
    with attached("t", kinds, seen.append):
        async with open_tree(lambda: Supervisor(specs, name="told")):
            assert seen == []
        async with open_tree(lambda: Supervisor(specs, name="gives up", max_restarts=0)) as root:
            (child,) = await Supervisor.which_children(root)
            child.ref.kill()
            await root.wait()
        with pytest.raises(StartError):
            async with open_tree(lambda: Supervisor([*specs, ChildSpec("b", Refuses)], name="bad")):
                pass
        async with open_tree(lambda: Supervisor(specs, name="killed")) as root:
            root.kill()
            await root.wait()
    told = [getattr(it, "supervisor", None) or f"{it.process} exits" for it in seen]
    assert told == [
        *("told", "a exits", "told exits"),
        *("a exits", "gives up", "gives up exits"),
        *("b exits", "bad", "a exits", "bad exits"),
        *("a exits", "killed exits"),
    ]
    assert {it.reason for it in seen if hasattr(it, "supervisor")} == {"shutdown"}


def test_a_failed_start_that_is_reported_is_an_event():
    seen = []
    spec = ChildSpec("a", GenServer)
    with attached("t", telemetry.EVENTS, seen.append):
        report("top", "start_error", Crashed(ValueError("secret")), spec)
        report("top", "child_terminated", Crashed(ValueError("secret")), spec)
    assert seen == [ChildStartFailed("top", "a", "crashed", "ValueError")]
