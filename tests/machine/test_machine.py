"""The machine itself: what it keeps, and that nothing of it is left."""

import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.docs.pages import ROOT
from tests.leftovers import own_folder
from tests.machine.machine import NAME, groups, missing, running_machine

USER = """
import sys, time
from tests.machine.machine import running_machine
with running_machine() as machine:
    machine.done("systemd-run --quiet sleep 1000")
    print(machine.name, flush=True)
    sys.stdin.read()
"""
pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))


def _is_left(name: str) -> bool:
    """Whether there is a control group, a folder or a mount of that machine."""
    found = groups()
    assert found is not None
    mounted = name in Path("/proc/mounts").read_text()
    return mounted or (found / name).exists() or (Path(tempfile.gettempdir()) / name).exists()


def test_what_is_written_outlives_a_reboot_and_reaches_nothing_outside() -> None:
    with running_machine() as machine:
        machine.done("echo mine > /etc/of-the-machine; touch /tmp/of-the-boot")
        machine.done("systemctl reboot")
        machine.wait_for_end()
        machine.boot()
        assert machine.done("cat /etc/of-the-machine") == "mine\n"
        assert machine.run("ls /tmp/of-the-boot").code != 0
        assert machine.run("touch /mnt/forge/of-the-machine").code != 0
        assert machine.run("echo 1 > /proc/sys/vm/overcommit_memory").code != 0
        # Root may write to any file that is not mounted read-only, whatever its mode. What is
        # written to those of `pressure` is a wish of that process'.
        others = r"\( -path '/proc/[0-9]*' -o -path /proc/pressure \) -prune"
        computers = f"find /proc {others} -o -type f -perm /222 -writable -print"
        assert machine.done(computers) == ""
        machine.done("chown 1 /dev/full")
        # It has a network of its own.
        assert machine.done("tail -n +3 /proc/net/dev | cut -d: -f1").split() == ["lo"]
    assert not Path("/etc/of-the-machine").exists()
    assert Path("/dev/full").owner() == "root"
    assert not _is_left(machine.name)


def test_its_systemd_is_alone_in_its_control_group() -> None:
    # Else no controller could be enabled there.
    with running_machine() as machine:
        assert machine.done("cat /proc/1/cgroup").splitlines()[-1] == "0::/init.scope"
        assert machine.done("cat /sys/fs/cgroup/cgroup.procs") == ""
        machine.done("systemctl reboot")
        machine.wait_for_end()
        machine.boot()
        assert machine.done("cat /sys/fs/cgroup/cgroup.procs") == ""


@contextmanager
def user() -> Iterator["subprocess.Popen[str]"]:
    """A process that makes a machine, and then says its name."""
    process = subprocess.Popen(
        [sys.executable, "-c", USER],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # the traceback of KeyboardInterrupt
        text=True,
    )
    with process:
        yield process


def _name(user: "subprocess.Popen[str]") -> str:
    """That of its machine, once it runs."""
    assert user.stdout is not None
    name = user.stdout.readline().strip()
    assert name.startswith(NAME)
    return name


def test_it_ends_with_its_user_even_if_that_is_killed() -> None:
    with user() as process:
        name = _name(process)
        found = groups()
        assert found is not None
        process.send_signal(signal.SIGKILL)
        process.wait()
        events = found / name / "cgroup.events"
        subprocess.run(
            ["bash", "-c", f"until grep -q 'populated 0' {events}; do sleep 0.1; done"],
            check=True,
            timeout=60,
        )
    with running_machine():
        assert not _is_left(name)  # the next one removes what it has left


def test_it_has_ended_when_its_interrupted_user_ends() -> None:
    with user() as process:
        name = _name(process)
        process.send_signal(signal.SIGINT)
        process.wait()
        assert not _is_left(name)


def test_one_that_is_just_being_made_is_left_alone() -> None:
    found = groups()
    assert found is not None
    with own_folder(Path(tempfile.gettempdir()), NAME) as folder:
        group = found / folder.name
        group.mkdir()
        try:
            with running_machine():
                assert folder.exists()
                assert group.exists()
        finally:
            group.rmdir()


def test_machines_that_start_at_the_same_time_leave_each_other_alone() -> None:
    with ExitStack() as stack:
        users = [stack.enter_context(user()) for _ in range(4)]
        names = [_name(it) for it in users]
        for process in users:
            assert process.stdin is not None
            process.stdin.close()
        assert [process.wait() for process in users] == [0] * 4
        assert not any(_is_left(name) for name in names)
