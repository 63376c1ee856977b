"""What the runtime hands out is copied and pickled rightly, or says why it cannot be."""

import copy
import dataclasses
import inspect
import pickle
from typing import Any

import pytest

import supervisors
from supervisors import (
    ActorRef,
    Caller,
    ChildSpec,
    Crashed,
    Down,
    Exit,
    ExitWith,
    GenServer,
    MailboxBound,
    NoReply,
    Ok,
    Registered,
    Registry,
    Reply,
    Shutdown,
    SpecError,
    Stop,
    Supervisor,
    TaskResult,
    TaskSupervisor,
    Timeout,
    errors,
    open_tree,
)
from tests.unit.supervisors.actors import Do, Puppet, child, puppet


def every_error():
    """Each public exception class, and those it is a base of."""
    found = [value for value in vars(supervisors).values() if inspect.isclass(value)]
    found += [value for value in vars(errors).values() if inspect.isclass(value)]
    found = [kind for kind in found if issubclass(kind, Exception)]
    return sorted(set(found), key=lambda kind: kind.__name__)


SAMPLES: dict[str, Any] = {
    "server": "clerk",
    "request": ("who", 1),
    "timeout": 1.5,
    "reason": Shutdown("x"),
    "limit": 3,
    "id": "a",
    "name": "a",
    "value": 7,
    "child": "a",
    "key": "k",
    "holder": None,
    "registry": "names",
    "what": "via",
    "task": "t",
    "where": "init",
    "message": "m",
    "broken": (errors.MissingId(""), errors.InvalidShutdown(-1)),
    "args": ("text", 1),
}


def same(a: object, b: object) -> bool:
    if isinstance(a, BaseException):
        return type(a) is type(b) and a.args == b.args and same(vars(a), vars(b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


COPIES = [copy.copy, copy.deepcopy] + [
    lambda value, protocol=protocol: pickle.loads(pickle.dumps(value, protocol))  # noqa: S301
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)
]


async def test_every_error_is_copied_with_all_it_bears(autojump_clock):
    assert len(every_error()) > 50
    wrong = []
    async with open_tree(Supervisor) as top:
        for kind in every_error():
            names = [*inspect.signature(kind.__init__).parameters][1:]
            names = [name for name in names if name != "kwargs"]
            error = kind(*(top if name == "ref" else SAMPLES[name] for name in names))
            error.add_note("a note")
            for copied in COPIES[:2] if "ref" in names else COPIES:
                again = copied(error)
                if again is error or not same(error, again) or str(again) != str(error):
                    wrong.append((kind, copied, error, again))
            if "ref" in names:
                with pytest.raises(TypeError, match="ActorRef"):
                    pickle.dumps(error)
    assert not wrong, "\n".join(map(repr, wrong))


def test_values_are_equal_to_their_copies():
    cases = [
        supervisors.Normal(),
        supervisors.Shutdown("x"),
        supervisors.Killed(),
        supervisors.NoProc(),
        supervisors.Ignore(),
        NoReply(),
        NoReply(1.0),
        Reply(1),
        Stop(Shutdown()),
        supervisors.Continue(1),
        Timeout(),
        Ok(1),
        supervisors.Exited(Shutdown()),
        MailboxBound(3),
        supervisors.Ended(Shutdown(), None),
    ]
    wrong = [
        (copied, value, found)
        for copied in COPIES
        for value in cases
        if (found := copied(value)) != value
    ]
    assert not wrong, "\n".join(map(repr, wrong))


def test_a_crash_is_copied_with_its_exception():
    reason = Crashed(ExitWith(Shutdown(ValueError("v"))))
    assert copy.copy(reason) == reason
    for again in (copy.deepcopy(reason), pickle.loads(pickle.dumps(reason))):  # noqa: S301
        assert same(again.exception.reason.detail, reason.exception.reason.detail)


async def test_a_result_that_was_copied_still_means_the_same(autojump_clock):
    class Copier(GenServer):
        async def handle_call(self, request, caller):
            return copy.copy(Reply(request))

        async def handle_cast(self, message):
            return copy.deepcopy(NoReply())  # which has nothing to continue with

    async with open_tree(Copier) as ref:
        ref.cast("x")
        assert await ref.call(7) == 7


async def quick():
    return "done"


async def test_what_stands_for_the_living_is_its_own_copy_and_is_not_pickled(autojump_clock):
    names = Registry("names")
    callers: list[Caller] = []
    specs = [names.child_spec(), puppet("a", name=names.via("a"))]
    specs.append(ChildSpec("tasks", TaskSupervisor, type="supervisor"))
    async with open_tree(lambda: Supervisor(specs)) as top:
        a = await child(top, "a")

        def everything(me: Puppet) -> list[object]:
            callers.append(me.caller)
            return [me.monitor(top), me.send_after(9, "x"), me.spawn_link(quick)]

        monitor, timer, linked = await a.call(Do(everything))
        task = await TaskSupervisor.async_nolink(await child(top, "tasks"), quick)
        living = [a, names, names.via("a"), monitor, timer, linked, task, callers[0]]
        for one in living:
            assert copy.copy(one) is one
            assert copy.deepcopy({"in": [one]})["in"][0] is one
            with pytest.raises(TypeError, match=f"{type(one).__name__}.*lives in") as caught:
                pickle.dumps(one)
            assert "name" in str(caught.value)
        messages = [
            Down(monitor, a, Shutdown()),
            Exit(linked, Shutdown()),
            Registered(names, "k", a, 1),
            TaskResult(task, 1),
            (await Supervisor.which_children(top))[0],
        ]
        for message in messages:
            assert copy.deepcopy(message) == message
            assert dataclasses.asdict(message)
        down = {"monitor": monitor, "ref": a, "reason": {"detail": None}}
        assert dataclasses.asdict(messages[0]) == down
        assert dataclasses.asdict(specs[1])["name"] == names.via("a")
        assert copy.deepcopy(a._process.actor).ref is a  # and a whole actor drags nothing along
        assert await a.call(Do(lambda _: 7)) == 7
        assert isinstance(a, ActorRef)


def test_errors_of_ones_own_are_copied_too():
    class Own(SpecError):
        def __init__(self, one, two):
            self.one = one
            super().__init__(two)

    again = copy.copy(Own(1, 2))
    assert (again.one, again.value, str(again)) == (1, 2, str(Own(1, 2)))
