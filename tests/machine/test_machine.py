"""The machine itself: what it keeps, and that nothing of it is left."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT
from tests.machine.machine import NAME, groups, missing, running_machine

USER = """
import sys, time
from tests.machine.machine import running_machine
with running_machine() as machine:
    print(machine.done("systemd-run --quiet sleep 1000; hostname"), end="", flush=True)
    sys.stdin.read()
"""
pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))


def _left() -> set[str]:
    """The names of control groups and mounts."""
    found = groups()
    assert found is not None
    return {it.name for it in found.glob(f"{NAME}*")} | {
        it for it in Path("/proc/mounts").read_text().split() if NAME in it
    }


def test_what_is_written_outlives_a_reboot_and_reaches_nothing_outside() -> None:
    before = _left()
    with running_machine() as machine:
        machine.done("echo mine > /etc/of-the-machine; touch /tmp/of-the-boot")
        machine.done("systemctl reboot")
        machine.wait_for_end()
        machine.boot()
        assert machine.done("cat /etc/of-the-machine") == "mine\n"
        assert machine.run("ls /tmp/of-the-boot").code != 0
        assert machine.run("touch /mnt/forge/of-the-machine").code != 0
        assert machine.run("echo 1 > /proc/sys/vm/overcommit_memory").code != 0
        # It has a network of its own.
        assert machine.done("tail -n +3 /proc/net/dev | cut -d: -f1").split() == ["lo"]
    assert not Path("/etc/of-the-machine").exists()
    assert _left() == before


def test_it_ends_with_its_user_even_if_that_is_killed() -> None:
    before = _left()
    user = subprocess.Popen(
        [sys.executable, "-c", USER],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with user:
        assert user.stdout is not None
        assert user.stdout.readline() == "host2\n"
        (group,) = _left() - before
        found = groups()
        assert found is not None
        user.send_signal(signal.SIGKILL)
        user.wait()
        events = found / group / "cgroup.events"
        subprocess.run(
            ["bash", "-c", f"until grep -q 'populated 0' {events}; do sleep 0.1; done"],
            check=True,
            timeout=60,
        )
    with running_machine():
        assert group not in _left()  # the next one removes what it has left
