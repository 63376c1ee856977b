# ruff: noqa: N802 - tests bear the IDs of the conformance list
"""Child specifications and the options of supervisors: what is wrong is refused when it is made."""

import math
from dataclasses import dataclass
from functools import partial

import pytest

from supervisors import (
    ChildSpec,
    FailedToStartChild,
    GenServer,
    NotFound,
    Supervisor,
    errors,
    open_tree,
)
from tests.unit.supervisors.actors import Puppet, children, puppet


async def test_P_CS_01_defaults(autojump_clock):
    specs = [
        ChildSpec("plain", Puppet),
        ChildSpec("brutal", Puppet, shutdown="brutal_kill"),
        ChildSpec("sup", Supervisor, type="supervisor"),
    ]
    async with open_tree(lambda: Supervisor(specs)) as top:
        plain = await Supervisor.get_childspec(top, "plain")
        assert (plain.restart, plain.shutdown, plain.type) == ("permanent", 5.0, "worker")
        assert plain.significant is False
        assert (await Supervisor.get_childspec(top, "brutal")).shutdown == "brutal_kill"
        assert (await Supervisor.get_childspec(top, "sup")).shutdown == math.inf
        with pytest.raises(NotFound):
            await Supervisor.get_childspec(top, "other")


def test_P_CS_02_faulty_specs():
    with pytest.raises(errors.MissingId):
        ChildSpec("", Puppet)
    with pytest.raises(errors.MissingStart):
        ChildSpec("a", None)
    with pytest.raises(errors.InvalidChildSpec) as caught:
        Supervisor(["child4"])
    assert caught.value.value == "child4"


@pytest.mark.parametrize(
    ("error", "wrong"),
    [
        (errors.InvalidStart, {"start": "no function"}),
        (errors.InvalidRestartType, {"restart": "prmanent"}),
        (errors.InvalidShutdown, {"shutdown": -10}),
        (errors.InvalidShutdown, {"shutdown": math.nan}),
        (errors.InvalidChildType, {"type": "wrker"}),
        (errors.InvalidStartTimeout, {"start_timeout": 0}),
        (errors.InvalidName, {"name": "no registry"}),
    ],
)
def test_P_CS_03_every_wrong_field_has_its_error(error, wrong):
    with pytest.raises(error) as caught:
        ChildSpec("a", **{"start": Puppet, **wrong})
    assert caught.value.value is next(iter(wrong.values()))


async def test_P_CS_03_start_child_with_what_is_no_spec(autojump_clock):
    async with open_tree(lambda: Supervisor([puppet("a")])) as top:
        with pytest.raises(errors.InvalidChildSpec):
            await Supervisor.start_child(top, "child4")
        assert list(await children(top)) == ["a"]


def test_P_CS_04_duplicate_ids():
    with pytest.raises(errors.DuplicateChildId) as caught:
        Supervisor([puppet("a"), puppet("b"), puppet("a")])
    assert caught.value.value == "a"


@pytest.mark.parametrize(
    ("error", "wrong"),
    [
        (errors.InvalidStrategy, {"strategy": "none_for_one"}),
        (errors.InvalidIntensity, {"max_restarts": math.inf}),
        (errors.InvalidIntensity, {"max_restarts": -1}),
        (errors.InvalidPeriod, {"max_seconds": 0}),
        (errors.InvalidPeriod, {"max_seconds": math.inf}),
        (errors.InvalidAutoShutdown, {"auto_shutdown": "sometimes"}),
    ],
)
async def test_P_CS_05_flags(autojump_clock, error, wrong):
    journal = []
    with pytest.raises(error):
        Supervisor([puppet("a", journal)], **wrong)
    with pytest.raises(FailedToStartChild) as caught:
        async with open_tree(
            lambda: Supervisor(
                [ChildSpec("s", partial(Supervisor, [puppet("a", journal)], **wrong))]
            )
        ):
            pytest.fail("it must not start")
    assert isinstance(caught.value.__cause__, error)
    assert journal == []


def test_a_significant_child_must_fit_its_supervisor():
    with pytest.raises(errors.InvalidSignificant):
        puppet("a", significant=True)
    with pytest.raises(errors.InvalidSignificant):
        Supervisor([puppet("a", significant=True, restart="temporary")])


@dataclass
class Login(GenServer):
    password: str

    async def handle_cast(self, message):
        raise RuntimeError("boom")


def test_what_is_no_specification_is_reported_by_its_type():
    with pytest.raises(errors.InvalidStart, match="Login") as caught:
        ChildSpec("a", Login("hunter2"))
    assert "hunter2" not in str(caught.value)
